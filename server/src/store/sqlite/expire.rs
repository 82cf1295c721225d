//! What time alone ends, written down from time to time.

use koshin_protocol::state::reissue;
use koshin_protocol::state::session::Reason;
use koshin_protocol::time::{Period, Time};
use rusqlite::{Connection, params};

use super::column::{Sql, all, execute};
use super::read;
use super::touch::Touches;
use super::transition::run;
use crate::audit::Principal;
use crate::store::Failure;
use crate::store::id::{ReissueId, SessionId};

const TOUCH: &str =
    "UPDATE session SET last_use = max(last_use, ?2) WHERE id = ?1 AND ended IS NULL";
const SESSIONS: &str = "
    SELECT id FROM session WHERE ended IS NULL AND min(last_use + idle, expires) < ?1 LIMIT ?2";
const CERTIFICATES: &str =
    "SELECT id FROM certificate WHERE expiry_told = 0 AND not_after < ?1 LIMIT ?2";
const REISSUES: &str = "SELECT id FROM reissue WHERE state = 'pending' AND expires < ?1 LIMIT ?2";
const FORGET: &str = "
    DELETE FROM session WHERE id IN
        (SELECT id FROM session WHERE expires < ?1 AND ended IS NOT NULL LIMIT ?2)";
/// How long an ended session is kept after it would have ended anyway.
const KEPT: Period = Period::from_days(1);

/// Writes down which sessions, certificates and reissues have ended.
pub(super) fn expire(
    connection: &Connection,
    last_uses: &[(SessionId, Time)],
    touches: &Touches,
    limit: u32,
    now: Time,
) -> Result<u32, Failure> {
    for (session, time) in last_uses {
        execute(connection, TOUCH, params![session, Sql(*time)])?;
    }
    run(connection, now, "timePassed", Principal::Bank, |transition| {
        let mut ended = 0;
        let sessions: Vec<SessionId> =
            all(connection, SESSIONS, params![Sql(now), limit], |row| row.get(0))?;
        for id in sessions {
            if let Some((session, _)) = read::session(connection, id, touches)? {
                ended += 1;
                transition.end_by_time_or(&session, Reason::Idle)?;
            }
        }
        let certificates: Vec<i64> =
            all(connection, CERTIFICATES, params![Sql(now), limit], |row| row.get(0))?;
        for certificate in certificates {
            ended += 1;
            transition.settle(certificate)?;
        }
        let reissues: Vec<ReissueId> =
            all(connection, REISSUES, params![Sql(now), limit], |row| row.get(0))?;
        for reissue in reissues {
            ended += 1;
            transition.reissue_event(reissue, reissue::Event::Looked { now })?;
        }
        if let Some(before) = now.checked_sub(KEPT) {
            execute(connection, FORGET, params![Sql(before), limit])?;
        }
        Ok(ended)
    })
}
