//! `certificate`

mod import;
mod trust;

use clap::{Args, Subcommand};
use der::pem::LineEnding;
use koshin_protocol::cert_id::CertId;
use koshin_server::clock::{Clock, System};
use koshin_server::registry::Registry;
use koshin_server::id::ContractId;
use serde_json::json;

use super::Global;
use super::bank;
use super::failure::Failure;
use super::output::Output;
use super::page::Page;

/// Import, list and show certificates
#[derive(Debug, Args)]
pub(crate) struct Certificates {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Import(import::Import),
    /// List the certificates of a contract
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
        let registry = bank::registry(&global.configuration()?)?;
        bank::block_on(async {
            match &self.what {
                What::Import(import) => import.run(&registry, output).await,
                What::List { contract } => list(&registry, *contract, output).await,
                What::Show { certificate } => show(&registry, certificate, output).await,
            }
        })
    }
}

async fn list(registry: &Registry, contract: ContractId, output: Output) -> Result<(), Failure> {
    let row = registry.contract(contract, None).await?;
    let row = row.ok_or_else(|| Failure::refused("no such contract"))?;
    let page = Page { contract: &row, now: System.now() };
    output.say(&json!({ "certificates": page.certificates() }), page.text())
}

async fn show(registry: &Registry, certificate: &CertId, output: Output) -> Result<(), Failure> {
    let holder = registry.certificate(certificate).await?;
    let holder = holder.ok_or_else(|| Failure::refused("no such certificate"))?;
    let (row, subject) = (&holder.certificate, &holder.subject);
    let pem =
        der::pem::encode_string("CERTIFICATE", LineEnding::LF, &registry.der(row.number).await?).map_err(Failure::fault)?;
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
