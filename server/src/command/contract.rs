//! `contract`

use clap::{Args, Subcommand};
use koshin_server::clock::{Clock, System};
use koshin_server::store::Store;
use koshin_server::store::change::NewContract;
use koshin_server::store::id::ContractId;
use serde_json::{Value, json};

use super::Global;
use super::bank;
use super::by::By;
use super::failure::Failure;
use super::output::Output;
use super::page::{self, Page};

const LONG: &str = "\
A contract (契約法人) is a corporation's; it holds subjects. Disabling one has everything refused
that its subjects' certificates sign, until it is enabled again.

Examples:
  koshin-server contract add \"Example K.K.\" --operator hanako
  koshin-server contract list --json
  koshin-server contract show bvSI0fE-1wTLI6EZi3NkBA";

/// Add, list, show, disable and enable contracts
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Contracts {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a contract
    Add {
        /// The corporation's name
        name: String,
        /// Its id, 16 bytes in base64url; with it the command may be repeated [default: random]
        #[arg(long, allow_hyphen_values = true)]
        id: Option<ContractId>,
        #[command(flatten)]
        by: By,
    },
    /// List contracts
    List,
    /// Show a contract: subjects, their newest 20 certificates, open orders
    Show {
        /// Which
        #[arg(allow_hyphen_values = true)]
        contract: ContractId,
    },
    /// Disable a contract, and with it all its subjects
    Disable {
        /// Which
        #[arg(allow_hyphen_values = true)]
        contract: ContractId,
        #[command(flatten)]
        by: By,
    },
    /// Enable a contract again
    Enable {
        /// Which
        #[arg(allow_hyphen_values = true)]
        contract: ContractId,
        #[command(flatten)]
        by: By,
    },
}

impl Contracts {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let store = bank::store(&global.configuration()?)?;
        bank::block_on(async {
            match &self.what {
                What::Add { name, id, by } => add(&*store, name, *id, by, output).await,
                What::List => list(&*store, output).await,
                What::Show { contract } => {
                    let now = System.now();
                    let row = page::whole(&*store, *contract, now).await?;
                    let page = Page { contract: &row, now };
                    output.say(&page.value(), page.text())
                }
                What::Disable { contract, by } => {
                    set_disabled(&*store, *contract, true, by, output).await
                }
                What::Enable { contract, by } => {
                    set_disabled(&*store, *contract, false, by, output).await
                }
            }
        })
    }
}

async fn add(
    store: &dyn Store,
    name: &str,
    id: Option<ContractId>,
    by: &By,
    output: Output,
) -> Result<(), Failure> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(Failure::usage("a contract's name is not empty and has no control characters"));
    }
    let by = by.operator(store).await?;
    let id = id.unwrap_or_else(ContractId::random);
    let new = NewContract { id, name: name.to_owned() };
    store.add_contract(new, by.actor(), System.now()).await?;
    let value = json!({ "contract": id.to_string(), "name": name });
    output.say(&value, format_args!("contract {id} is added: {name}"))
}

async fn list(store: &dyn Store, output: Output) -> Result<(), Failure> {
    let contracts = store.contracts().await?;
    let values: Vec<Value> = contracts
        .iter()
        .map(|row| {
            json!({
                "contract": row.id.to_string(),
                "name": row.name,
                "disabled": row.disabled,
                "added": row.created,
                "subjects": row.subjects,
            })
        })
        .collect();
    let lines = contracts.iter().map(|row| {
        let disabled = if row.disabled { "  disabled" } else { "" };
        format!("{}  {}  {} subjects{disabled}\n", row.id, row.name, row.subjects)
    });
    output.say(&json!({ "contracts": values }), lines.collect::<String>())
}

async fn set_disabled(
    store: &dyn Store,
    contract: ContractId,
    disabled: bool,
    by: &By,
    output: Output,
) -> Result<(), Failure> {
    let by = by.operator(store).await?;
    store.set_contract_disabled(contract, disabled, by.actor(), System.now()).await?;
    let value = json!({ "contract": contract.to_string(), "disabled": disabled });
    let state = if disabled { "disabled" } else { "enabled" };
    output.say(&value, format_args!("contract {contract} is {state}"))
}
