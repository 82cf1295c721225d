//! Ending in between: what is under way gets a little time for its end, and nothing is waited for.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use koshin_client::Later;
use koshin_client::clock::{Clock, SystemClock};
use koshin_protocol::time::Time;
use tokio::sync::watch;

/// How long a request or a hook that is under way may go on once the agent is to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Whether the agent is to stop. Clones share it.
#[derive(Clone)]
pub(crate) struct Stop {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    No,
    /// What is under way may come to its end.
    Soon,
    /// It may not: it would only wait.
    Now,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::No)) }
    }

    /// Stops, once what is under way has ended or its time is over.
    pub(crate) fn request(&self) {
        self.raise(State::Soon);
        let stop = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            stop.raise(State::Now);
        });
    }

    /// Whether nothing new begins.
    pub(crate) fn is_requested(&self) -> bool {
        *self.state.borrow() != State::No
    }

    /// Work that may end whenever the agent is to stop; `None` if it did.
    pub(crate) async fn or_soon<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.or(work, |state| state != State::No).await
    }

    /// Work that gets its time; `None` if that was not enough.
    pub(crate) async fn or_late<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.or(work, |state| state == State::Now).await
    }

    async fn or<T>(
        &self,
        work: impl Future<Output = T>,
        enough: impl Fn(State) -> bool,
    ) -> Option<T> {
        let mut state = self.state.subscribe();
        tokio::select! {
            biased;
            done = work => Some(done),
            _ = state.wait_for(|state| enough(*state)) => None,
        }
    }

    fn raise(&self, to: State) {
        self.state.send_if_modified(|state| {
            let higher = *state != to && *state != State::Now;
            if higher {
                *state = to;
            }
            higher
        });
    }
}

/// The system's clock for one piece of work, whose waits end it once the agent is to stop.
#[derive(Clone)]
pub(crate) struct StoppingClock {
    stop: Stop,
    /// The work has come to a wait, and the agent is to stop.
    is_idle: Arc<watch::Sender<bool>>,
}

impl StoppingClock {
    pub(crate) fn new(stop: &Stop) -> Self {
        Self { stop: stop.clone(), is_idle: Arc::new(watch::Sender::new(false)) }
    }

    /// Work by this clock: it gets its time, but not for waiting; `None` if it was dropped.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut is_idle = self.is_idle.subscribe();
        tokio::select! {
            biased;
            done = self.stop.or_late(work) => done,
            _ = is_idle.wait_for(|is_idle| *is_idle) => None,
        }
    }
}

impl Clock for StoppingClock {
    fn now(&self) -> Time {
        SystemClock.now()
    }

    fn sleep(&self, duration: Duration) -> Later<'_, ()> {
        Box::pin(async move {
            if self.stop.or_soon(SystemClock.sleep(duration)).await.is_none() {
                self.is_idle.send_replace(true);
                // Whoever waits here is dropped.
                pending::<()>().await;
            }
        })
    }
}

impl fmt::Debug for StoppingClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoppingClock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_under_way_goes_on_until_its_time_is_over() {
        let stop = Stop::new();
        assert!(!stop.is_requested());
        stop.raise(State::Soon);
        assert!(stop.is_requested());
        assert_eq!(stop.or_soon(pending::<()>()).await, None);
        assert_eq!(stop.or_late(async { tokio::task::yield_now().await }).await, Some(()));
        stop.raise(State::Now);
        stop.raise(State::Soon);
        assert_eq!(stop.or_late(pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn what_would_only_wait_ends_at_once_and_nothing_else_with_it() {
        let stop = Stop::new();
        let (one, other) = (StoppingClock::new(&stop), StoppingClock::new(&stop));
        stop.raise(State::Soon);
        assert_eq!(one.unless_stopped(one.sleep(Duration::from_hours(1))).await, None);
        assert_eq!(other.unless_stopped(tokio::task::yield_now()).await, Some(()));
    }
}
