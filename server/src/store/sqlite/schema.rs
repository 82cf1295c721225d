//! The tables, and the way from each version to the next.
//!
//! What must be unique is unique here, whatever the code above does: SPEC.md 10 and the invariants.

use std::collections::BTreeSet;

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

/// The tables, indexes and whatever else that is not as the migrations make it, by name.
pub(super) fn differences(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut pristine = Connection::open_in_memory()?;
    migrate(&mut pristine)?;
    let (ours, theirs) = (objects(&pristine)?, objects(connection)?);
    let names = ours.symmetric_difference(&theirs).map(|(name, _)| name.clone());
    let names: BTreeSet<String> = names.collect();
    Ok(names.into_iter().collect())
}

/// Names and definitions, without what `SQLite` makes by itself.
fn objects(connection: &Connection) -> Result<BTreeSet<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
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
