//! Reading rows. The same code reads on the readers' connections and inside a transition.

use std::sync::Arc;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Name;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::certificate::Certificate as CertificateState;
use koshin_protocol::time::{Period, Time};
use rusqlite::{Connection, Row, params};

use super::column::{Sql, all, one, order_state, reissue_state, rollback_right};
use super::touch::Touches;
use crate::store::id::{ContractId, Fingerprint, OrderId, ReissueId, SessionId, SubjectId};
use crate::store::row::{
    ActiveSession, CertificateRow, Holder, OpenOrder, OrderRow, Origin, PinState, Purpose, Reason,
    ReissueRow, Role, Rollback, RollbackRight, SubjectRow,
};
use crate::store::{PIN_ATTEMPTS, StoreError};

/// Columns of a certificate `c`.
macro_rules! certificate {
    () => {
        "c.id AS rowid, c.cert_id, c.fingerprint, c.key, c.subject, c.from_order, c.not_before,
         c.not_after, c.state, c.deferrals, c.deferred_at, c.der,
         (SELECT key_store FROM orders WHERE id = c.from_order) AS key_store"
    };
}

pub(super) use certificate;

/// Columns of a subject `s` with its contract `k`.
macro_rules! subject {
    () => {
        "s.id AS subject_id, s.contract, s.name, s.name_der, s.role,
         s.disabled OR k.disabled AS disabled, s.pin_hash IS NOT NULL AS has_pin, s.pin_attempts"
    };
}

/// A certificate `c`, whose it is, and the subject's open order `o`.
macro_rules! holder {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT ",
            certificate!(),
            ", ",
            subject!(),
            ", o.id AS open_order, o.key AS open_key",
            $from,
            " JOIN subject AS s ON s.id = c.subject
              JOIN contract AS k ON k.id = s.contract
              LEFT JOIN orders AS o
                  ON o.subject = c.subject AND o.state IN ('processing', 'valid') ",
            $where
        )
    };
}

const HOLDER_BY_FINGERPRINT: &str = holder!(" FROM certificate AS c", "WHERE c.fingerprint = ?1");
const HOLDER_BY_CERT_ID: &str = holder!(" FROM certificate AS c", "WHERE c.cert_id = ?1");
const HOLDER_BY_ROW: &str = holder!(" FROM certificate AS c", "WHERE c.id = ?1");
const SESSION: &str = holder!(
    ", n.purpose, n.created AS session_created, n.last_use, n.idle, n.expires
       FROM session AS n JOIN certificate AS c ON c.id = n.certificate",
    "WHERE n.id = ?1 AND n.ended IS NULL"
);

/// The certificate with this fingerprint.
pub(super) fn holder_by_fingerprint(
    connection: &Connection,
    fingerprint: Fingerprint,
) -> Result<Option<Held>, StoreError> {
    complete(connection, one(connection, HOLDER_BY_FINGERPRINT, [fingerprint], held)?)
}

/// The certificate with this certID.
pub(super) fn holder_by_cert_id(
    connection: &Connection,
    cert_id: &CertId,
) -> Result<Option<Held>, StoreError> {
    complete(connection, one(connection, HOLDER_BY_CERT_ID, [Sql(cert_id)], held)?)
}

/// The certificate in this row.
pub(super) fn holder_by_row(connection: &Connection, row: i64) -> Result<Held, StoreError> {
    complete(connection, one(connection, HOLDER_BY_ROW, [row], held)?)?
        .ok_or_else(|| StoreError::Corrupt(format!("certificate {row} is missing")))
}

/// A certificate with the row that it stands in.
pub(super) struct Held {
    pub(super) row: i64,
    pub(super) holder: Holder,
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    let open: Option<OrderId> = row.get("open_order")?;
    let order = match open {
        Some(id) => Some(OpenOrder { id, key: row.get::<_, Sql<Thumbprint>>("open_key")?.0 }),
        None => None,
    };
    Ok(Held {
        row: row.get("rowid")?,
        holder: Holder {
            certificate: certificate_row(row)?,
            subject: subject_row(row)?,
            successor: None,
            predecessor: None,
            order,
            rollback: None,
        },
    })
}

/// Adds what only replaced and revoked certificates have.
fn complete(connection: &Connection, held: Option<Held>) -> Result<Option<Held>, StoreError> {
    let Some(mut held) = held else { return Ok(None) };
    match held.holder.certificate.state {
        CertificateState::Superseded => {
            held.holder.successor = descendant(connection, held.row)?;
            held.holder.rollback = rollback(connection, held.row)?;
        }
        CertificateState::Revoked => {
            held.holder.predecessor = undone(connection, held.row)?;
        }
        CertificateState::Unconfirmed | CertificateState::Current => {}
    }
    Ok(Some(held))
}

const DESCENDANT: &str = "
    WITH RECURSIVE line (row, depth) AS (
        SELECT ?1, 0
        UNION ALL
        SELECT c.id, depth + 1
        FROM line
        JOIN orders AS o ON o.replaces = line.row AND o.state = 'completed'
        JOIN certificate AS c ON c.from_order = o.id
    )
    SELECT c.cert_id FROM line JOIN certificate AS c ON c.id = line.row
    WHERE depth > 0 ORDER BY depth DESC LIMIT 1";

const CURRENT: &str = "
    SELECT cert_id FROM certificate
    WHERE subject = (SELECT subject FROM certificate WHERE id = ?1) AND state = 'current'";

/// The subject's current certificate, or the newest that descends from this one (SES-07). A current one
/// that has expired is the newest, too: whatever superseded this one, it came last.
fn descendant(connection: &Connection, row: i64) -> Result<Option<CertId>, StoreError> {
    let read = |row: &Row<'_>| Ok(row.get::<_, Sql<CertId>>(0)?.0);
    match one(connection, CURRENT, [row], read)? {
        Some(current) => Ok(Some(current)),
        None => one(connection, DESCENDANT, [row], read),
    }
}

const ROLLBACK: &str = "
    SELECT id, key, rollback, rollback_until FROM orders
    WHERE replaces = ?1 AND state IN ('completed', 'rolledBack')
    ORDER BY state = 'completed' DESC, entered DESC LIMIT 1";

fn rollback(connection: &Connection, row: i64) -> Result<Option<Rollback>, StoreError> {
    one(connection, ROLLBACK, [row], |row| {
        Ok(Rollback {
            order: row.get("id")?,
            key: row.get::<_, Sql<Thumbprint>>("key")?.0,
            right: match row.get::<_, Option<String>>("rollback")? {
                Some(_) => rollback_right(row)?,
                None => RollbackRight::Ended,
            },
        })
    })
}

const UNDONE: &str = "
    SELECT p.cert_id, p.not_after FROM certificate AS c
    JOIN orders AS o ON o.id = c.from_order
    JOIN certificate AS p ON p.id = o.replaces
    WHERE c.id = ?1 AND o.state IN ('canceled', 'rolledBack') AND p.state = 'current'";

/// The certificate to go back to and its notAfter, where a cancel or a rollback revoked this one.
fn undone(connection: &Connection, row: i64) -> Result<Option<(CertId, Time)>, StoreError> {
    one(connection, UNDONE, [row], |row| {
        Ok((row.get::<_, Sql<CertId>>(0)?.0, row.get::<_, Sql<Time>>(1)?.0))
    })
}

pub(super) fn certificate_row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        cert_id: row.get::<_, Sql<CertId>>("cert_id")?.0,
        fingerprint: row.get("fingerprint")?,
        subject: row.get("subject")?,
        order: row.get("from_order")?,
        key: row.get::<_, Sql<Thumbprint>>("key")?.0,
        key_store: row.get("key_store")?,
        not_before: row.get::<_, Sql<Time>>("not_before")?.0,
        not_after: row.get::<_, Sql<Time>>("not_after")?.0,
        state: row.get::<_, Sql<CertificateState>>("state")?.0,
        deferrals: row.get("deferrals")?,
        deferred_at: row.get::<_, Option<Sql<Time>>>("deferred_at")?.map(|time| time.0),
        der: Arc::from(row.get_ref("der")?.as_blob()?),
    })
}

pub(super) fn subject_row(row: &Row<'_>) -> rusqlite::Result<SubjectRow> {
    let attempts: u32 = row.get("pin_attempts")?;
    let pin = match row.get("has_pin")? {
        false => PinState::None,
        true if attempts >= PIN_ATTEMPTS => PinState::Locked,
        true => PinState::Set,
    };
    Ok(SubjectRow {
        id: row.get("subject_id")?,
        contract: row.get("contract")?,
        name: row.get("name")?,
        name_der: row.get("name_der")?,
        role: row.get::<_, Sql<Role>>("role")?.0,
        pin,
        disabled: row.get("disabled")?,
    })
}

/// The session that has not ended, and the row of its certificate. Nobody has looked at the time yet.
pub(super) fn session(
    connection: &Connection,
    id: SessionId,
    touches: &Touches,
) -> Result<Option<(ActiveSession, i64)>, StoreError> {
    let read = |row: &Row<'_>| {
        let held = held(row)?;
        let session = (
            row.get::<_, Sql<Purpose>>("purpose")?.0,
            row.get::<_, Sql<Time>>("session_created")?.0,
            row.get::<_, Sql<Time>>("last_use")?.0,
            row.get::<_, Sql<Period>>("idle")?.0,
            row.get::<_, Sql<Time>>("expires")?.0,
        );
        Ok((held, session))
    };
    let Some((held, (purpose, created, last_use, idle, expires))) =
        one(connection, SESSION, [id], read)?
    else {
        return Ok(None);
    };
    let Some(Held { row, mut holder }) = complete(connection, Some(held))? else {
        return Ok(None);
    };
    // Whose renewal was rolled back is current again, and its session still the one that did it.
    if purpose == Purpose::Recovery && holder.rollback.is_none() {
        holder.rollback = rollback(connection, row)?;
    }
    let last_use = touches.get(id).map_or(last_use, |touched| last_use.max(touched));
    let session = ActiveSession { id, purpose, created, last_use, idle, expires, holder };
    Ok(Some((session, row)))
}

/// An order `o` with its subject, predecessor `p` and certificate `c`.
macro_rules! order {
    ($where:literal) => {
        concat!(
            "SELECT o.id AS order_id, o.subject AS order_subject, s.role AS order_role,
                    s.contract, o.reissue,
                    o.key AS order_key, o.key_store AS order_key_store, o.csr, o.created, o.entered,
                    o.state AS order_state, o.rollback, o.rollback_until, o.cause,
                    o.reserved_serial, o.reserved_tbs, s.name_der,
                    p.cert_id AS replaces_id, p.not_after AS replaces_not_after, ",
            certificate!(),
            " FROM orders AS o
              JOIN subject AS s ON s.id = o.subject
              LEFT JOIN certificate AS p ON p.id = o.replaces
              LEFT JOIN certificate AS c ON c.from_order = o.id ",
            $where
        )
    };
}

const ORDER: &str = order!("WHERE o.id = ?1");
const ORDER_BY_KEY: &str = order!("WHERE o.key = ?1");
pub(super) const ORDERS_TO_ISSUE: &str =
    order!("WHERE o.state = 'processing' AND o.lease < ?1 ORDER BY o.lease LIMIT ?2");

/// The order with this id.
pub(super) fn order(connection: &Connection, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
    one(connection, ORDER, [id], order_row)
}

/// The order whose CSR has this key.
pub(super) fn order_by_key(
    connection: &Connection,
    key: Thumbprint,
) -> Result<Option<OrderRow>, StoreError> {
    one(connection, ORDER_BY_KEY, [Sql(key)], order_row)
}

/// An order that was just written.
pub(super) fn order_that_is(connection: &Connection, id: OrderId) -> Result<OrderRow, StoreError> {
    order(connection, id)?.ok_or_else(|| StoreError::Corrupt(format!("order {id} is missing")))
}

pub(super) fn order_row(row: &Row<'_>) -> rusqlite::Result<OrderRow> {
    let origin = match row.get::<_, Option<ReissueId>>("reissue")? {
        Some(reissue) => Origin::Enrollment { reissue },
        None => Origin::Renewal {
            replaces: row.get::<_, Sql<CertId>>("replaces_id")?.0,
            not_after: row.get::<_, Sql<Time>>("replaces_not_after")?.0,
        },
    };
    let certificate = match row.get::<_, Option<i64>>("rowid")? {
        Some(_) => Some(certificate_row(row)?),
        None => None,
    };
    Ok(OrderRow {
        id: row.get("order_id")?,
        origin,
        subject: row.get("order_subject")?,
        role: row.get::<_, Sql<Role>>("order_role")?.0,
        contract: row.get("contract")?,
        key_store: row.get("order_key_store")?,
        key: row.get::<_, Sql<Thumbprint>>("order_key")?.0,
        csr: Arc::from(row.get_ref("csr")?.as_blob()?),
        created: row.get::<_, Sql<Time>>("created")?.0,
        entered: row.get::<_, Sql<Time>>("entered")?.0,
        state: order_state(row)?,
        certificate,
    })
}

macro_rules! subjects {
    ($where:literal) => {
        concat!(
            "SELECT ",
            subject!(),
            " FROM subject AS s JOIN contract AS k ON k.id = s.contract ",
            $where
        )
    };
}

pub(super) use {subject, subjects};

const SUBJECT: &str = subjects!("WHERE s.id = ?1");
const SUBJECT_BY_NAME: &str = subjects!("WHERE s.name = ?1");

/// The subject with this id.
pub(super) fn subject(
    connection: &Connection,
    id: SubjectId,
) -> Result<Option<SubjectRow>, StoreError> {
    one(connection, SUBJECT, [id], subject_row)
}

/// The subject whose name equals this one (NAM-05).
pub(super) fn subject_by_name(
    connection: &Connection,
    name: &Name,
) -> Result<Option<SubjectRow>, StoreError> {
    one(connection, SUBJECT_BY_NAME, [name.as_str()], subject_row)
}

const REISSUE: &str = "
    SELECT r.id, r.subject, s.contract, s.name, s.role, r.reason, r.enrollment_key,
           r.created, r.expires, r.state, o.id AS order_id
    FROM reissue AS r
    JOIN subject AS s ON s.id = r.subject
    LEFT JOIN orders AS o ON o.reissue = r.id
    WHERE r.id = ?1";

/// The reissue with this id.
pub(super) fn reissue(
    connection: &Connection,
    id: ReissueId,
) -> Result<Option<ReissueRow>, StoreError> {
    one(connection, REISSUE, params![id], |row| {
        Ok(ReissueRow {
            id: row.get("id")?,
            subject: row.get("subject")?,
            contract: row.get("contract")?,
            subject_name: row.get("name")?,
            role: row.get::<_, Sql<Role>>("role")?.0,
            reason: row.get::<_, Sql<Reason>>("reason")?.0,
            enrollment_key: row.get("enrollment_key")?,
            created: row.get::<_, Sql<Time>>("created")?.0,
            expires: row.get::<_, Sql<Time>>("expires")?.0,
            state: reissue_state(row)?,
            order: row.get("order_id")?,
        })
    })
}
