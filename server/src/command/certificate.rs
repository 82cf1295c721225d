//! `certificate`

mod import;
mod trust;

use clap::{Args, Subcommand};
use der::pem::LineEnding;
use koshin_protocol::cert_id::CertId;
use koshin_server::clock::{Clock, System};
use koshin_server::store::Store;
use koshin_server::store::id::ContractId;
use serde_json::json;

use super::Global;
use super::bank;
use super::failure::Failure;
use super::output::Output;
use super::page::{self, Page};

/// Import, list and show certificates
#[derive(Debug, Args)]
pub(crate) struct Certificates {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Import(import::Import),
    /// List the certificates of a contract, the newest 20 of each subject
    List {
        /// Which
        #[arg(long, allow_hyphen_values = true)]
        contract: ContractId,
    },
    /// Show a certificate, with its PEM
    Show {
        /// Its certID
        #[arg(value_name = "CERTID", allow_hyphen_values = true)]
        certificate: CertId,
    },
}

impl Certificates {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let store = bank::store(&global.configuration()?)?;
        bank::block_on(async {
            match &self.what {
                What::Import(import) => import.run(&*store, output).await,
                What::List { contract } => list(&*store, *contract, output).await,
                What::Show { certificate } => show(&*store, certificate, output).await,
            }
        })
    }
}

async fn list(store: &dyn Store, contract: ContractId, output: Output) -> Result<(), Failure> {
    let now = System.now();
    let row = page::whole(store, contract, now).await?;
    let page = Page { contract: &row, now };
    output.say(&json!({ "certificates": page.certificates() }), page.text())
}

async fn show(store: &dyn Store, certificate: &CertId, output: Output) -> Result<(), Failure> {
    let holder = store.certificate(certificate).await?;
    let holder = holder.ok_or_else(|| Failure::refused("no such certificate"))?;
    let (row, subject) = (&holder.certificate, &holder.subject);
    let pem =
        der::pem::encode_string("CERTIFICATE", LineEnding::LF, &row.der).map_err(Failure::fault)?;
    let state = row.shown(System.now()).as_str();
    let value = json!({
        "certID": row.cert_id.as_str(),
        "subject": subject.id.to_string(),
        "contract": subject.contract.to_string(),
        "name": subject.name,
        "role": subject.role.as_str(),
        "state": state,
        "notBefore": row.not_before,
        "notAfter": row.not_after,
        "certificate": pem,
    });
    output.say(
        &value,
        format_args!(
            "{}  {state}, {} to {}\n{} {}  {}\n{pem}",
            row.cert_id, row.not_before, row.not_after, subject.role, subject.id, subject.name
        ),
    )
}
