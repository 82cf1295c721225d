//! Tidying up: nothing that anybody is answered depends on it.

use koshin_protocol::time::{Period, Time};
use rusqlite::{Connection, params};

use super::column::{Sql, execute};
use crate::store::Failure;
use crate::store::id::SessionId;

const TOUCH: &str =
    "UPDATE session SET last_use = max(last_use, ?2) WHERE id = ?1 AND ended IS NULL";
const FORGET_OVER: &str = "
    DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires < ?1 LIMIT ?2)";
const FORGET_AHEAD: &str = "
    DELETE FROM session WHERE id IN (SELECT id FROM session WHERE expires > ?1 LIMIT ?2)";
/// How long a session is kept after it cannot be used any more, whatever ended it.
const KEPT: Period = Period::from_days(1);

/// Writes down when sessions were last used, and forgets those that are long over, or begin long after now.
pub(super) fn tidy_up(
    connection: &Connection,
    last_uses: &[(SessionId, Time)],
    limit: u32,
    longest: Option<Period>,
    now: Time,
) -> Result<u32, Failure> {
    for (session, time) in last_uses {
        execute(connection, TOUCH, params![session, Sql(*time)])?;
    }
    let Some(longest) = longest else { return Ok(0) };
    let over = now.checked_sub(KEPT);
    let ahead = now.checked_add(longest).and_then(|last| last.checked_add(KEPT));
    let mut forgotten = 0;
    for (statement, bound) in [(FORGET_OVER, over), (FORGET_AHEAD, ahead)] {
        if let Some(bound) = bound {
            forgotten += execute(connection, statement, params![Sql(bound), limit])?;
        }
    }
    Ok(u32::try_from(forgotten).unwrap_or(u32::MAX))
}
