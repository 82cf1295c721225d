//! When sessions were last used, in memory: a read needs no commit to keep its session alive.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use koshin_protocol::time::Time;

use crate::id::SessionId;
use crate::rule::subject::Subject;

/// As many last uses as are kept. A session lasts an hour or so: nobody has more than that many at once.
const KEPT: usize = 262_144;

/// The last uses that are newer than what was written of their sessions.
#[derive(Default)]
pub(super) struct Touches(Mutex<HashMap<SessionId, Time>>);

impl Touches {
    /// A session was used.
    pub(super) fn touch(&self, session: SessionId, now: Time) {
        let mut touches = self.lock();
        if touches.len() >= KEPT {
            touches.clear();
        }
        let last = touches.entry(session).or_insert(now);
        *last = now.max(*last);
    }

    /// Makes a subject's sessions as young as they are.
    pub(super) fn apply(&self, subject: &mut Subject) {
        if subject.sessions.is_empty() {
            return;
        }
        let touches = self.lock();
        for session in &mut subject.sessions {
            if let Some(used) = touches.get(&session.id) {
                session.last_use = session.last_use.max(*used);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
