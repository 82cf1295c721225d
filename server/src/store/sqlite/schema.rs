//! The tables, and the way from each version to the next.
//!
//! What must be unique is unique here, whatever the code above does: SPEC.md 10 and the invariants.

use rusqlite::Connection;

use crate::store::StoreError;

/// Each entry leads from the version that is its index to the next.
const MIGRATIONS: &[&str] = &[include_str!("schema/0001.sql")];

/// The version of a database that [`migrate`] went over.
pub(super) const VERSION: u32 = 1;

/// Brings the database to [`VERSION`], in one transaction for each step.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    for (version, sql) in (1_u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The version that the file says it has.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_migration_leads_to_the_version() {
        assert_eq!(MIGRATIONS.len(), VERSION as usize);
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection).expect("migrates");
        assert_eq!(version(&connection), Ok(VERSION));
        migrate(&mut connection).expect("again changes nothing");
    }

    #[test]
    fn a_newer_file_is_refused() {
        let mut connection = Connection::open_in_memory().expect("a database");
        connection.pragma_update(None, "user_version", VERSION + 1).expect("a version");
        assert_eq!(
            migrate(&mut connection),
            Err(StoreError::Newer { found: VERSION + 1, known: VERSION })
        );
    }
}
