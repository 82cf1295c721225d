//! `backup` and `restore`

use std::fmt::Display;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use koshin_protocol::verify::default_verifier;
use koshin_server::ca::Issuer;
use koshin_server::clock::{Clock, System};
use koshin_server::http::Trigger;
use koshin_server::start::{self, Lock};
use koshin_server::store::backup::Progress;
use koshin_server::store::encryption::{Identities, Recipient};
use koshin_server::store::latest_crl::LatestCrl;
use koshin_server::store::sqlite::{self, Lost, RestoreError, RestoreReport, Source, Told};
use koshin_server::store::{self, Store};
use serde_json::{Value, json};

use super::Global;
use super::audit::exported;
use super::bank;
use super::by::{MaybeBy, secret};
use super::failure::Failure;
use super::output::Output;

const BACKUP: &str = "\
Writes a consistent copy of the database to a new file, while the bank goes on serving: it ends in
time proportional to the size, whatever others write meanwhile. The file appears when it is whole;
interrupted (exit code 130), nothing of it is left. Nobody can serve from the copy before it was
restored.

The copy holds the hashes of PINs and of operators' credentials. Only its owner may read it; with
--encrypt-to, only the holder of an age identity can. Make one with `age-keygen -o identity`, keep it
away from the bank, and name its public key here. An encrypted backup needs room for a second copy
in the bank's data folder while it is made.

A restore needs the newest audit heads and the newest CRL, too: export them more often than you back
up (`audit export --out`, then `crl --out`), and keep all of it, and the CA's folder, at another
place.

Examples:
  koshin-server backup /backup/koshin-2026-11-24.db
  koshin-server backup /backup/koshin-2026-11-24.db.age --encrypt-to age1...";

/// Copy the database while the bank goes on
#[derive(Debug, Args)]
#[command(long_about = BACKUP)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
    /// Encrypt it to this age recipient; each of several can decrypt it alone
    #[arg(long, value_name = "RECIPIENT")]
    encrypt_to: Vec<Recipient>,
    /// Encrypt it to the age recipients in this file, one a line
    #[arg(long, value_name = "FILE")]
    encrypt_to_file: Vec<PathBuf>,
}

impl Backup {
    pub(crate) fn run(self, global: &Global, output: Output) -> Result<(), Failure> {
        let Self { file, encrypt_to: mut recipients, encrypt_to_file } = self;
        for path in encrypt_to_file {
            recipients.extend(listed(&path)?);
        }
        let encrypted = !recipients.is_empty();
        let store = bank::store(&global.configuration()?)?;
        bank::block_on(async {
            let (trigger, stop) = Trigger::new();
            trigger.on_signals().map_err(Failure::fault)?;
            let bar = output.bar();
            let shown = bar.clone();
            let progress = move |progress: Progress| {
                shown.set_length(progress.total);
                shown.set_position(progress.done);
                if stop.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let progress = Box::new(progress);
            let order = store::backup::Backup { target: file.clone(), recipients, progress };
            let done = store.backup(order).await;
            bar.finish_and_clear();
            done?;
            let value = json!({ "file": file.display().to_string(), "encrypted": encrypted });
            output.say(&value, format_args!("wrote {}", file.display()))
        })
    }
}

/// The recipients of a file; comments begin with `#`.
fn listed(path: &Path) -> Result<Vec<Recipient>, Failure> {
    let failed = |error: &dyn Display| Failure::usage(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let recipients: Vec<Recipient> =
        lines.map(|line| line.parse().map_err(|error| failed(&error))).collect::<Result<_, _>>()?;
    if recipients.is_empty() {
        return Err(failed(&"there is no recipient in it"));
    }
    Ok(recipients)
}

const RESTORE: &str = "\
Makes the database anew from a backup. Move the old one away first, with its -wal and -shm files; no
bank may be serving.

Every revocation of the newest CRL, and of the exported heads for imported certificates, is applied
again, and what the heads show as disabled, locked or canceled is so again. If the backup's audit is
behind the exported heads, or there are none, records are lost for ever: an operator of the backup
accepts that by name, with --accept-loss, --operator and the own credential; likewise that something
in the backup is not what its audit says, as `audit verify` finds.

Certificates that were issued after the backup are unknown to the bank afterwards. Their holders go
on with the one before, which the bank then lists as superseded no more: their programs try it by
themselves, and renew it with a new key. The report names these, and everything else that is not as
it was; somebody who has no certificate left needs a reissue, or `certificate import` of the one that
is unknown.

An encrypted backup is told by its first bytes; --identity names the age identity that opens it.

Examples:
  koshin-server restore /backup/koshin-2026-11-24.db --crl latest.crl --heads heads.jws
  koshin-server restore /backup/koshin-2026-11-24.db.age --identity FILE --crl latest.crl --heads heads.jws";

/// Make the database anew from a backup
#[derive(Debug, Args)]
#[command(long_about = RESTORE)]
pub(crate) struct Restore {
    /// The file that `backup` wrote
    backup: PathBuf,
    /// The age identity of an encrypted backup, in a file that only its owner may read
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The newest CRL of the issuing CA, DER
    #[arg(long, value_name = "FILE", required = true)]
    crl: Vec<PathBuf>,
    /// The newest heads that `audit export` wrote
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Accept that records written after the backup are lost, and what is not as its audit says
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
        let identities = self.identity.as_deref().map(identities).transpose()?;
        let source = Source::open(&self.backup, &target, identities.as_ref())?;
        let accepted = self.accept_loss.then(|| self.acceptor(&source)).transpose()?.flatten();
        let report = sqlite::restore(&sqlite::Restore {
            backup: &source,
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
    fn acceptor(&self, backup: &Source) -> Result<Option<String>, Failure> {
        bank::block_on(async {
            let Some(name) = self.by.name() else { return Ok(None) };
            let hash = backup.operator_credential(name.as_str())?;
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

fn identities(path: &Path) -> Result<Identities, Failure> {
    Identities::parse(&secret(path)?)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn lost(lost: &Lost) -> Value {
    json!({ "chain": lost.chain.to_string(), "found": lost.found, "exported": lost.exported })
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Failed(failure) => failure.into(),
            RestoreError::Source(error) => error.into(),
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
            | RestoreError::AlteredNotAccepted(_)
            | RestoreError::AcceptorDisabled(_) => Self::refused(error),
        }
    }
}
