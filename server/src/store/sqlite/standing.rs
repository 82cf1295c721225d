//! The heads of the audit and what is out of the ordinary, read for an export, and of a backup to
//! compare it with an export.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use rusqlite::Connection;

use super::column::{Sql, all};
use super::{heads, revocation};
use crate::audit::{Export, PINS_KEPT, PublishedCrl, Standing};
use crate::store::StoreError;

const CRLS: &str = "SELECT issuer, number FROM crl WHERE number IS NOT NULL";
const CONTRACTS: &str =
    "SELECT id FROM contract AS listed INDEXED BY contract_is_disabled WHERE disabled = 1";
const SUBJECTS: &str =
    "SELECT id FROM subject AS listed INDEXED BY subject_is_disabled WHERE disabled = 1";
const OPERATORS: &str = "SELECT name FROM operator WHERE disabled IS NOT NULL ORDER BY name";
const LOCKED: &str =
    "SELECT id FROM subject AS listed INDEXED BY subject_is_locked WHERE pin_attempts = 5";
const PINS: &str = "SELECT id, pin_set FROM subject WHERE pin_set >= ?1";
// Those whose time is over, too: a clock that is wrong ends none of them.
const REISSUES: &str = "
    SELECT id FROM reissue AS listed INDEXED BY subject_has_one_open_reissue
    WHERE state IN ('pending', 'redeemed')";

// Few are revoked, many are superseded.
const STOPPED: &str = "
    SELECT DISTINCT old.cert_id FROM revocation AS listed
    CROSS JOIN certificate AS c ON c.issuer = listed.issuer AND c.serial = listed.serial
    CROSS JOIN certificate AS old ON old.subject = c.subject
    WHERE listed.not_after >= ?1 AND old.state = 'superseded' AND old.not_after >= ?1
      AND NOT EXISTS (SELECT 1 FROM certificate AS now WHERE now.subject = c.subject
                      AND now.state = 'current' AND now.not_after >= ?1)";
const ROLLED_BACK: &str = "
    SELECT c.cert_id FROM revocation AS listed
    CROSS JOIN certificate AS c ON c.issuer = listed.issuer AND c.serial = listed.serial
    CROSS JOIN orders AS o ON o.id = c.from_order
    WHERE listed.not_after >= ?1 AND o.state = 'rolledBack'";

/// An export, all of one commit if `connection` is in a transaction.
pub(super) fn export(connection: &Connection, now: Time) -> Result<Export, StoreError> {
    let mut heads = heads(connection)?;
    heads.sort_unstable_by_key(|head| head.chain);
    Ok(Export {
        time: now,
        heads,
        revoked: revocation::imported(connection, now)?,
        standing: read(connection, now)?,
    })
}

/// What is out of the ordinary.
pub(super) fn read(connection: &Connection, now: Time) -> Result<Standing, StoreError> {
    let pins_since = now.checked_sub(PINS_KEPT).unwrap_or(now);
    let cert_ids =
        |sql| all(connection, sql, [Sql(now)], |row| Ok(row.get::<_, Sql<CertId>>(0)?.0));
    let pins = all(connection, PINS, [Sql(pins_since)], |row| {
        Ok((row.get(0)?, row.get::<_, Sql<Time>>(1)?.0))
    })?;
    Ok(Standing {
        crls: all(connection, CRLS, [], |row| {
            let number = row.get::<_, i64>(1)?.unsigned_abs();
            Ok(PublishedCrl { issuer: row.get(0)?, number })
        })?,
        disabled_contracts: all(connection, CONTRACTS, [], |row| row.get(0))?,
        disabled_subjects: all(connection, SUBJECTS, [], |row| row.get(0))?,
        disabled_operators: all(connection, OPERATORS, [], |row| row.get(0))?,
        locked_pins: all(connection, LOCKED, [], |row| row.get(0))?,
        pins_since,
        pins_set: pins.into_iter().collect(),
        stopped: cert_ids(STOPPED)?,
        rolled_back: cert_ids(ROLLED_BACK)?,
        open_reissues: all(connection, REISSUES, [], |row| row.get(0))?,
    })
}
