//! `audit`

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use koshin_protocol::verify::default_verifier;
use koshin_server::audit::{self, Chain, Export, VerifyError};
use koshin_server::clock::{Clock, System};
use koshin_server::config::Config;
use koshin_server::start;
use koshin_server::registry::Registry;
use serde_json::{Value, json};

use super::Global;
use super::bank;
use super::failure::Failure;
use super::output::{Output, print};

const LONG: &str = "\
Every change of state has a record in the chain of its contract, or in the bank's own, and each
record names the hash of the one before. `verify` finds an edited, deleted, inserted or moved record;
a chain that was cut off or written anew it finds against heads that were exported earlier and kept
away from this machine. An export also lists the imported certificates that were revoked: no CRL of
this bank does, and a restore revokes them again.

Examples:
  koshin-server audit export --out heads-2026-11-24.jws
  koshin-server audit verify --heads heads-2026-11-24.jws
  koshin-server audit show bank --last 20";

/// Verify, export and show the audit
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Verify every chain; exit code 3 if something is wrong
    Verify {
        /// Heads that were exported earlier
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
    /// Sign the present heads, to be kept at another place
    Export {
        /// Write them to a new file
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Show the records of a chain, one JSON object a line
    Show {
        /// `bank`, or a contract's id
        #[arg(allow_hyphen_values = true)]
        chain: Chain,
        /// Only the last so many
        #[arg(long, value_name = "COUNT")]
        last: Option<u64>,
    },
}

impl Audit {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        let registry = bank::registry(&config)?;
        bank::block_on(async {
            match &self.what {
                What::Verify { heads } => {
                    let heads = heads.as_ref().map(|path| exported(&config, path)).transpose()?;
                    verify(&registry, heads.as_ref(), output).await
                }
                What::Export { out } => export(&config, &registry, out.as_ref(), output).await,
                What::Show { chain, last } => show(&registry, *chain, *last).await,
            }
        })
    }
}

/// Reads exported heads, which the bank's receipt key signed.
pub(crate) fn exported(config: &Config, path: &PathBuf) -> Result<Export, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let authority = start::authority(config)?;
    let key = authority.receipts().signer().public_key();
    Export::verify(text.trim(), key, default_verifier())
        .map_err(|error| Failure::refused(format!("{}: {error}", path.display())))
}

async fn verify(
    registry: &Registry,
    exported: Option<&Export>,
    output: Output,
) -> Result<(), Failure> {
    let heads = audit::verify(&**registry.store(), exported).await.map_err(|error| match error {
        VerifyError::Tampered(tampered) => {
            Failure::refused(format!("the audit was tampered with: {tampered}"))
        }
        VerifyError::Store(error) => error.into(),
    })?;
    let values: Vec<Value> = heads
        .iter()
        .map(|head| {
            json!({
                "chain": head.chain.to_string(),
                "records": head.sequence,
                "hash": head.hash.to_string(),
            })
        })
        .collect();
    let records: u64 = heads.iter().map(|head| head.sequence).sum();
    let against = match exported {
        Some(export) => format!("also against the heads of {}", export.time),
        None => "give --heads to find records cut off".to_owned(),
    };
    let value =
        json!({ "sound": true, "against": exported.map(|export| export.time), "chains": values });
    output.say(&value, format_args!("sound: {} chains, {records} records; {against}", heads.len()))
}

async fn export(
    config: &Config,
    registry: &Registry,
    out: Option<&PathBuf>,
    output: Output,
) -> Result<(), Failure> {
    let authority = start::authority(config)?;
    let time = System.now();
    let revoked = registry.store().imported_revocations(time).await?;
    let export = Export { time, heads: registry.store().audit_heads().await?, revoked };
    let signed = export.sign(authority.receipts().signer()).map_err(Failure::fault)?;
    let Some(path) = out else { return print(&signed) };
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, signed.as_bytes()).and_then(|()| file.sync_all())
        })
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::refused(format!(
                "{} exists; exported heads are never overwritten",
                path.display()
            )),
            _ => Failure::fault(format!("{}: {error}", path.display())),
        })?;
    let value = json!({
        "file": path.display().to_string(),
        "time": export.time,
        "chains": export.heads.len(),
        "importedRevoked": export.revoked.len(),
    });
    output.say(
        &value,
        format_args!(
            "wrote {}: {} chains; keep it at another place",
            path.display(),
            export.heads.len()
        ),
    )
}

/// Records that are read at once.
const PAGE: u32 = 1000;

async fn show(registry: &Registry, chain: Chain, last: Option<u64>) -> Result<(), Failure> {
    let heads = registry.store().audit_heads().await?;
    let newest = heads.iter().find(|head| head.chain == chain).map_or(0, |head| head.sequence);
    let mut after = last.map_or(0, |last| newest.saturating_sub(last));
    loop {
        let page = registry.store().audit(chain, after, PAGE).await?;
        let Some(end) = page.last() else { return Ok(()) };
        after = end.sequence;
        for record in page {
            print(&String::from_utf8_lossy(&record.record))?;
        }
    }
}
