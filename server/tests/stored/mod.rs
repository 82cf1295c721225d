//! All that a registry has stored, to be compared.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

/// Every row of every table but `session`, whose rows are forgotten once they are long over.
pub fn rows(sql: &Connection) -> Vec<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'session'
                 ORDER BY name";
    let mut tables = sql.prepare(names).expect("a query");
    let tables: Result<Vec<String>, _> =
        tables.query_map([], |row| row.get(0)).expect("rows").collect();
    let mut stored = Vec::new();
    for table in tables.expect("names") {
        let mut rows = sql.prepare(&format!("SELECT * FROM {table}")).expect("a query");
        let columns = rows.column_count();
        let mut rows = rows.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let values = (0..columns).map(|column| row.get_ref(column).expect("a value"));
            stored.push(format!("{table} {:?}", values.collect::<Vec<_>>()));
        }
    }
    stored
}

/// What a read answers that the embedded store has at hand.
pub fn at_once<T>(read: impl Future<Output = T>) -> T {
    match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the embedded store reads where it is asked"),
    }
}
