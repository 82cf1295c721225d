//! When sessions were last used, in memory: a read needs no commit to keep its session alive.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use koshin_protocol::time::Time;

use crate::store::id::SessionId;

/// The last uses that are not in the database yet. As many as sessions were used since the last
/// [`Touches::take`].
#[derive(Clone, Default)]
pub(super) struct Touches(Arc<Mutex<HashMap<SessionId, Time>>>);

impl Touches {
    pub(super) fn get(&self, session: SessionId) -> Option<Time> {
        self.lock().get(&session).copied()
    }

    pub(super) fn touch(&self, session: SessionId, now: Time) {
        let mut touches = self.lock();
        let last = touches.entry(session).or_insert(now);
        *last = now.max(*last);
    }

    /// What is to be written. It stays here until [`Touches::written`] says that it was.
    pub(super) fn take(&self) -> Vec<(SessionId, Time)> {
        self.lock().iter().map(|(session, time)| (*session, *time)).collect()
    }

    /// Forgets what was written and not touched since.
    pub(super) fn written(&self, written: &[(SessionId, Time)]) {
        let mut touches = self.lock();
        for (session, time) in written {
            if touches.get(session) == Some(time) {
                touches.remove(session);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
