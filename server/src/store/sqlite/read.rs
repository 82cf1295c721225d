//! Reading subjects and what belongs to them.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::name;
use super::statement::{Seconds, all, decode, integer, one};
use crate::id::{ContractId, OrderId, RequestId};
use crate::rule::Known;
use crate::rule::subject::{Chapter, Subject};
use crate::store::{By, Contract, Loaded, Request, Staff, StoreError};

const BY_NUMBER: &str = "
    SELECT s.number, s.version, s.state, k.disabled
    FROM subject AS s JOIN contract AS k ON k.id = s.contract WHERE s.number = ?1";
const BY_NAME: &str = "
    SELECT s.number, s.version, s.state, k.disabled
    FROM name AS n JOIN subject AS s ON s.number = n.subject
    JOIN contract AS k ON k.id = s.contract WHERE n.name = ?1";
const OF_CONTRACT: &str = "
    SELECT s.number, s.version, s.state, k.disabled
    FROM subject AS s JOIN contract AS k ON k.id = s.contract
    WHERE s.contract = ?1 AND s.number > ?2 ORDER BY s.number LIMIT ?3";

/// A subject.
pub(super) fn load(connection: &Connection, by: &By) -> Result<Option<Loaded>, StoreError> {
    let found = match by {
        By::Number(number) => one(connection, BY_NUMBER, [integer(*number)], loaded)?,
        By::Name(name) => one(connection, BY_NAME, [name::bytes(name)], loaded)?,
    };
    found.transpose()
}

/// The subjects of a contract.
pub(super) fn subjects(
    connection: &Connection,
    contract: ContractId,
    after: u64,
    limit: u32,
) -> Result<Vec<Loaded>, StoreError> {
    let found = all(connection, OF_CONTRACT, params![contract, integer(after), limit], loaded)?;
    found.into_iter().collect()
}

fn loaded(row: &Row<'_>) -> rusqlite::Result<Result<Loaded, StoreError>> {
    let (number, version): (i64, i64) = (row.get(0)?, row.get(1)?);
    let contract_disabled = row.get(3)?;
    Ok(decode::<Subject>(row.get_ref(2)?.as_blob()?).map(|subject| Loaded {
        number: number.unsigned_abs(),
        version: version.unsigned_abs(),
        known: Known { subject, contract_disabled },
    }))
}

const WAITING: &str = "SELECT subject, placed FROM waiting LIMIT ?1";

/// Subjects with an order to be issued.
pub(super) fn waiting(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<(u64, OrderId)>, StoreError> {
    all(connection, WAITING, [limit], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?))
    })
}

const CHAPTER: &str = "SELECT state FROM chapter WHERE number = ?1";

/// A chapter of a subject.
pub(super) fn chapter(
    connection: &Connection,
    number: u64,
) -> Result<Option<Chapter>, StoreError> {
    let read = |row: &Row<'_>| Ok(decode(row.get_ref(0)?.as_blob()?));
    one(connection, CHAPTER, [integer(number)], read)?.transpose()
}

const CERTIFICATE: &str = "SELECT der FROM certificate WHERE number = ?1";

/// The DER of a certificate.
pub(super) fn certificate(
    connection: &Connection,
    number: u64,
) -> Result<Option<Arc<[u8]>>, StoreError> {
    one(connection, CERTIFICATE, [integer(number)], |row| Ok(row.get_ref(0)?.as_blob()?.into()))
}

const CONTRACT: &str = "SELECT name, disabled, created, version, id FROM contract WHERE id = ?1";
const CONTRACTS: &str = "
    SELECT name, disabled, created, (SELECT count(*) FROM subject WHERE contract = listed.id), id
    FROM contract AS listed ORDER BY name, id";

fn contract_row(row: &Row<'_>) -> rusqlite::Result<(Contract, u64)> {
    let contract = Contract {
        id: row.get(4)?,
        name: row.get(0)?,
        disabled: row.get(1)?,
        created: row.get::<_, Seconds>(2)?.0,
    };
    Ok((contract, row.get::<_, i64>(3)?.unsigned_abs()))
}

/// A contract with its version.
pub(super) fn contract(
    connection: &Connection,
    id: ContractId,
) -> Result<Option<(Contract, u64)>, StoreError> {
    one(connection, CONTRACT, [id], contract_row)
}

/// Every contract with how many subjects it has.
pub(super) fn contracts(connection: &Connection) -> Result<Vec<(Contract, u64)>, StoreError> {
    all(connection, CONTRACTS, [], contract_row)
}

const STAFF: &str = "SELECT staff, staff_version FROM bank";

/// The operators.
pub(super) fn staff(connection: &Connection) -> Result<(Staff, u64), StoreError> {
    let read = |row: &Row<'_>| {
        let staff = decode(row.get_ref(0)?.as_blob()?);
        Ok(staff.map(|staff| (staff, 0)).map(|(staff, _)| (staff, row.get::<_, i64>(1))))
    };
    let found = one(connection, STAFF, [], read)?;
    let (staff, version) =
        found.ok_or_else(|| StoreError::Corrupt("the bank's own row is missing".to_owned()))??;
    Ok((staff, version?.unsigned_abs()))
}

const REQUEST: &str = "SELECT state FROM request WHERE id = ?1";
const REQUESTS: &str = "SELECT state FROM request WHERE approved = 0 ORDER BY created";

/// A request.
pub(super) fn request(
    connection: &Connection,
    id: RequestId,
) -> Result<Option<Request>, StoreError> {
    one(connection, REQUEST, [id], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))?.transpose()
}

/// The requests that wait for a checker.
pub(super) fn requests(connection: &Connection) -> Result<Vec<Request>, StoreError> {
    let found = all(connection, REQUESTS, [], |row| Ok(decode(row.get_ref(0)?.as_blob()?)))?;
    found.into_iter().collect()
}
