//! `backup` and `restore`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_protocol::verify::default_verifier;
use koshin_server::ca::Issuer;
use koshin_server::clock::{Clock, System};
use koshin_server::start::{self, Lock};
use koshin_server::store::Store;
use koshin_server::store::latest_crl::LatestCrl;
use koshin_server::store::sqlite::{self, Lost, RestoreError, RestoreReport, Told};
use serde_json::{Value, json};

use super::Global;
use super::audit::exported;
use super::bank;
use super::by::MaybeBy;
use super::failure::Failure;
use super::output::Output;

const BACKUP: &str = "\
Writes a consistent copy of the database to a new file, while the bank goes on serving. Nobody can
serve from the copy before it was restored.

A restore needs the newest audit heads and the newest CRL, too: export them more often than you back
up (`audit export --out`, then `crl --out`), and keep all of it, and the CA's folder, at another
place.

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
        let store = bank::store(&global.configuration()?)?;
        bank::block_on(async {
            store.backup(self.file.clone()).await?;
            let value = json!({ "file": self.file.display().to_string() });
            output.say(&value, format_args!("wrote {}", self.file.display()))
        })
    }
}

const RESTORE: &str = "\
Makes the database anew from a backup. Move the old one away first, with its -wal and -shm files; no
bank may be serving.

Every revocation of the newest CRL, and of the exported heads for imported certificates, is applied
again, and what the heads show as disabled, locked or canceled is so again. If the backup's audit is
behind the exported heads, or there are none, records are lost for ever: an operator of the backup
accepts that by name, with --accept-loss, --operator and the own credential.

Certificates that were issued after the backup are unknown to the bank afterwards. Their holders go
on with the one before, which the bank then lists as superseded no more: their programs try it by
themselves, and renew it with a new key. The report names these, and everything else that is not as
it was; somebody who has no certificate left needs a reissue, or `certificate import` of the one that
is unknown.

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
        let report = sqlite::restore(&sqlite::Restore {
            backup: &self.backup,
            target: &target,
            crls: &crls,
            heads: heads.as_ref(),
            loss_accepted_by: accepted.as_deref(),
            now: System.now(),
        })?;
        let value = json!({
            "database": target.display().to_string(),
            "revokedAgain": report.revoked(),
            "unknownToBackup": report.unknown,
            "notes": report.notes,
            "lost": report.lost.iter().map(lost).collect::<Vec<_>>(),
            "lossAcceptedBy": accepted,
            "heads": report.heads.map(|told| {
                json!({ "exported": told.until, "pinsSince": told.pins_since })
            }),
        });
        output.say(&value, text(&target, &report))
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

/// The report for a person: what was done, and then each thing that somebody may have to act on.
fn text(target: &Path, report: &RestoreReport) -> String {
    let mut lines = vec![format!(
        "restored {}: {} certificates revoked again, {} on the CRL are unknown to the backup, \
         {} chains lost records",
        target.display(),
        report.revoked().len(),
        report.unknown,
        report.lost.len()
    )];
    lines.extend(report.notes.iter().map(ToString::to_string));
    lines.push(match report.heads {
        Some(Told { until, pins_since }) => format!(
            "by heads of {until}; PINs that were set are known since {pins_since}; export heads \
             and CRL anew"
        ),
        None => "without heads nobody knows what was disabled, locked, set or canceled after the \
                 backup, nor whose certificates were revoked; export heads and CRL anew"
            .to_owned(),
    });
    lines.join("\n")
}

fn lost(lost: &Lost) -> Value {
    json!({ "chain": lost.chain.to_string(), "found": lost.found, "exported": lost.exported })
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Failed(failure) => failure.into(),
            RestoreError::File { .. } => Self::fault(error),
            RestoreError::LossNotAccepted(ref chains) => {
                let chains: Vec<String> = chains
                    .iter()
                    .map(|lost| {
                        format!(
                            "\n  chain {}: {} of {} records",
                            lost.chain, lost.found, lost.exported
                        )
                    })
                    .collect();
                Self::refused(format!("{error} (--accept-loss --operator NAME){}", chains.concat()))
            }
            RestoreError::Unsound(_)
            | RestoreError::Tampered(_)
            | RestoreError::CrlMissing { .. }
            | RestoreError::AcceptorDisabled(_) => Self::refused(error),
        }
    }
}
