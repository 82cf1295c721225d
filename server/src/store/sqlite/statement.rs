//! Statements, prepared once for their connection, and how our values stand in columns.

use koshin_protocol::time::Time;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::audit::Hash;
use crate::id::{ContractId, OrderId, RequestId, SubjectId};
use crate::store::StoreError;

macro_rules! blobs {
    ($($name:ident)*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map($name::from_bytes)
            }
        }
    )*};
}

blobs! { ContractId SubjectId OrderId RequestId Hash }

/// A time in a column: seconds since 1970-01-01T00:00:00Z.
pub(super) struct Seconds(pub(super) Time);

impl ToSql for Seconds {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.unix().into())
    }
}

impl FromSql for Seconds {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let seconds = value.as_i64()?;
        Time::from_unix(seconds).map(Self).map_err(|_| FromSqlError::OutOfRange(seconds))
    }
}

/// A row's number or version in a column, which is never negative.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).expect("numbers are counted up from 1, one for each row")
}

/// How the content of a row stands in its column: the layout's version, then postcard.
const LAYOUT: u8 = 1;

/// The bytes of a row's content.
pub(super) fn encode<T: Serialize>(content: &T) -> Vec<u8> {
    postcard::to_extend(content, vec![LAYOUT]).expect("memory takes any number of bytes")
}

/// The content of a row.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&LAYOUT, content)) => postcard::from_bytes(content)
            .map_err(|error| StoreError::Corrupt(format!("a row cannot be read: {error}"))),
        Some((other, _)) => Err(StoreError::Corrupt(format!("a row has layout {other}"))),
        None => Err(StoreError::Corrupt("a row is empty".to_owned())),
    }
}

/// A statement, prepared once for its connection.
fn prepare<'c>(
    connection: &'c Connection,
    sql: &'static str,
) -> Result<CachedStatement<'c>, StoreError> {
    #[cfg(debug_assertions)]
    super::plan::check(connection, sql);
    Ok(connection.prepare_cached(sql)?)
}

/// At most one row.
pub(super) fn one<T>(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    Ok(prepare(connection, sql)?.query_row(params, read).optional()?)
}

/// Every row.
pub(super) fn all<T>(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = prepare(connection, sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Runs a statement; the answer is how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &'static str,
    params: impl Params,
) -> Result<usize, StoreError> {
    Ok(prepare(connection, sql)?.execute(params)?)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}
