//! The clock under watch: what is noticed is logged and measured, and the bank goes on serving.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::audit::Newest;
use super::{Clock, Event, Reading, Steadiness, TimeOfIssue};
use crate::store::{Store, StoreError};
use crate::watch::{Metrics, rounded};

/// Watches a clock, for whoever decides by it what lasts.
pub struct Watched {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    steadiness: Mutex<Steadiness>,
    newest: Mutex<Newest>,
}

impl Watched {
    /// Begins to watch.
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let steadiness = Mutex::new(Steadiness::new(Reading::of(&*clock)));
        Self { clock, metrics, steadiness, newest: Mutex::default() }
    }

    /// Looks at the clock, and at the newest record of the audit where that may be ahead of it. To be called about once
    /// a second.
    pub async fn look(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (reading, steadiness) = self.look_at_clock();
        let jumps = steadiness.jumps();
        if locked(&self.newest).must_be_read(reading.uptime, jumps) {
            let newest = store.newest_record().await?;
            locked(&self.newest).was_read(newest, reading.uptime, jumps);
        }
        let standing = locked(&self.newest).judge(reading.now);
        self.metrics.clock_behind_audit(standing.behind);
        match (standing.changed, standing.behind) {
            (true, 0) => tracing::info!("the clock is not behind the newest audit record any more"),
            (true, seconds) => tracing::warn!(
                seconds,
                "the clock is {} behind the newest audit record: it is wrong now, or was when that was written",
                rounded(seconds)
            ),
            (false, _) => {}
        }
        Ok(())
    }

    /// How long the clock has been steady while it was watched. What lasts no longer than this, and is over by the clock, is
    /// over whether or not the clock is right.
    pub fn steady_for(&self) -> Duration {
        self.look_at_clock().1.steady_for()
    }

    /// When a certificate is issued that is issued now.
    pub fn time_of_issue(&self) -> TimeOfIssue {
        self.look_at_clock().1.time_of_issue()
    }

    fn look_at_clock(&self) -> (Reading, Steadiness) {
        let mut steadiness = locked(&self.steadiness);
        // Read under the lock, so that looks follow each other as readings do.
        let reading = Reading::of(&*self.clock);
        let event = steadiness.look(reading);
        let looked = *steadiness;
        drop(steadiness);
        if let Some(event) = event {
            self.tell(event);
        }
        (reading, looked)
    }

    fn tell(&self, event: Event) {
        match event {
            Event::Jumped { seconds, back } => {
                self.metrics.clock_jumped(seconds);
                let direction = if seconds < 0 { "back" } else { "ahead" };
                let meaning = if back { ", to where it should be" } else { "" };
                let far = rounded(seconds.unsigned_abs());
                tracing::warn!(seconds, "the clock jumped {far} {direction}{meaning}");
            }
            Event::Believed => {
                tracing::info!("the clock has been steady for a day: its time is believed");
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
