//! `subject`

use clap::{Args, Subcommand};
use koshin_protocol::certificate::Name;
use koshin_protocol::subject::Role;
use koshin_server::clock::{Clock, System};
use koshin_server::store::{Shown, Store};
use koshin_server::store::change::NewSubject;
use koshin_server::store::id::{ContractId, SubjectId};
use serde_json::json;

use super::Global;
use super::bank;
use super::by::By;
use super::failure::Failure;
use super::output::Output;
use super::page::{self, Page};
use super::words::roles;

const LONG: &str = "\
A subject is who certificates belong to: an administrator (管理者) or a user (利用者) of a contract.
Its name is the subject of its certificates, written as in SPEC.md 4.7, and is unique over the bank.

A new subject gets its first PIN by `pin set` and its first certificate by an enrollment code
(`reissue request`, `reissue approve`) or by `certificate import`.

Examples:
  koshin-server subject add --contract bvSI0fE-1wTLI6EZi3NkBA --role user \\
      --name \"CN=Tanaka Hanako,O=Example K.K.,C=JP\" --operator hanako
  koshin-server subject disable qhARWmXuyihrki26lRAVvA --operator hanako";

/// Add, list, show, disable and enable subjects
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Subjects {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a subject
    Add(Add),
    /// List the subjects of a contract
    List {
        /// Which
        #[arg(long, allow_hyphen_values = true)]
        contract: ContractId,
    },
    /// Show a subject with its newest 20 certificates
    Show {
        /// Which
        #[arg(allow_hyphen_values = true)]
        subject: SubjectId,
    },
    /// Disable a subject: what its certificates sign is refused
    Disable {
        /// Which
        #[arg(allow_hyphen_values = true)]
        subject: SubjectId,
        #[command(flatten)]
        by: By,
    },
    /// Enable a subject again
    Enable {
        /// Which
        #[arg(allow_hyphen_values = true)]
        subject: SubjectId,
        #[command(flatten)]
        by: By,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Whose subject it is
    #[arg(long, allow_hyphen_values = true)]
    contract: ContractId,
    /// The subject of its certificates, such as "CN=Tanaka Hanako,O=Example K.K.,C=JP"
    #[arg(long)]
    name: String,
    /// What it may do
    #[arg(long, value_parser = roles(), default_value = "user")]
    role: Role,
    /// Its id, 16 bytes in base64url [default: random]
    #[arg(long, allow_hyphen_values = true)]
    id: Option<SubjectId>,
    #[command(flatten)]
    by: By,
}

impl Subjects {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let store = bank::store(&global.configuration()?)?;
        bank::block_on(async {
            match &self.what {
                What::Add(add) => add.run(&*store, output).await,
                What::List { contract } => list(&*store, *contract, output).await,
                What::Show { subject } => show(&*store, *subject, output).await,
                What::Disable { subject, by } => {
                    set_disabled(&*store, *subject, true, by, output).await
                }
                What::Enable { subject, by } => {
                    set_disabled(&*store, *subject, false, by, output).await
                }
            }
        })
    }
}

impl Add {
    async fn run(&self, store: &dyn Store, output: Output) -> Result<(), Failure> {
        let name: Name = self.name.parse().map_err(|_| {
            Failure::usage(format!(
                "{:?} is no name in the one form of SPEC.md 4.7, such as \"CN=Tanaka Hanako,O=Example K.K.,C=JP\"",
                self.name
            ))
        })?;
        if name.is_empty() {
            return Err(Failure::usage("a subject's name is not empty"));
        }
        let by = self.by.operator(store).await?;
        let new = NewSubject {
            id: self.id.unwrap_or_else(SubjectId::random),
            contract: self.contract,
            name,
            role: self.role,
            pin_hash: None,
        };
        let row = store.add_subject(new, by.actor(), System.now()).await?;
        let value = json!({
            "subject": row.id.to_string(),
            "contract": row.contract.to_string(),
            "name": row.name,
            "role": row.role.as_str(),
        });
        output.say(&value, format_args!("{} {} is added: {}", row.role, row.id, row.name))
    }
}

async fn list(store: &dyn Store, contract: ContractId, output: Output) -> Result<(), Failure> {
    let now = System.now();
    let row = page::whole(store, contract, now).await?;
    let page = Page { contract: &row, now };
    output.say(&json!({ "subjects": page.subjects() }), page.text())
}

async fn show(store: &dyn Store, subject: SubjectId, output: Output) -> Result<(), Failure> {
    let unknown = || Failure::refused("no such subject");
    let row = store.subject(subject).await?.ok_or_else(unknown)?;
    let (shown, now) = (Shown::One(subject), System.now());
    let contract = store.contract(row.contract, shown, now).await?.ok_or_else(unknown)?;
    let page = Page { contract: &contract, now };
    output.say(&page.subjects().first(), page.text())
}

async fn set_disabled(
    store: &dyn Store,
    subject: SubjectId,
    disabled: bool,
    by: &By,
    output: Output,
) -> Result<(), Failure> {
    let by = by.operator(store).await?;
    store.set_subject_disabled(subject, disabled, by.actor(), System.now()).await?;
    let value = json!({ "subject": subject.to_string(), "disabled": disabled });
    let state = if disabled { "disabled" } else { "enabled" };
    output.say(&value, format_args!("subject {subject} is {state}"))
}
