//! Going back to a backup without forgetting a revocation (SPEC.md 14).
//!
//! A backup is older than the bank. What it does not know: certificates revoked since, which the
//! newest CRL lists, and audit records written since, which an exported head counts. The first are
//! applied again, always. The second are lost, and an operator says by name that they are.

use std::path::{Path, PathBuf};

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{Certificate, Event};
use koshin_protocol::state::session;
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};
use thiserror::Error;

use super::column::{Sql, all, execute, one};
use super::read;
use super::revocation::{Cause, publish};
use super::transition::{Transition, run};
use super::{backup, heads, signer};
use crate::audit::{AuditRecord, Chain, Export, Head, Principal, Tampered, Verification};
use crate::id::{ContractId, SessionId};
use crate::latest_crl::LatestCrl;
use crate::rule::row::{CrlRow, ImportedRevocation, Reason};
use crate::store::{Failure, StoreError};

/// What to restore, and what of the time after the backup is at hand.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// The file that [`crate::store::Store::backup`] wrote.
    pub backup: &'a Path,
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

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// Certificates that the backup took for good and the CRL lists: revoked again.
    pub revoked: Vec<CertId>,
    /// How many entries of the CRLs are of certificates that the backup does not know.
    pub unknown: usize,
    /// The chains that the backup has fewer records of than were exported.
    pub lost: Vec<Lost>,
}

/// Records that were exported and that the backup does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Of this chain.
    pub chain: Chain,
    /// How many records there are.
    pub found: u64,
    /// How many there were.
    pub exported: u64,
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
    /// A CRL that the backup knows of was not given, or an older one was.
    #[error("give the newest CRL of every issuer: at least number {least} of one is missing")]
    CrlMissing {
        /// The issuer's key identifier.
        issuer: Vec<u8>,
        /// The number that the backup knows.
        least: u64,
    },
    /// Who accepted the loss is no enabled operator of the backup, or the store failed.
    #[error("{0:?}")]
    Failed(Failure),
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
    let mut name = restore.target.as_os_str().to_owned();
    name.push(".restoring");
    let scratch = PathBuf::from(name);
    std::fs::copy(restore.backup, &scratch).map_err(|error| file(restore.backup, &error))?;
    let report = apply(restore, &scratch);
    if report.is_err() {
        // What is left of a failed attempt is of no use to anybody.
        drop(std::fs::remove_file(&scratch));
        return report;
    }
    let folder = restore.target.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(&scratch)
        .and_then(|scratch| scratch.sync_all())
        .and_then(|()| std::fs::rename(&scratch, restore.target))
        .and_then(|()| std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| file(restore.target, &error))?;
    report
}

fn apply(restore: &Restore<'_>, scratch: &Path) -> Result<RestoreReport, RestoreError> {
    let mut connection = super::open(scratch)?;
    let findings = backup::integrity(&connection)?.findings;
    if !findings.is_empty() {
        return Err(RestoreError::Unsound(findings));
    }
    let lost = verify(&connection, restore.heads)?;
    let by = match (restore.loss_accepted_by, restore.heads, lost.as_slice()) {
        (Some(name), _, _) => {
            signer::operator(&connection, name)?;
            Principal::Operator(name.to_owned())
        }
        (None, Some(_), []) => Principal::Bank,
        (None, Some(_) | None, lost) => return Err(RestoreError::LossNotAccepted(lost.to_vec())),
    };
    let transaction = connection.transaction()?;
    for (issuer, least) in published(&transaction)? {
        let given = restore.crls.iter().any(|crl| crl.issuer() == issuer && crl.number() >= least);
        if !given {
            return Err(RestoreError::CrlMissing { issuer, least });
        }
    }
    let mut report = RestoreReport { revoked: Vec::new(), unknown: 0, lost };
    for crl in restore.crls {
        take_along(&transaction, crl, by.clone(), restore.now, &mut report)?;
    }
    let imported = restore.heads.map_or(&[][..], |heads| &heads.revoked);
    take_imported_along(&transaction, imported, by.clone(), restore.now, &mut report)?;
    run(&transaction, restore.now, "restored", by, |transition| {
        let entry = transition.entry(Chain::Bank);
        entry.say("revokedAgain", report.revoked.len());
        entry.say("chainsWithLoss", report.lost.len());
        end_sessions(transition)?;
        transition.connection.execute("DELETE FROM backup", []).map_err(StoreError::from)?;
        Ok(())
    })?;
    transaction.commit()?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(report)
}

/// Ends every session: nobody knows which of them ended since the backup.
fn end_sessions(transition: &mut Transition<'_>) -> Result<(), Failure> {
    let mut statement = transition
        .connection
        .prepare(
            "SELECT n.id, s.contract FROM session AS n JOIN subject AS s ON s.id = n.subject
             WHERE n.ended IS NULL",
        )
        .map_err(StoreError::from)?;
    let sessions: Vec<(SessionId, ContractId)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(StoreError::from)?;
    for (session, contract) in sessions {
        transition.end_session(contract, session, session::Reason::Absolute)?;
    }
    Ok(())
}

const PUBLISHED: &str = "SELECT issuer, number FROM crl WHERE number IS NOT NULL";

fn published(connection: &Connection) -> Result<Vec<(Vec<u8>, u64)>, StoreError> {
    all(connection, PUBLISHED, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))
}

const RECORDS: &str = "SELECT sequence, record, hash FROM audit WHERE chain = ?1 ORDER BY sequence";

/// Checks every chain of the database, and against the heads.
pub(super) fn verify(
    connection: &Connection,
    exported: Option<&Export>,
) -> Result<Vec<Lost>, RestoreError> {
    let mut chains: Vec<Chain> = heads(connection)?.into_iter().map(|head| head.chain).collect();
    let known = exported.map_or(&[][..], |export| &export.heads);
    chains.extend(known.iter().map(|head| head.chain));
    chains.sort_unstable();
    chains.dedup();
    let mut lost = Vec::new();
    for chain in chains {
        let head = exported.and_then(|export| export.head(chain));
        match verify_chain(connection, chain, head) {
            Ok(_) => {}
            Err(RestoreError::Tampered(Tampered::Truncated { chain, found, exported })) => {
                lost.push(Lost { chain, found, exported });
            }
            Err(other) => return Err(other),
        }
    }
    Ok(lost)
}

fn verify_chain(
    connection: &Connection,
    chain: Chain,
    exported: Option<Head>,
) -> Result<Option<Head>, RestoreError> {
    let mut verification = Verification::new(chain, exported);
    let mut statement = connection.prepare_cached(RECORDS)?;
    let mut rows = statement.query([chain])?;
    while let Some(row) = rows.next()? {
        verification.next(&AuditRecord {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            record: row.get(1)?,
            hash: row.get(2)?,
        })?;
    }
    Ok(verification.finish()?)
}

const BY_SERIAL: &str = "SELECT id FROM certificate WHERE issuer = ?1 AND serial = ?2";
const LIST: &str = "
    INSERT INTO revocation (issuer, serial, revoked, cause, crl_reason, not_after)
    VALUES (?1, ?2, ?3, 'listed', ?4,
            (SELECT not_after FROM certificate WHERE issuer = ?1 AND serial = ?2))
    ON CONFLICT DO NOTHING";
const NUMBER: &str = "
    INSERT INTO crl (issuer, next) VALUES (?1, ?2)
    ON CONFLICT (issuer) DO UPDATE SET next = max(next, excluded.next)";

fn take_along(
    connection: &Connection,
    crl: &LatestCrl,
    by: Principal,
    now: Time,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    let next = i64::try_from(crl.number().saturating_add(1))
        .map_err(|_| StoreError::Corrupt("the CRL's number is too high".to_owned()))?;
    run(connection, now, "revokedByLatestCrl", by, |transition| {
        for entry in crl.revoked() {
            let listed = Listed {
                issuer: crl.issuer(),
                serial: &entry.serial,
                revoked_at: entry.revoked_at,
                crl_reason: entry.crl_reason,
            };
            listed.apply(transition, report)?;
        }
        Ok(())
    })?;
    execute(connection, NUMBER, params![crl.issuer(), next])?;
    let row = CrlRow { number: crl.number(), published: crl.published(), der: crl.der().to_vec() };
    publish(connection, crl.issuer(), &row)
}

/// The same for imported certificates, which no CRL of this bank lists.
fn take_imported_along(
    connection: &Connection,
    revoked: &[ImportedRevocation],
    by: Principal,
    now: Time,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    run(connection, now, "revokedByExport", by, |transition| {
        for entry in revoked {
            let listed = Listed {
                issuer: &entry.cert_id.authority(),
                serial: &entry.cert_id.serial(),
                revoked_at: entry.revoked_at,
                crl_reason: entry.crl_reason,
            };
            listed.apply(transition, report)?;
        }
        Ok(())
    })
}

/// One revocation that was told of.
struct Listed<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
    revoked_at: Time,
    crl_reason: Option<u8>,
}

impl Listed<'_> {
    fn apply(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        let connection = transition.connection;
        // First, so that it is kept as it was listed, with its date.
        let values = params![self.issuer, self.serial, Sql(self.revoked_at), self.crl_reason];
        execute(connection, LIST, values)?;
        match one(connection, BY_SERIAL, params![self.issuer, self.serial], |row| row.get(0))? {
            Some(row) => self.revoke_again(transition, row, report)?,
            None => report.unknown += 1,
        }
        Ok(())
    }

    fn revoke_again(
        &self,
        transition: &mut Transition<'_>,
        row: i64,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        let there = read::holder_by_row(transition.connection, row)?.holder.certificate;
        match there.state {
            Certificate::Revoked | Certificate::Expired => Ok(()),
            Certificate::Unconfirmed | Certificate::Current | Certificate::Superseded => {
                let reason = match self.crl_reason {
                    Some(1) => Reason::KeyCompromise,
                    Some(3) => Reason::AffiliationChanged,
                    Some(5) => Reason::CessationOfOperation,
                    Some(_) | None => Reason::Unspecified,
                };
                transition.certificate_event(row, Event::Revoked, Cause::Asked(reason))?;
                report.revoked.push(there.cert_id);
                Ok(())
            }
        }
    }
}
