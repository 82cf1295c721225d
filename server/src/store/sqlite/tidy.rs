//! Tidying up: nothing that anybody is answered depends on it.

use koshin_protocol::time::{Period, Time};
use rusqlite::{Connection, params};

use super::column::{Sql, execute};
use crate::store::Failure;
use crate::store::id::SessionId;

const TOUCH: &str =
    "UPDATE session SET last_use = max(last_use, ?2) WHERE id = ?1 AND ended IS NULL";
const FORGET: &str = "
    DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires < ?1 LIMIT ?2)";
/// How long a session is kept after it cannot be used any more, whatever ended it.
const KEPT: Period = Period::from_days(1);

/// Writes down when sessions were last used, and forgets those that are long over.
pub(super) fn tidy_up(
    connection: &Connection,
    last_uses: &[(SessionId, Time)],
    limit: u32,
    now: Time,
) -> Result<u32, Failure> {
    for (session, time) in last_uses {
        execute(connection, TOUCH, params![session, Sql(*time)])?;
    }
    let Some(before) = now.checked_sub(KEPT) else { return Ok(0) };
    let forgotten = execute(connection, FORGET, params![Sql(before), limit])?;
    Ok(u32::try_from(forgotten).unwrap_or(limit))
}
