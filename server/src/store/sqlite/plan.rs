//! A million certificates must not slow a logon: in debug builds, and so in every test, a statement
//! that would walk through a table is refused the first time that it is prepared.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

/// What may be walked through: the bank's own row, tables with a row for each issuer or for what waits for somebody, the
/// end of the audit, and lists that are made aside.
const SMALL: [&str; 7] = [
    "SCAN bank",
    "SCAN crl",
    "SCAN backup",
    "SCAN waiting",
    "SCAN listed",
    "SCAN audit",
    "SCAN request USING INDEX request_to_approve",
];

/// Panics if the statement walks through a table.
pub(super) fn check(connection: &Connection, sql: &'static str) {
    static CHECKED: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if checked.get_or_insert_default().insert(sql)
        && let Some(walk) = walks(connection, sql)
    {
        drop(checked);
        panic!("a statement walks through a table ({walk}): {sql}");
    }
}

fn walks(connection: &Connection, sql: &str) -> Option<String> {
    if !["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"]
        .iter()
        .any(|verb| sql.trim_start().starts_with(verb))
    {
        return None;
    }
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).ok()?;
    let mut rows = statement.raw_query();
    while let Ok(Some(row)) = rows.next() {
        let step: String = row.get("detail").ok()?;
        if step.starts_with("SCAN") && !SMALL.iter().any(|small| step.starts_with(small)) {
            return Some(step);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn walks_in_the_schema(sql: &str) -> bool {
        let mut connection = Connection::open_in_memory().expect("a database");
        schema::prepare(&mut connection).expect("tables");
        walks(&connection, sql).is_some()
    }

    #[test]
    fn a_walk_through_certificates_is_found() {
        assert!(walks_in_the_schema("SELECT number FROM certificate WHERE subject = ?1"));
        assert!(walks_in_the_schema("SELECT count(*) FROM name"));
        assert!(walks_in_the_schema("UPDATE subject SET version = 1 WHERE state = ?1"));
    }

    #[test]
    fn a_search_by_index_is_no_walk() {
        assert!(!walks_in_the_schema("SELECT subject FROM name WHERE name = ?1"));
    }
}
