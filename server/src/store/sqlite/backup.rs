//! Copies of the file (SPEC.md 14). A copy says of itself that it is one.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::statement::{all, one};
use super::{read, schema};
use crate::store::{Integrity, StoreError};

/// Pages that are copied at a time, so that the writer is never held up for long.
const PAGES: i32 = 1024;
const PAUSE: Duration = Duration::from_millis(2);

/// Copies the database to a new file while others write.
pub(super) fn write(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |reason: String| StoreError::Open { path: path.to_owned(), reason };
    if path.exists() {
        return Err(failed("it exists already; a backup never overwrites".to_owned()));
    }
    let mut copy = Connection::open(path).map_err(|error| failed(error.to_string()))?;
    Backup::new(connection, &mut copy)?.run_to_completion(PAGES, PAUSE, None)?;
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.execute("INSERT INTO backup (only) VALUES (1) ON CONFLICT DO NOTHING", [])?;
    copy.close().map_err(|(_, error)| StoreError::from(error))?;
    std::fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(error.to_string()))
}

/// Refuses to serve from a copy: it may not know of revocations that were published since.
pub(super) fn refuse_copy(connection: &Connection) -> Result<(), StoreError> {
    let copy: Option<i64> = one(connection, "SELECT 1 FROM backup", [], |row| row.get(0))?;
    copy.map_or(Ok(()), |_| Err(StoreError::Backup))
}

/// The hash of the credential of an enabled operator, as a backup knows it: who accepts a loss proves
/// to be somebody before there is a bank to ask. The file is only read.
pub fn operator_credential_in(backup: &Path, name: &str) -> Result<Option<String>, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::Open {
        path: backup.to_owned(),
        reason: error.to_string(),
    };
    let connection =
        Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let (staff, _) = read::staff(&connection)?;
    Ok(staff.enabled(name).map(|operator| operator.credential_hash.clone()))
}

/// The database's own check, and its version.
pub(super) fn integrity(connection: &Connection) -> Result<Integrity, StoreError> {
    let mut findings: Vec<String> =
        all(connection, "PRAGMA integrity_check", [], |row| row.get(0))?;
    findings.retain(|finding| finding != "ok");
    let dangling = all(connection, "PRAGMA foreign_key_check", [], |row| {
        Ok(format!("a row of {} refers to nothing", row.get::<_, String>(0)?))
    })?;
    findings.extend(dangling);
    Ok(Integrity { findings, version: schema::version(connection)? })
}
