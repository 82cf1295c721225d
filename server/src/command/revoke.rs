//! `revoke` and `crl`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use der::pem::LineEnding;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::revocation::Reason;
use koshin_server::bank::Bank;
use koshin_server::publish;
use koshin_server::rule::command::Revoke as ToRevoke;
use serde_json::json;

use super::Global;
use super::bank;
use super::by::By;
use super::failure::Failure;
use super::output::{Output, print};
use super::words::reasons;

const REVOKE: &str = "\
Revokes a certificate for good, ends its sessions, makes its open order invalid, revokes that order's
unconfirmed successor, and publishes a new CRL. May be repeated. The CRL lists what this bank's CA
issued: of an imported certificate, tell the CA that issued it.

Examples:
  koshin-server revoke 7oq41RUQ6MSkJMpg-RhpRRAGWTs.bN6P5e-OHQkf0Da7URo7ug --reason keyCompromise --operator hanako
  koshin-server revoke 7oq41RUQ6MSkJMpg-RhpRRAGWTs.bN6P5e-OHQkf0Da7URo7ug --reason keyCompromise \\
      --include-successors --operator hanako";

/// Revoke a certificate
#[derive(Debug, Args)]
#[command(long_about = REVOKE)]
pub(crate) struct Revoke {
    /// The certificate's certID, as `certificate list` shows it
    #[arg(value_name = "CERTID", allow_hyphen_values = true)]
    certificate: CertId,
    /// Why
    #[arg(long, value_parser = reasons())]
    reason: Reason,
    /// The certificates that replaced it as well
    #[arg(long)]
    include_successors: bool,
    #[command(flatten)]
    by: By,
}

impl Revoke {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let bank = bank::whole(&global.configuration()?)?;
        bank::block_on(async {
            let by = self.by.operator(&bank.registry).await?;
            let revoke = ToRevoke {
                certificate: self.certificate.clone(),
                reason: self.reason,
                include_successors: self.include_successors,
            };
            let revoked = bank.registry.revoke(revoke, by.actor(), bank.clock.now()).await?;
            // The revocation stands; a serving bank makes the list anew for whoever asks.
            let published = newest(&bank).await;
            let revoked: Vec<&str> = revoked.iter().map(CertId::as_str).collect();
            let value = json!({ "revoked": revoked, "crlPublished": published.is_ok() });
            let mut lines: Vec<String> = revoked.iter().map(|id| format!("revoked {id}")).collect();
            if let Err(failure) = published {
                lines.push(format!("the CRL could not be published now: {failure}"));
            }
            output.say(&value, lines.join("\n"))
        })
    }
}

async fn newest(bank: &Bank) -> Result<Vec<u8>, Failure> {
    publish::newest(bank).await.map_err(|error| Failure::fault(format!("CRL: {error:?}")))
}

const CRL: &str = "\
Prints the newest CRL of the issuing CA in PEM, or writes it to a file in DER; it is made anew if
something was revoked since, or half of its life is over. Keep a copy away from this machine: a
restore takes it along.

Examples:
  koshin-server crl --out latest.crl
  koshin-server crl | openssl crl -noout -text";

/// Print or write the newest CRL
#[derive(Debug, Args)]
#[command(long_about = CRL)]
pub(crate) struct Crl {
    /// Write it here, in DER
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Crl {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let bank = bank::whole(&global.configuration()?)?;
        let der = bank::block_on(newest(&bank))?;
        let pem =
            || der::pem::encode_string("X509 CRL", LineEnding::LF, &der).map_err(Failure::fault);
        let url = bank.issuer.authority().crl_url().to_owned();
        match &self.out {
            Some(path) => {
                let failed = |error| Failure::fault(format!("{}: {error}", path.display()));
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(path)
                    .map_err(failed)?;
                file.write_all(&der).and_then(|()| file.sync_all()).map_err(failed)?;
                let value = json!({ "url": url, "file": path.display().to_string() });
                output.say(&value, format_args!("wrote {}; published at {url}", path.display()))
            }
            None if output.is_json() => output.say(&json!({ "url": url, "crl": pem()? }), ""),
            None => print(&pem()?),
        }
    }
}
