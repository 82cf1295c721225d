//! The audit's one chain of a file: a row for each group of commits.

use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::statement::{all, execute, integer, one};
use crate::audit::{AuditRecord, Chain, Entry, Hash, Head, Record};
use crate::store::StoreError;

/// The records of a group of commits, which are written as one row.
#[derive(Default)]
pub(super) struct Records(Record);

impl Records {
    /// Adds what one commit says.
    pub(super) fn add(&mut self, entry: &Entry, now: Time) {
        self.0.add(entry, now);
    }

    /// Writes the row, if there is anything to say.
    pub(super) fn write(self, connection: &Connection) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let newest = newest(connection)?;
        let (sequence, previous) = newest.map_or((0, Hash::NONE), |head| (head.sequence, head.hash));
        let sequence = sequence + 1;
        let record = self.0.at(Chain::Bank, sequence, previous);
        let hash = Hash::of(&record);
        execute(connection, APPEND, params![integer(sequence), record, hash])?;
        Ok(())
    }
}

const NEWEST: &str = "SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1";
const APPEND: &str = "INSERT INTO audit (sequence, record, hash) VALUES (?1, ?2, ?3)";
const RECORDS: &str =
    "SELECT sequence, record, hash FROM audit WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

/// The newest record.
pub(super) fn newest(connection: &Connection) -> Result<Option<Head>, StoreError> {
    one(connection, NEWEST, [], |row| {
        Ok(Head {
            chain: Chain::Bank,
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            hash: row.get(1)?,
        })
    })
}

/// Records in order.
pub(super) fn records(
    connection: &Connection,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRecord>, StoreError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    all(connection, RECORDS, params![after, limit], |row| {
        Ok(AuditRecord {
            sequence: row.get::<_, i64>(0)?.unsigned_abs(),
            record: row.get(1)?,
            hash: row.get(2)?,
        })
    })
}
