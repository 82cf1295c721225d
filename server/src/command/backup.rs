//! `backup` and `restore`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_protocol::verify::default_verifier;
use koshin_server::ca::Issuer;
use koshin_server::start::{self, Lock};
use koshin_server::latest_crl::LatestCrl;
use koshin_server::store::sqlite;
use serde_json::json;

use super::Global;
use super::audit::exported;
use super::bank;
use super::by::MaybeBy;
use super::failure::Failure;
use super::output::Output;

const BACKUP: &str = "\
Writes a consistent copy of the database to a new file, while the bank goes on serving. Nobody can
serve from the copy before it was restored.

A restore needs the newest CRL and the newest audit heads, too: export them more often than you back
up (`crl --out`, `audit export --out`), and keep all of it, and the CA's folder, at another place.

Example:
  koshin-server backup /backup/koshin-2026-11-24.db";

/// Copy the database while the bank goes on
#[derive(Debug, Args)]
#[command(long_about = BACKUP)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let registry = bank::registry(&global.configuration()?)?;
        bank::block_on(async {
            registry.store().backup(self.file.clone()).await?;
            let value = json!({ "file": self.file.display().to_string() });
            output.say(&value, format_args!("wrote {}", self.file.display()))
        })
    }
}

const RESTORE: &str = "\
Makes the database anew from a backup. Move the old one away first, with its -wal and -shm files; no
bank may be serving.

Every revocation of the newest CRL, and of the exported heads for imported certificates, is applied
again. If the backup's audit is behind the exported
heads, or there are none, records are lost for ever: an operator of the backup accepts that by name,
with --accept-loss, --operator and the own credential. Certificates that were issued after the
backup are unknown to the bank afterwards; `certificate import` takes them in again.

Example:
  koshin-server restore /backup/koshin-2026-11-24.db --crl latest.crl --heads heads.jws";

/// Make the database anew from a backup
#[derive(Debug, Args)]
#[command(long_about = RESTORE)]
pub(crate) struct Restore {
    /// The file that `backup` wrote
    backup: PathBuf,
    /// The newest CRL of the issuing CA, DER
    #[arg(long, value_name = "FILE", required = true)]
    crl: Vec<PathBuf>,
    /// The newest heads that `audit export` wrote
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Accept that records written after the backup are lost
    #[arg(long, requires = "operator")]
    accept_loss: bool,
    #[command(flatten)]
    by: MaybeBy,
}

impl Restore {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        let _nobody_serves = Lock::take(&config)?;
        let target = config.database();
        for suffix in ["", "-wal", "-shm"] {
            let mut path = target.clone().into_os_string();
            path.push(suffix);
            if Path::new(&path).exists() {
                return Err(Failure::refused(format!(
                    "{} exists; move it away first",
                    Path::new(&path).display()
                )));
            }
        }
        let authority = start::authority(&config)?;
        let issuing = authority.authority().certificate();
        let crls = self.crl.iter().map(|path| {
            let der = fs::read(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            LatestCrl::from_der(&der, issuing, default_verifier())
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
        });
        let crls = crls.collect::<Result<Vec<_>, Failure>>()?;
        let heads = self.heads.as_ref().map(|path| exported(&config, path)).transpose()?;
        let accepted = self.accept_loss.then(|| self.acceptor()).transpose()?.flatten();
        let _ = (crls, heads, accepted, output);
        Err(Failure::refused("WIP"))
    }

    /// The operator who accepts the loss, with the credential that the backup knows. Of who is not believed there is no record:
    /// there is no database yet to write it into, and whoever holds the backup has the hash to try against anyway.
    fn acceptor(&self) -> Result<Option<String>, Failure> {
        bank::block_on(async {
            let Some(name) = self.by.name() else { return Ok(None) };
            let hash = sqlite::operator_credential_in(&self.backup, name.as_str())?;
            let operator = self.by.check(hash.as_deref()).await?;
            Ok(operator.map(|operator| operator.name().to_string()))
        })
    }
}

