//! Going back to a backup without forgetting a revocation (SPEC.md 14).
//!
//! A backup is older than the bank. What it does not know: certificates revoked since, which the
//! newest CRL lists; what was closed since, which exported heads tell; and audit records written
//! since, which exported heads count. The first two are applied again, always. The third are lost, and
//! an operator says by name that they are.
//!
//! Certificates that were issued since are unknown, too. So nobody loses by a restore the newest
//! certificate that the backup has of them, only because it was superseded by one of those.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use koshin_protocol::base64url;
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};
use thiserror::Error;

pub use self::report::{
    Lost, NamedCertificate, NamedContract, NamedSubject, Note, RestoreReport, Told,
};
use self::standing::Differences;
use super::column::{Sql, execute};
use super::source::{Source, SourceError};
use super::transition::{Transition, run};
use super::{backup, registry, signer};
use crate::audit::{
    Chain, Differs, Export, Finding, Object, Principal, PublishedCrl, Standing, Tampered,
};
use crate::store::latest_crl::LatestCrl;
use crate::store::private::{beside, sync_folder};
use crate::store::{Failure, StoreError};

mod listed;
mod report;
mod standing;

/// What to restore, and what of the time after the backup is at hand.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// What [`crate::store::Store::backup`] wrote.
    pub backup: &'a Source,
    /// The database to be; must not exist.
    pub target: &'a Path,
    /// The newest CRL of every issuer.
    pub crls: &'a [LatestCrl],
    /// The audit heads last exported.
    pub heads: Option<&'a Export>,
    /// The operator who accepts that records written after the backup are lost.
    pub loss_accepted_by: Option<&'a str>,
    /// The bank's time.
    pub now: Time,
}

/// Why the bank must not serve from this backup.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The backup cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database's own check failed.
    #[error("the backup is damaged: {}", .0.join("; "))]
    Unsound(Vec<String>),
    /// The audit is not what was written.
    #[error("the backup's audit was tampered with: {0}")]
    Tampered(#[from] Tampered),
    /// The audit is behind the exported heads, or no heads were given, and nobody accepted that.
    #[error(
        "the backup's audit is behind the exported heads, or there are none to compare: \
         an operator has to accept the loss by name"
    )]
    LossNotAccepted(Vec<Lost>),
    /// The registry is not what its audit says, and nobody accepted that.
    #[error(
        "the backup's registry is not what its audit says: take an older backup, or an operator has \
         to accept it by name: {}",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    AlteredNotAccepted(Vec<Differs>),
    /// A CRL that the backup or the heads know of was not given, or an older one was.
    #[error(
        "the newest CRL of issuer {} has number {least} at least, as {known_by} knows; {}",
        base64url::encode(issuer),
        given.map_or("none was given".to_owned(), |given| format!("number {given} was given"))
    )]
    CrlMissing {
        /// The issuer's key identifier.
        issuer: Vec<u8>,
        /// The number that is known.
        least: u64,
        /// Who knows it.
        known_by: KnownBy,
        /// The newest number that was given.
        given: Option<u64>,
    },
    /// Who accepts the loss was disabled after the backup, and another operator was not.
    #[error("operator {0} was disabled after the backup: another one has to accept the loss")]
    AcceptorDisabled(String),
    /// Who accepted the loss is no enabled operator of the backup, or the store failed.
    #[error("{0:?}")]
    Failed(Failure),
}

/// Where a CRL's number is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// The bank had published it when the backup was taken.
    Backup,
    /// It had published it when the heads were exported.
    Heads,
}

impl fmt::Display for KnownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backup => "the backup",
            Self::Heads => "the export of the audit heads",
        })
    }
}

impl From<Failure> for RestoreError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<StoreError> for RestoreError {
    fn from(fault: StoreError) -> Self {
        Self::Failed(Failure::Fault(fault))
    }
}

impl From<rusqlite::Error> for RestoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}

/// Restores. The target appears only when everything succeeded.
pub fn restore(restore: &Restore<'_>) -> Result<RestoreReport, RestoreError> {
    let file = |path: &Path, error: &dyn std::fmt::Display| RestoreError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    if restore.target.exists() {
        return Err(file(restore.target, &"it exists already; move it away first"));
    }
    let scratch = beside(restore.target, ".restoring");
    let report = restore
        .backup
        .copy_to(&scratch)
        .map_err(Into::into)
        .and_then(|()| apply(restore, &scratch));
    if report.is_err() {
        // What is left of a failed attempt is of no use to anybody.
        drop(std::fs::remove_file(&scratch));
        return report;
    }
    std::fs::File::open(&scratch)
        .and_then(|scratch| scratch.sync_all())
        .and_then(|()| std::fs::rename(&scratch, restore.target))
        .and_then(|()| sync_folder(restore.target))
        .map_err(|error| file(restore.target, &error))?;
    report
}

fn apply(restore: &Restore<'_>, scratch: &Path) -> Result<RestoreReport, RestoreError> {
    let mut connection = super::connection::open(scratch)?;
    let findings = backup::integrity(&connection)?.findings;
    if !findings.is_empty() {
        return Err(RestoreError::Unsound(findings));
    }
    let (lost, altered) = verify(&connection, restore.heads)?;
    if restore.loss_accepted_by.is_none() && !altered.is_empty() {
        return Err(RestoreError::AlteredNotAccepted(altered));
    }
    let by = match (restore.loss_accepted_by, restore.heads, lost.as_slice()) {
        (Some(name), _, _) => {
            signer::operator(&connection, name)?;
            Principal::Operator(name.to_owned())
        }
        (None, Some(_), []) => Principal::Bank,
        (None, Some(_) | None, lost) => return Err(RestoreError::LossNotAccepted(lost.to_vec())),
    };
    let transaction = connection.transaction()?;
    let backup = super::standing::read(&transaction, restore.now)?;
    let crls = newest(restore, &backup)?;
    let told = |heads: &Export| Told { until: heads.time, pins_since: heads.standing.pins_since };
    let heads = restore.heads.map(told);
    let notes = altered.into_iter().map(|differs| Note::Altered { differs }).collect();
    let report = RestoreReport { notes, lost, heads, unknown: 0 };
    let report = Again { restore, crls, backup, by, report }.apply(&transaction)?;
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(report)
}

/// Checks the backup's audit, and its registry by it: the chains that are behind the heads, and what
/// the registry has otherwise.
fn verify(
    connection: &Connection,
    exported: Option<&Export>,
) -> Result<(Vec<Lost>, Vec<Differs>), RestoreError> {
    let (mut lost, mut altered) = (Vec::new(), Vec::new());
    for finding in super::verify::verify(connection, exported)?.findings {
        match finding {
            Finding::Chain(Tampered::Truncated { chain, found, exported }) => {
                lost.push(Lost { chain, found, exported });
            }
            Finding::Chain(tampered) => return Err(tampered.into()),
            Finding::Registry(differs) => altered.push(differs),
        }
    }
    Ok((lost, altered))
}

/// The newest CRL of each issuer, which must not be older than any that the backup or the heads know.
fn newest<'a>(
    restore: &Restore<'a>,
    backup: &Standing,
) -> Result<Vec<&'a LatestCrl>, RestoreError> {
    let mut newest: BTreeMap<&[u8], &LatestCrl> = BTreeMap::new();
    for crl in restore.crls {
        let kept = newest.entry(crl.issuer()).or_insert(crl);
        if crl.number() > kept.number() {
            *kept = crl;
        }
    }
    let heads = restore.heads.map_or(&[][..], |heads| &heads.standing.crls);
    let known = backup.crls.iter().map(|crl| (crl, KnownBy::Backup));
    for (PublishedCrl { issuer, number }, known_by) in
        known.chain(heads.iter().map(|crl| (crl, KnownBy::Heads)))
    {
        let given = newest.get(issuer.as_slice()).map(|crl| crl.number());
        if given.is_none_or(|given| given < *number) {
            let (issuer, least) = (issuer.clone(), *number);
            return Err(RestoreError::CrlMissing { issuer, least, known_by, given });
        }
    }
    Ok(newest.into_values().collect())
}

/// What is done again to a backup.
struct Again<'a> {
    restore: &'a Restore<'a>,
    crls: Vec<&'a LatestCrl>,
    backup: Standing,
    by: Principal,
    report: RestoreReport,
}

impl Again<'_> {
    fn apply(mut self, connection: &Connection) -> Result<RestoreReport, RestoreError> {
        let (restore, backup, crls) = (self.restore, self.backup.clone(), self.crls.clone());
        let differences = restore.heads.map(|heads| {
            let by = restore.loss_accepted_by;
            Differences::new(&backup, &heads.standing, &self.report.lost, by)
        });
        if let (Some(name), Some(differences)) = (restore.loss_accepted_by, &differences)
            && differences.acceptor_is_disabled(&registry::operators(connection)?)
        {
            return Err(RestoreError::AcceptorDisabled(name.to_owned()));
        }
        if let Some(heads) = restore.heads {
            self.run(connection, "rolledBackAgain", |transition, report| {
                listed::roll_back_again(transition, heads, report)
            })?;
        }
        for crl in &crls {
            self.run(connection, "revokedByLatestCrl", |transition, report| {
                take_number(transition, crl)?;
                listed::revoke_again(transition, crl, restore.heads, report)
            })?;
        }
        if let Some(heads) = restore.heads {
            self.run(connection, "revokedByExport", |transition, report| {
                listed::revoke_imported_again(transition, &heads.revoked, report)?;
                listed::stop_again(transition, heads, report)
            })?;
        }
        for crl in &crls {
            self.run(connection, "supersededByLatestCrl", |transition, report| {
                listed::supersede_again(transition, crl, report)
            })?;
        }
        if let Some(differences) = differences {
            self.run(connection, "closedByExport", |transition, report| {
                differences.apply(transition, report)
            })?;
        }
        let forgotten = forget_sessions(connection)?;
        self.run(connection, "restored", |transition, report| {
            let entry = transition.entry(Chain::Bank);
            entry.say("revokedAgain", report.revoked().len());
            entry.say("chainsWithLoss", report.lost.len());
            entry.say("sessionsForgotten", forgotten);
            entry.say("altered", report.altered());
            Ok(backup::unmark(transition.connection)?)
        })?;
        Ok(self.report)
    }

    fn run(
        &mut self,
        connection: &Connection,
        event: &'static str,
        change: impl FnOnce(&mut Transition<'_>, &mut RestoreReport) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let report = &mut self.report;
        run(connection, self.restore.now, event, self.by.clone(), |transition| {
            change(transition, report)
        })
    }
}

const NEXT: &str = "
    INSERT INTO crl (issuer, next) VALUES (?1, ?2)
    ON CONFLICT (issuer) DO UPDATE SET next = max(next, excluded.next)";
const NUMBER: &str = "UPDATE crl SET number = ?2, published = ?3, der = x'' WHERE issuer = ?1";

/// Goes on with the CRL's numbers. The CRL itself is not handed out any more: it may list what is
/// current now.
fn take_number(transition: &mut Transition<'_>, crl: &LatestCrl) -> Result<(), StoreError> {
    let number = i64::try_from(crl.number()).ok().filter(|number| *number < i64::MAX);
    let number =
        number.ok_or_else(|| StoreError::Corrupt("the CRL's number is too high".to_owned()))?;
    let published = Sql(crl.published());
    execute(transition.connection, NEXT, params![crl.issuer(), number + 1])?;
    execute(transition.connection, NUMBER, params![crl.issuer(), number, published])?;
    let issuer = base64url::encode(crl.issuer());
    transition.entry(Chain::Bank).change(Object::Crl, &issuer, "taken");
    Ok(())
}

/// Forgets every session: nobody knows which of them ended since the backup. Whoever has one logs on
/// again.
fn forget_sessions(connection: &Connection) -> Result<usize, StoreError> {
    Ok(connection.execute("DELETE FROM session", [])?)
}
