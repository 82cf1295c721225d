//! The tables.

use rusqlite::{Connection, params};

use super::statement::encode;
use crate::store::{Staff, StoreError};

/// The version of the schema.
pub(super) const VERSION: u32 = 1;

/// What the file says that it is (`application_id`): "Kosh". Files of before the first release do not say it.
const APPLICATION: u32 = 0x4b6f_7368;

/// Makes the tables in an empty file; refuses a file of another version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    match (application(connection)?, version(connection)?) {
        (APPLICATION, VERSION) => Ok(()),
        (0, 0) => {
            let mut key = [0; 16];
            getrandom::fill(&mut key).map_err(|error| StoreError::Database(error.to_string()))?;
            let transaction = connection.transaction()?;
            transaction.execute_batch(include_str!("schema/0001.sql"))?;
            transaction.execute(
                "INSERT INTO bank (only, id_key, next, staff, staff_version) VALUES (1, ?1, 1, ?2, 0)",
                params![key, encode(&Staff::default())],
            )?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
            Ok(())
        }
        (APPLICATION, found) => Err(StoreError::Version { found, known: VERSION }),
        (_, _) => Err(StoreError::Foreign),
    }
}

fn application(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "application_id", |row| row.get(0))?)
}

/// The version that the file says it has; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(application: u32, version: u32) -> Connection {
        let connection = Connection::open_in_memory().expect("a database");
        connection.pragma_update(None, "application_id", application).expect("an application");
        connection.pragma_update(None, "user_version", version).expect("a version");
        connection
    }

    #[test]
    fn a_file_of_another_version_or_program_is_refused() {
        let found = VERSION + 1;
        let refused = Err(StoreError::Version { found, known: VERSION });
        assert_eq!(prepare(&mut file(APPLICATION, found)), refused);
        assert_eq!(prepare(&mut file(0, VERSION)), Err(StoreError::Foreign), "before the release");
        assert_eq!(prepare(&mut file(7, VERSION)), Err(StoreError::Foreign));
    }

    #[test]
    fn making_the_tables_again_changes_nothing() {
        let mut connection = Connection::open_in_memory().expect("a database");
        prepare(&mut connection).expect("makes them");
        let key = |connection: &Connection| -> Vec<u8> {
            connection.query_row("SELECT id_key FROM bank", [], |row| row.get(0)).expect("a key")
        };
        let before = key(&connection);
        prepare(&mut connection).expect("again");
        assert_eq!(key(&connection), before);
    }
}
