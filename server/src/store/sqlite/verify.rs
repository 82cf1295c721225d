//! Whether the audit is what was written, and the registry what the audit says (SPEC.md 14.3).
//!
//! Each record has the hash of the row of each object that it tells of. The newest hash of each is
//! kept in a temporary table, in a file, while the records go by: memory does not grow with the bank.
//! Then every row is looked up there.

use koshin_protocol::base64url;
use rusqlite::{Connection, Statement, params};

use super::{digest, heads, schema};
use crate::audit::{
    AuditRecord, Chain, Differs, Export, Finding, Hash, Head, Object, Tampered, Told, Verification,
    Verified,
};
use crate::store::StoreError;

const BEGIN: &str = "
    PRAGMA temp_store = FILE;
    DROP TABLE IF EXISTS temp.told;
    CREATE TEMP TABLE told (
        object  TEXT NOT NULL,
        id      TEXT NOT NULL,
        chain   BLOB NOT NULL,
        row     BLOB NOT NULL,
        PRIMARY KEY (object, id)
    ) WITHOUT ROWID;";
const RECORDS: &str = "SELECT sequence, record, hash FROM audit WHERE chain = ?1 ORDER BY sequence";
const TELL: &str = "
    INSERT INTO temp.told (object, id, chain, row) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (object, id) DO UPDATE SET chain = excluded.chain, row = excluded.row";
// Sessions are many and forgotten without a record; what was told of those is of no use.
const TELL_SESSION: &str = "
    INSERT INTO temp.told (object, id, chain, row)
    SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM session WHERE id = ?5)";
const OVER: &str = "DELETE FROM temp.told WHERE object = ?1 AND id = ?2";
const FOUND: &str = "DELETE FROM temp.told WHERE object = ?1 AND id = ?2 RETURNING chain, row";
const LEFT: &str = "SELECT id, chain FROM temp.told WHERE object = ?1 ORDER BY id";

/// Checks every chain, against the exported heads too, and then the registry, as all of it is at one
/// commit. What a broken chain tells is worth nothing: then the registry is not looked at.
pub(super) fn verify(
    connection: &Connection,
    exported: Option<&Export>,
) -> Result<Verified, StoreError> {
    connection.execute_batch(BEGIN)?;
    let snapshot = connection.unchecked_transaction()?;
    let mut verified = chains(&snapshot, exported)?;
    let behind = |finding: &Finding| matches!(finding, Finding::Chain(Tampered::Truncated { .. }));
    if verified.findings.iter().all(behind) {
        for object in Object::ALL {
            registry(&snapshot, object, &mut verified.findings)?;
        }
        dangling(&snapshot, &mut verified.findings)?;
        let schema = schema::differences(&snapshot)?.into_iter();
        verified.findings.extend(schema.map(|name| Differs::Schema { name }.into()));
    }
    snapshot.finish()?;
    connection.execute_batch("DROP TABLE IF EXISTS temp.told")?;
    Ok(verified)
}

fn chains(connection: &Connection, exported: Option<&Export>) -> Result<Verified, StoreError> {
    let mut chains: Vec<Chain> = heads(connection)?.into_iter().map(|head| head.chain).collect();
    chains.extend(exported.into_iter().flat_map(|export| &export.heads).map(|head| head.chain));
    chains.sort_unstable();
    chains.dedup();
    let mut verified = Verified::default();
    for chain in chains {
        let head = exported.and_then(|export| export.head(chain));
        match verify_chain(connection, chain, head)? {
            Ok(head) => verified.heads.extend(head),
            Err(tampered) => verified.findings.push(tampered.into()),
        }
    }
    Ok(verified)
}

fn verify_chain(
    connection: &Connection,
    chain: Chain,
    exported: Option<Head>,
) -> Result<Result<Option<Head>, Tampered>, StoreError> {
    let mut verification = Verification::new(chain, exported);
    let mut records = connection.prepare_cached(RECORDS)?;
    let mut rows = records.query([chain])?;
    while let Some(row) = rows.next()? {
        let record = AuditRecord {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            record: row.get(1)?,
            hash: row.get(2)?,
        };
        match verification.next(&record) {
            Ok(told) => told.iter().try_for_each(|told| tell(connection, chain, told))?,
            Err(tampered) => return Ok(Err(tampered)),
        }
    }
    Ok(verification.finish())
}

fn tell(connection: &Connection, chain: Chain, told: &Told) -> Result<(), StoreError> {
    let Told { object, id, row } = told;
    let object_word = object.word();
    match (object, row) {
        (Object::Session, Some(row)) => {
            let key = base64url::decode(id).unwrap_or_default();
            connection.prepare_cached(TELL_SESSION)?.execute(params![
                object_word,
                id,
                chain,
                row,
                key
            ])?
        }
        (_, Some(row)) => {
            connection.prepare_cached(TELL)?.execute(params![object_word, id, chain, row])?
        }
        (_, None) => connection.prepare_cached(OVER)?.execute(params![object_word, id])?,
    };
    Ok(())
}

/// Compares every row of a table with what was told of it.
fn registry(
    connection: &Connection,
    object: Object,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(digest::of_all(object))?;
    let mut rows = statement.query([])?;
    let mut found = connection.prepare(FOUND)?;
    while let Some(row) = rows.next()? {
        let (id, now) = digest::named(object, row)?;
        match take(&mut found, object, &id)? {
            Some((_, told)) if told == now => {}
            Some((chain, _)) => findings.push(Differs::Altered { chain, object, id }.into()),
            None => findings.push(Differs::Inserted { object, id }.into()),
        }
    }
    let mut left = connection.prepare(LEFT)?;
    let mut rows = left.query([object.word()])?;
    while let Some(row) = rows.next()? {
        let (id, chain) = (row.get(0)?, row.get(1)?);
        findings.push(Differs::Removed { chain, object, id }.into());
    }
    Ok(())
}

fn take(
    found: &mut Statement<'_>,
    object: Object,
    id: &str,
) -> Result<Option<(Chain, Hash)>, StoreError> {
    let mut rows = found.query(params![object.word(), id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let taken = (row.get(0)?, row.get(1)?);
    // A row that is returned is deleted when the statement has come to its end.
    while rows.next()?.is_some() {}
    Ok(Some(taken))
}

fn dangling(connection: &Connection, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        findings.push(Differs::Dangling { table: row.get(0)? }.into());
    }
    Ok(())
}
