//! What the newest CRL and the exported heads say of certificates, applied to a backup.
//!
//! A revocation stands, whatever else. An entry `superseded` is another matter: it says that the
//! holder had a newer certificate, and if the backup does not know that one, the entry would take the
//! last that the bank has of its holder (SPEC.md 14.4).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::state::certificate::{Certificate, Event};
use koshin_protocol::state::order::{self, Completed, Finality, Offer, Order, RollbackRight};
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::report::{NamedCertificate, NamedSubject, Note, RestoreReport};
use crate::audit::{Chain, Export, Object};
use crate::store::Failure;
use crate::store::StoreError;
use crate::store::id::OrderId;
use crate::store::latest_crl::LatestCrl;
use crate::store::row::{ImportedRevocation, Reason, RevocationRow};
use crate::store::sqlite::column::{Sql, execute, one};
use crate::store::sqlite::digest;
use crate::store::sqlite::read;
use crate::store::sqlite::revocation::Cause;
use crate::store::sqlite::transition::Transition;

/// `CRLReason` of a certificate that a newer one took the place of (RFC 5280 5.3.1).
const SUPERSEDED: u8 = 4;

const BY_SERIAL: &str = "SELECT id FROM certificate WHERE issuer = ?1 AND serial = ?2";
const BY_CERT_ID: &str = "SELECT id FROM certificate WHERE cert_id = ?1";
const RESERVED: &str = "SELECT id FROM orders WHERE reserved_serial = ?1 AND state = 'processing'";
const LIST: &str = "
    INSERT INTO revocation (issuer, serial, revoked, cause, crl_reason, not_after)
    VALUES (?1, ?2, ?3, 'listed', ?4,
            (SELECT not_after FROM certificate WHERE issuer = ?1 AND serial = ?2))
    ON CONFLICT DO NOTHING";
const OPEN_ORDER: &str =
    "SELECT id FROM orders WHERE replaces = ?1 AND state IN ('processing', 'valid')";
const COMPLETED_ORDER: &str = "SELECT id FROM orders WHERE replaces = ?1 AND state = 'completed'";
const CONFIRMED_BEFORE: &str = "UPDATE orders SET entered = min(entered, ?2) WHERE id = ?1";
const USABLE: &str = "
    SELECT 1 FROM certificate WHERE subject = ?1 AND state IN ('current', 'unconfirmed') LIMIT 1";

/// Rolls back again what was rolled back after the backup; before anything is revoked, since the
/// revocation of the successor would end the right to.
pub(super) fn roll_back_again(
    transition: &mut Transition<'_>,
    heads: &Export,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    for successor in &heads.standing.rolled_back {
        let Some(row) = row_of(transition.connection, successor)? else { continue };
        let Some(order) = transition.certificate(row)?.from_order else { continue };
        let line = transition.order(order)?;
        if let Order::Completed(Completed { rollback: RollbackRight::Until(until) }) = line.state
            && let Some(predecessor) = line.replaces
        {
            // It was done in time, whatever time it is now.
            transition.order_event(order, order::Event::Rollback { now: until })?;
            report.notes.push(Note::RolledBack(named(transition, predecessor)?));
        }
    }
    Ok(())
}

/// Revokes again what the CRL lists for good.
pub(super) fn revoke_again(
    transition: &mut Transition<'_>,
    crl: &LatestCrl,
    heads: Option<&Export>,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    for entry in crl.revoked().iter().filter(|entry| entry.crl_reason != Some(SUPERSEDED)) {
        if list(transition, crl.issuer(), entry, report)? {
            continue;
        }
        report.unknown += 1;
        if heads.is_none_or(|heads| entry.revoked_at >= heads.time)
            && let Ok(certificate) = CertId::new(crl.issuer(), &entry.serial)
        {
            report.notes.push(Note::RevokedUnknown { certificate });
        }
        // The certificate of an order that was still to be issued then: it must not be issued again.
        let order: Option<OrderId> =
            one(transition.connection, RESERVED, [&entry.serial], |row| row.get(0))?;
        if let Some(order) = order {
            transition.order_event(order, order::Event::IssueFailed)?;
        }
    }
    Ok(())
}

/// The same for imported certificates, which no CRL of this bank lists.
pub(super) fn revoke_imported_again(
    transition: &mut Transition<'_>,
    revoked: &[ImportedRevocation],
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    for entry in revoked {
        let row = RevocationRow {
            serial: entry.cert_id.serial(),
            revoked_at: entry.revoked_at,
            crl_reason: entry.crl_reason,
            not_after: None,
            listed_from: 0,
        };
        if !list(transition, &entry.cert_id.authority(), &row, report)? {
            report.unknown += 1;
        }
    }
    Ok(())
}

/// Has the CRL list it, and revokes it if the backup took it for good; `false` if the backup does not
/// know it.
fn list(
    transition: &mut Transition<'_>,
    issuer: &[u8],
    entry: &RevocationRow,
    report: &mut RestoreReport,
) -> Result<bool, Failure> {
    let row =
        one(transition.connection, BY_SERIAL, params![issuer, entry.serial], |row| row.get(0))?;
    let Some(row) = row else {
        keep_listed(transition, Chain::Bank, issuer, entry)?;
        return Ok(false);
    };
    let line = transition.certificate(row)?;
    // First, so that it is kept as it was listed.
    keep_listed(transition, Chain::Contract(line.contract), issuer, entry)?;
    let there = line.state;
    let reason = match entry.crl_reason {
        Some(1) => Reason::KeyCompromise,
        Some(3) => Reason::AffiliationChanged,
        Some(5) => Reason::CessationOfOperation,
        Some(_) | None => Reason::Unspecified,
    };
    match there {
        Certificate::Revoked => {}
        Certificate::Unconfirmed | Certificate::Current | Certificate::Superseded => {
            transition.certificate_event(row, Event::Revoked, Cause::Asked(reason))?;
            let revoked = named(transition, row)?;
            let last = there != Certificate::Superseded && has_none(transition, &revoked)?;
            report.notes.push(Note::RevokedAgain { revoked, last });
        }
    }
    Ok(true)
}

/// Has the CRL list what it listed, with its date.
fn keep_listed(
    transition: &mut Transition<'_>,
    chain: Chain,
    issuer: &[u8],
    entry: &RevocationRow,
) -> Result<(), StoreError> {
    let values = params![issuer, entry.serial, Sql(entry.revoked_at), entry.crl_reason];
    if execute(transition.connection, LIST, values)? > 0 {
        let certificate = digest::certificate(issuer, &entry.serial);
        transition.entry(chain).change(Object::Revocation, &certificate, "listed");
    }
    Ok(())
}

fn has_none(
    transition: &Transition<'_>,
    certificate: &NamedCertificate,
) -> Result<bool, StoreError> {
    let usable: Option<i64> =
        one(transition.connection, USABLE, [certificate.subject.subject], |row| row.get(0))?;
    Ok(usable.is_none())
}

/// Revokes what must not come back: the predecessors of certificates that were revoked when their
/// subjects had no other.
pub(super) fn stop_again(
    transition: &mut Transition<'_>,
    heads: &Export,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    for stopped in &heads.standing.stopped {
        let Some(row) = row_of(transition.connection, stopped)? else { continue };
        match transition.certificate(row)?.state {
            Certificate::Unconfirmed | Certificate::Current => {
                let cause = Cause::Asked(Reason::CessationOfOperation);
                transition.certificate_event(row, Event::Revoked, cause)?;
                report.notes.push(Note::Stopped(named(transition, row)?));
            }
            Certificate::Superseded | Certificate::Revoked => {}
        }
    }
    Ok(())
}

/// Looks what the CRL's superseded certificates are to the backup.
pub(super) fn supersede_again(
    transition: &mut Transition<'_>,
    crl: &LatestCrl,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    for entry in crl.revoked().iter().filter(|entry| entry.crl_reason == Some(SUPERSEDED)) {
        let connection = transition.connection;
        let row =
            one(connection, BY_SERIAL, params![crl.issuer(), entry.serial], |row| row.get(0))?;
        let Some(row) = row else {
            // To be issued still, with the same octets: then it is known.
            let to_be_issued: Option<OrderId> =
                one(connection, RESERVED, [&entry.serial], |row| row.get(0))?;
            if to_be_issued.is_none() {
                report.unknown += 1;
                keep_listed(transition, Chain::Bank, crl.issuer(), entry)?;
            }
            continue;
        };
        let certificate = transition.certificate(row)?;
        match (certificate.state, certificate.from_order) {
            // Only what was confirmed can be superseded.
            (Certificate::Unconfirmed, Some(own)) => {
                complete(transition, own, entry.revoked_at, report)?;
                leave_current(transition, row, report)?;
            }
            (Certificate::Current, _) => {
                let open = one(transition.connection, OPEN_ORDER, [row], |row| row.get(0))?;
                match open.map(|open| transition.order(open)).transpose()? {
                    Some(open) if matches!(open.state, Order::Valid(_)) => {
                        complete(transition, open.id, entry.revoked_at, report)?;
                    }
                    Some(_) | None => leave_current(transition, row, report)?,
                }
            }
            (Certificate::Superseded, _) => end_right(transition, row)?,
            (Certificate::Unconfirmed, None) | (Certificate::Revoked, _) => {}
        }
    }
    Ok(())
}

/// Completes an order that was confirmed after the backup.
fn complete(
    transition: &mut Transition<'_>,
    order: OrderId,
    listed: Time,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    // The CRL lists nothing that can be rolled back (CRL-07).
    let event = order::Event::Confirm { finality: Finality::Final, offer: Offer::Disabled };
    transition.order_event(order, event)?;
    // So that the predecessor is not off the list for longer than policy's grace lasts.
    execute(transition.connection, CONFIRMED_BEFORE, params![order, Sql(listed)])?;
    if let Some(successor) = transition.order(order)?.certificate {
        report.notes.push(Note::Confirmed(named(transition, successor)?));
    }
    Ok(())
}

fn leave_current(
    transition: &mut Transition<'_>,
    row: i64,
    report: &mut RestoreReport,
) -> Result<(), Failure> {
    let line = transition.certificate(row)?;
    transition.changed(line.contract, Object::Certificate, &line.cert_id, "current");
    report.notes.push(Note::LeftCurrent(named(transition, row)?));
    Ok(())
}

/// The right to roll back had ended when the CRL listed its certificate (CRL-07).
fn end_right(transition: &mut Transition<'_>, row: i64) -> Result<(), Failure> {
    let order: Option<OrderId> =
        one(transition.connection, COMPLETED_ORDER, [row], |row| row.get(0))?;
    let Some(order) = order else { return Ok(()) };
    transition.order_event(order, order::Event::FirstUse { offer: Offer::Disabled }).map(drop)
}

fn row_of(connection: &Connection, certificate: &CertId) -> Result<Option<i64>, StoreError> {
    one(connection, BY_CERT_ID, [Sql(certificate)], |row| row.get(0))
}

fn named(transition: &Transition<'_>, row: i64) -> Result<NamedCertificate, StoreError> {
    let holder = read::holder_by_row(transition.connection, row)?.holder;
    let subject = NamedSubject { subject: holder.subject.id, name: holder.subject.name };
    Ok(NamedCertificate { certificate: holder.certificate.cert_id, subject })
}
