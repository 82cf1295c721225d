//! Ends of sessions.

use koshin_protocol::state::session;
use rusqlite::params;

use super::Transition;
use crate::audit::Object;
use crate::store::Failure;
use crate::store::id::{ContractId, SessionId, SubjectId};
use crate::store::sqlite::column::{all, execute};

const SESSIONS_OF_CERTIFICATE: &str =
    "SELECT id FROM session WHERE certificate = ?1 AND ended IS NULL";
const SESSIONS_OF_SUBJECT: &str = "SELECT id FROM session WHERE subject = ?1 AND ended IS NULL";
const END_SESSION: &str = "UPDATE session SET ended = ?2 WHERE id = ?1 AND ended IS NULL";

/// Sessions.
impl Transition<'_> {
    /// Ends a certificate's sessions.
    pub(in crate::store::sqlite) fn end_sessions_of(
        &mut self,
        contract: ContractId,
        certificate: i64,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        let sessions: Vec<SessionId> =
            all(self.connection, SESSIONS_OF_CERTIFICATE, [certificate], |row| row.get(0))?;
        for session in sessions {
            self.end_session(contract, session, reason)?;
        }
        Ok(())
    }

    /// Ends a subject's sessions.
    pub(in crate::store::sqlite) fn end_sessions_of_subject(
        &mut self,
        contract: ContractId,
        subject: SubjectId,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        let sessions: Vec<SessionId> =
            all(self.connection, SESSIONS_OF_SUBJECT, [subject], |row| row.get(0))?;
        for session in sessions {
            self.end_session(contract, session, reason)?;
        }
        Ok(())
    }

    /// Ends one session.
    pub(in crate::store::sqlite) fn end_session(
        &mut self,
        contract: ContractId,
        session: SessionId,
        reason: session::Reason,
    ) -> Result<(), Failure> {
        execute(self.connection, END_SESSION, params![session, reason.as_str()])?;
        self.changed(contract, Object::Session, &session, reason.as_str());
        Ok(())
    }
}
