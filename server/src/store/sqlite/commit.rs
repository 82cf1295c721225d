//! Writing a commit: first everything that could refuse it is looked at, then it is written, so that nothing of it has to
//! be undone.

use rusqlite::{Connection, params};

use super::audit::Records;
use super::name;
use super::statement::{Seconds, encode, execute, integer, one};
use crate::audit::Hash;
use crate::rule::Name;
use crate::rule::transition::Rows;
use crate::store::{Commit, Committed, Contract, Holds, Put, PutSubject, Request, StoreError};

const SUBJECT_VERSION: &str = "SELECT version FROM subject WHERE number = ?1";
const STAFF_VERSION: &str = "SELECT staff_version FROM bank";
const CONTRACT_VERSION: &str = "SELECT version FROM contract WHERE id = ?1";
const REQUEST_WAITS: &str = "SELECT 1 FROM request WHERE id = ?1 AND approved = 0";
const REQUEST: &str = "SELECT 1 FROM request WHERE id = ?1";
const TAKEN: &str = "SELECT 1 FROM name WHERE name = ?1";

/// Writes a commit, or says why not. After an error of its own the transaction is to be rolled back.
pub(super) fn write(
    connection: &Connection,
    commit: &Commit,
    records: &mut Records,
) -> Result<Committed, StoreError> {
    for holds in &commit.holds {
        if !does_hold(connection, holds)? {
            return Ok(Committed::Conflict);
        }
    }
    let mut entry = commit.entry.clone();
    match &commit.put {
        Put::Subject(put) => {
            if let Some(refused) = refuse_subject(connection, put)? {
                return Ok(refused);
            }
            let hash = put_subject(connection, put)?;
            entry.object("subject", &put.subject.id, put.expected + 1, hash);
            if let Some(request) = &put.approved {
                let hash = put_request(connection, request)?;
                entry.object("request", &request.id, 2, hash);
            }
        }
        Put::Contract { contract, expected } => {
            let found = one(connection, CONTRACT_VERSION, [contract.id], |row| row.get(0))?;
            if found.map_or(0, i64::unsigned_abs) != *expected {
                return Ok(Committed::Conflict);
            }
            put_contract(connection, contract, *expected)?;
            let hash = Hash::of(&encode(contract));
            entry.object("contract", &contract.id, expected + 1, hash);
        }
        Put::Staff { staff, expected } => {
            if !does_hold(connection, &Holds::Staff(*expected))? {
                return Ok(Committed::Conflict);
            }
            let bytes = encode(staff);
            execute(connection, PUT_STAFF, params![bytes, integer(expected + 1)])?;
            entry.object("staff", &"staff", expected + 1, Hash::of(&bytes));
        }
        Put::Request(request) => {
            if one(connection, REQUEST, [request.id], |row| row.get::<_, i64>(0))?.is_some() {
                return Ok(Committed::Conflict);
            }
            let hash = put_request(connection, request)?;
            entry.object("request", &request.id, 1, hash);
        }
        Put::Nothing => {}
    }
    records.add(&entry, commit.now);
    Ok(Committed::Done)
}

fn does_hold(connection: &Connection, holds: &Holds) -> Result<bool, StoreError> {
    let version = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    Ok(match holds {
        Holds::Subject { number, version: expected } => {
            one(connection, SUBJECT_VERSION, [integer(*number)], version)?
                == Some(integer(*expected))
        }
        Holds::Staff(expected) => {
            one(connection, STAFF_VERSION, [], version)? == Some(integer(*expected))
        }
        Holds::Contract(id) => one(connection, CONTRACT_VERSION, [id], version)?.is_some(),
    })
}

fn refuse_subject(
    connection: &Connection,
    put: &PutSubject,
) -> Result<Option<Committed>, StoreError> {
    let found = one(connection, SUBJECT_VERSION, [integer(put.number)], |row| row.get(0))?;
    if found.map_or(0, i64::unsigned_abs) != put.expected {
        return Ok(Some(Committed::Conflict));
    }
    if let Some(request) = &put.approved
        && one(connection, REQUEST_WAITS, [request.id], |row| row.get::<_, i64>(0))?.is_none()
    {
        return Ok(Some(Committed::Conflict));
    }
    for name in &put.rows.names {
        if is_taken(connection, name)? {
            return Ok(Some(Committed::Taken(name.clone())));
        }
    }
    Ok(None)
}

fn is_taken(connection: &Connection, name: &Name) -> Result<bool, StoreError> {
    Ok(one(connection, TAKEN, [name::bytes(name)], |row| row.get::<_, i64>(0))?.is_some())
}

const ADD_SUBJECT: &str =
    "INSERT INTO subject (number, version, contract, state) VALUES (?1, 1, ?2, ?3)";
const PUT_SUBJECT: &str = "UPDATE subject SET version = ?2, state = ?3 WHERE number = ?1";
const ADD_NAME: &str = "INSERT INTO name (name, subject) VALUES (?1, ?2)";
const ADD_CHAPTER: &str = "INSERT INTO chapter (number, subject, state) VALUES (?1, ?2, ?3)";
const WAITS: &str =
    "INSERT INTO waiting (subject, placed) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET placed = ?2";
const WAITS_NO_LONGER: &str = "DELETE FROM waiting WHERE subject = ?1";

/// The answer is the hash of the subject's new bytes.
fn put_subject(connection: &Connection, put: &PutSubject) -> Result<Hash, StoreError> {
    let bytes = encode(&put.subject);
    let number = integer(put.number);
    if put.expected == 0 {
        execute(connection, ADD_SUBJECT, params![number, put.subject.contract, bytes])?;
    } else {
        execute(connection, PUT_SUBJECT, params![number, integer(put.expected + 1), bytes])?;
    }
    if let Some((chapter, content)) = &put.chapter {
        execute(connection, ADD_CHAPTER, params![integer(*chapter), number, encode(content)])?;
    }
    for name in &put.rows.names {
        execute(connection, ADD_NAME, params![name::bytes(name), number])?;
    }
    match put.waiting {
        Some(Some(order)) => execute(connection, WAITS, params![number, order])?,
        Some(None) => execute(connection, WAITS_NO_LONGER, [number])?,
        None => 0,
    };
    add_rows(connection, number, &put.rows)?;
    Ok(Hash::of(&bytes))
}

const ADD_CERTIFICATE: &str =
    "INSERT INTO certificate (number, subject, der, csr) VALUES (?1, ?2, ?3, ?4)";
// What a CRL lists already stays as it was listed.
const ADD_REVOCATION: &str = "
    INSERT INTO revocation (issuer, serial, revoked, cause, crl_reason, not_after)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
const ADD_SUPERSEDED: &str = "
    INSERT INTO superseded (issuer, serial, not_after, since, restorable)
    VALUES (?1, ?2, ?3, ?4, ?5)";

fn add_rows(connection: &Connection, subject: i64, rows: &Rows) -> Result<(), StoreError> {
    for row in &rows.certificates {
        let values = params![integer(row.number), subject, &*row.der, row.csr];
        execute(connection, ADD_CERTIFICATE, values)?;
    }
    for row in &rows.revocations {
        let values = params![
            row.certificate.authority(),
            row.certificate.serial(),
            Seconds(row.revoked),
            row.cause.as_str(),
            row.cause.crl_reason(),
            Seconds(row.not_after)
        ];
        execute(connection, ADD_REVOCATION, values)?;
    }
    for row in &rows.superseded {
        let values = params![
            row.certificate.authority(),
            row.certificate.serial(),
            Seconds(row.not_after),
            row.since.map(Seconds),
            row.restorable.map(Seconds)
        ];
        execute(connection, ADD_SUPERSEDED, values)?;
    }
    Ok(())
}

const PUT_STAFF: &str = "UPDATE bank SET staff = ?1, staff_version = ?2";
const ADD_CONTRACT: &str = "
    INSERT INTO contract (id, version, name, disabled, created) VALUES (?1, 1, ?2, ?3, ?4)";
const PUT_CONTRACT: &str =
    "UPDATE contract SET version = ?2, name = ?3, disabled = ?4 WHERE id = ?1";

fn put_contract(
    connection: &Connection,
    contract: &Contract,
    expected: u64,
) -> Result<(), StoreError> {
    let Contract { id, name, disabled, created } = contract;
    if expected == 0 {
        execute(connection, ADD_CONTRACT, params![id, name, disabled, Seconds(*created)])?;
    } else {
        execute(connection, PUT_CONTRACT, params![id, integer(expected + 1), name, disabled])?;
    }
    Ok(())
}

const PUT_REQUEST: &str = "
    INSERT INTO request (id, created, approved, state) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT DO UPDATE SET approved = ?3, state = ?4";

fn put_request(connection: &Connection, request: &Request) -> Result<Hash, StoreError> {
    let bytes = encode(request);
    let approved = request.approved.is_some();
    execute(connection, PUT_REQUEST, params![request.id, Seconds(request.created), approved, bytes])?;
    Ok(Hash::of(&bytes))
}
