//! `operator`

use clap::{Args, Subcommand};
use koshin_server::clock::{Clock, System};
use koshin_server::operator::{self, AddError, OperatorName};
use koshin_server::registry::Registry;
use serde_json::{Value, json};

use super::Global;
use super::bank;
use super::by::{By, MaybeBy};
use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Operators are the bank's staff. Each has an own credential, which `operator add` shows once and the
bank keeps as an Argon2id hash only; every command that changes something asks for it, and the audit
names whose it was. A name is never given to somebody else.

The very first operator needs nobody: that is possible only while there is none.

Examples:
  koshin-server operator add hanako
  KOSHIN_OPERATOR_CREDENTIAL=... koshin-server operator add taro --operator hanako
  koshin-server operator disable taro --operator hanako --credential-file hanako.credential";

/// Add, list and disable operators
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Operators {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add an operator and show the new credential, once
    Add {
        /// How the audit will name them
        name: OperatorName,
        #[command(flatten)]
        by: MaybeBy,
    },
    /// List operators
    List,
    /// Disable an operator, for ever
    Disable {
        /// Whom
        name: OperatorName,
        #[command(flatten)]
        by: By,
    },
}

impl Operators {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let registry = bank::registry(&global.configuration()?)?;
        bank::block_on(async {
            match &self.what {
                What::Add { name, by } => add(&registry, name, by, output).await,
                What::List => list(&registry, output).await,
                What::Disable { name, by } => {
                    let by = by.operator(&registry).await?;
                    let disabled = name.as_str().to_owned();
                    registry.disable_operator(disabled, by.actor(), System.now()).await?;
                    let value = json!({ "operator": name.as_str(), "disabled": true });
                    output.say(&value, format_args!("operator {name} is disabled"))
                }
            }
        })
    }
}

async fn add(
    registry: &Registry,
    name: &OperatorName,
    by: &MaybeBy,
    output: Output,
) -> Result<(), Failure> {
    let by = by.operator(registry).await?;
    let added = operator::add(registry, name, by.as_ref(), System.now()).await;
    let credential = added.map_err(|error| match error {
        AddError::Store(failure) => failure.into(),
        AddError::Randomness(_) | AddError::Pin(_) => Failure::fault(error),
    })?;
    let value = json!({ "operator": name.as_str(), "credential": credential.expose() });
    output.say(
        &value,
        format_args!(
            "operator {name} is added\ncredential, shown this once: {}",
            credential.expose()
        ),
    )
}

async fn list(registry: &Registry, output: Output) -> Result<(), Failure> {
    let operators = registry.operators().await?;
    let values: Vec<Value> = operators
        .iter()
        .map(|row| json!({ "operator": row.name, "added": row.created, "disabled": row.disabled }))
        .collect();
    let lines = operators.iter().map(|row| match row.disabled {
        None => format!("{}  added {}\n", row.name, row.created),
        Some(disabled) => format!("{}  added {}  disabled {disabled}\n", row.name, row.created),
    });
    output.say(&json!({ "operators": values }), lines.collect::<String>())
}
