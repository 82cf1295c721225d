//! What a row of the registry says, as one hash: each record of the audit has it of every object that
//! it tells of, and a verification compares it with the row.
//!
//! The hash of a subject covers its PIN's Argon2id hash. That tells nobody the PIN: the Argon2id hash
//! has a salt of 128 random bits, which are not in the audit, so that no guess can be tried against it.
//!
//! Left out is what changes without a record and decides nothing: leases and last uses of sessions. An
//! ended session decides nothing either, and every session is forgotten some time after its end.

use koshin_protocol::base64url;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};
use sha2::{Digest, Sha256};

use super::column::one;
use crate::audit::{Change, Hash, Object};
use crate::store::StoreError;

/// The state of a session that has not ended.
pub(super) const ACTIVE: &str = "active";

macro_rules! rows {
    ($($object:ident: $from:literal, $only:literal, $named:literal, $where:literal, $columns:literal;)*) => {
        /// The row of one object.
        fn of_one(object: Object) -> &'static str {
            match object {
                $(Object::$object =>
                    concat!("SELECT ", $columns, " FROM ", $from, " WHERE ", $where),)*
            }
        }

        /// Every row that decides anything: what names the object, then the same columns.
        pub(super) fn of_all(object: Object) -> &'static str {
            match object {
                $(Object::$object => concat!("SELECT ", $named, ", ", $columns, " FROM ", $from, " WHERE ", $only),)*
            }
        }
    };
}

rows! {
    Contract: "contract", "true", "id", "id = ?1", "id, name, disabled, created";
    Subject: "subject", "true", "id", "id = ?1",
        "id, contract, name, name_der, role, disabled, pin_hash, pin_attempts, pin_set, created";
    Certificate: "certificate", "true", "cert_id", "cert_id = ?1",
        "id, cert_id, issuer, serial, fingerprint, key, subject, from_order, not_before, not_after,
         state, deferrals, deferred_at, stored, der";
    Order: "orders", "true", "id", "id = ?1",
        "id, subject, replaces, reissue, key, key_store, environment, csr, created, entered, state,
         rollback, rollback_until, cause, failure, reserved_serial, reserved_tbs";
    Session: "session", "ended IS NULL", "id", "id = ?1",
        "id, certificate, subject, purpose, environment, created, idle, expires";
    Reissue: "reissue", "true", "id", "id = ?1",
        "id, subject, reason, enrollment_key, created, expires, state";
    Request: "reissue_request", "true", "id", "id = ?1",
        "id, subject, reason, form, maker, created, checker, approved, reissue";
    Operator: "operator", "true", "name", "name = ?1", "name, credential_hash, created, disabled";
    Revocation: "revocation", "true", "issuer, serial", "issuer = ?1 AND serial = ?2",
        "issuer, serial, revoked, cause, crl_reason, not_after";
    Crl: "crl", "number IS NOT NULL", "issuer", "issuer = ?1", "issuer, number, published, der";
}

/// The hash of the row of an object that was changed, which must be there; `None` of an ended session.
pub(super) fn digest(connection: &Connection, change: &Change) -> Result<Option<Hash>, StoreError> {
    let Change { object, id, state, .. } = change;
    let object = *object;
    if object == Object::Session && *state != ACTIVE {
        return Ok(None);
    }
    let missing = || StoreError::Corrupt(format!("{object} {id} is recorded, and not there"));
    let key = key(object, id).ok_or_else(missing)?;
    let row = one(connection, of_one(object), params_from_iter(key), |row| of_row(row, 0))?;
    row.map(Some).ok_or_else(missing)
}

/// The hash of the columns of a row from one of them on.
pub(super) fn of_row(row: &Row<'_>, from: usize) -> rusqlite::Result<Hash> {
    let mut hash = Sha256::new();
    for index in from..row.as_ref().column_count() {
        let value = row.get_ref(index)?;
        // Kind and length first, so that no two rows are the same octets.
        let (kind, octets): (u8, &[u8]) = match value {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(number) => {
                hash.update([1]);
                hash.update(number.to_be_bytes());
                continue;
            }
            ValueRef::Real(number) => {
                hash.update([2]);
                hash.update(number.to_be_bytes());
                continue;
            }
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(blob) => (4, blob),
        };
        hash.update([kind]);
        hash.update((octets.len() as u64).to_be_bytes());
        hash.update(octets);
    }
    Ok(Hash::from_bytes(hash.finalize().into()))
}

/// What finds the row of the object that a record calls `id`.
fn key(object: Object, id: &str) -> Option<Vec<Value>> {
    Some(match object {
        Object::Contract
        | Object::Subject
        | Object::Order
        | Object::Session
        | Object::Reissue
        | Object::Request
        | Object::Crl => vec![Value::Blob(base64url::decode(id).ok()?)],
        Object::Certificate | Object::Operator => vec![Value::Text(id.to_owned())],
        Object::Revocation => {
            let (issuer, serial) = id.split_once('.')?;
            let octets = |part| Some(Value::Blob(base64url::decode(part).ok()?));
            vec![octets(issuer)?, octets(serial)?]
        }
    })
}

/// What a record calls the object of a row of [`of_all`], and the row's hash.
pub(super) fn named(object: Object, row: &Row<'_>) -> rusqlite::Result<(String, Hash)> {
    Ok(match object {
        Object::Contract
        | Object::Subject
        | Object::Order
        | Object::Session
        | Object::Reissue
        | Object::Request
        | Object::Crl => (base64url::encode(&row.get::<_, Vec<u8>>(0)?), of_row(row, 1)?),
        Object::Certificate | Object::Operator => (row.get(0)?, of_row(row, 1)?),
        Object::Revocation => {
            let (issuer, serial): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            (certificate(&issuer, &serial), of_row(row, 2)?)
        }
    })
}

/// What a record calls a certificate that only a CRL knows: its certID.
pub(super) fn certificate(issuer: &[u8], serial: &[u8]) -> String {
    format!("{}.{}", base64url::encode(issuer), base64url::encode(serial))
}
