//! What CRLs list, their numbers, and the newest one.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::statement::{Seconds, all, execute, integer, one};
use crate::store::StoreError;
use crate::store::crl::{CrlRow, ImportedRevocation, RevocationRow, SupersededRow};

const LISTED: &str = "
    SELECT serial, revoked, crl_reason, not_after FROM revocation
    WHERE issuer = ?1 AND (not_after IS NULL OR not_after >= ?2)";

/// What an issuer's CRL lists as revoked.
pub(super) fn revocations(
    connection: &Connection,
    issuer: &[u8],
    unexpired_at: Time,
) -> Result<Vec<RevocationRow>, StoreError> {
    all(connection, LISTED, params![issuer, Seconds(unexpired_at)], |row| {
        Ok(RevocationRow {
            serial: row.get(0)?,
            revoked_at: row.get::<_, Seconds>(1)?.0,
            crl_reason: row.get(2)?,
            not_after: row.get::<_, Option<Seconds>>(3)?.map(|time| time.0),
        })
    })
}

const IMPORTED: &str = "
    SELECT issuer, serial, revoked, crl_reason FROM revocation AS listed
    WHERE not_after >= ?1 AND issuer NOT IN (SELECT issuer FROM crl)";

/// What was revoked of the certificates of other CAs.
pub(super) fn imported_revocations(
    connection: &Connection,
    unexpired_at: Time,
) -> Result<Vec<ImportedRevocation>, StoreError> {
    let found = all(connection, IMPORTED, [Seconds(unexpired_at)], |row| {
        let (issuer, serial): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok(CertId::new(&issuer, &serial).map(|cert_id| (cert_id, row.get::<_, Seconds>(2), row.get(3))))
    })?;
    let read = found.into_iter().map(|found| {
        let (cert_id, revoked_at, crl_reason) = found
            .map_err(|error| StoreError::Corrupt(format!("a revocation of no certificate: {error}")))?;
        Ok(ImportedRevocation { cert_id, revoked_at: revoked_at?.0, crl_reason: crl_reason? })
    });
    read.collect()
}

// The last row of a certificate counts.
const SUPERSEDED: &str = "
    SELECT serial, since FROM superseded AS listed
    WHERE issuer = ?1 AND not_after >= ?2
      AND number = (SELECT max(number) FROM superseded WHERE issuer = listed.issuer AND serial = listed.serial)
      AND since IS NOT NULL AND (restorable IS NULL OR restorable < ?2)";

/// An issuer's certificates that are superseded and cannot be restored.
pub(super) fn superseded(
    connection: &Connection,
    issuer: &[u8],
    now: Time,
) -> Result<Vec<SupersededRow>, StoreError> {
    all(connection, SUPERSEDED, params![issuer, Seconds(now)], |row| {
        Ok(SupersededRow { serial: row.get(0)?, confirmed: row.get::<_, Seconds>(1)?.0 })
    })
}

const NEXT_NUMBER: &str = "
    INSERT INTO crl (issuer, next) VALUES (?1, 2)
    ON CONFLICT (issuer) DO UPDATE SET next = next + 1 RETURNING next - 1";
const PUBLISH: &str = "
    UPDATE crl SET number = ?2, published = ?3, der = ?4
    WHERE issuer = ?1 AND (number IS NULL OR number < ?2)";
const LATEST: &str =
    "SELECT number, published, der FROM crl WHERE issuer = ?1 AND number IS NOT NULL";

/// Takes the next CRL number of an issuer.
pub(super) fn next_number(connection: &Connection, issuer: &[u8]) -> Result<u64, StoreError> {
    let number: Option<i64> = one(connection, NEXT_NUMBER, [issuer], |row| row.get(0))?;
    let number = number.ok_or_else(|| StoreError::Corrupt("no CRL number came".to_owned()))?;
    Ok(number.unsigned_abs())
}

/// Keeps a CRL, unless a newer one is kept.
pub(super) fn publish(
    connection: &Connection,
    issuer: &[u8],
    crl: &CrlRow,
) -> Result<(), StoreError> {
    let values = params![issuer, integer(crl.number), Seconds(crl.published), crl.der];
    execute(connection, PUBLISH, values).map(drop)
}

/// The CRL to hand out.
pub(super) fn latest(
    connection: &Connection,
    issuer: &[u8],
) -> Result<Option<CrlRow>, StoreError> {
    one(connection, LATEST, [issuer], |row| {
        Ok(CrlRow {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            published: row.get::<_, Seconds>(1)?.0,
            der: row.get(2)?,
        })
    })
}
