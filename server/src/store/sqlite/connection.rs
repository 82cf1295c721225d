//! How the file is opened.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::schema;
use crate::store::outage::Outage;
use crate::store::{StoreError, private};

/// Opens the file to write, making or migrating it where needed.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |reason: String| StoreError::Open { path: path.to_owned(), reason };
    // SQLite would make it as the umask wants it. The log and its index take over the mode that the file has.
    match private::create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed(error.to_string()));
        }
        Ok(_) | Err(_) => {}
    }
    let failed = |error: rusqlite::Error| match StoreError::from(error) {
        StoreError::Outage(outage @ Outage::Damaged(_)) => outage.into(),
        other => failed(other.to_string()),
    };
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    configure(&connection)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// What every connection is told. What a savepoint would need to undo stays in memory, since it
/// never outlives the process.
pub(super) fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(128);
    // Plans do not depend on what is bound. Without this a statement that a partial index could
    // serve is compiled anew at each use, which takes longer than all else that a request does.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA busy_timeout = 10000; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(())
}
