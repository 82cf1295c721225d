//! Time that passes only as the simulation says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use koshin_client::Later;
use koshin_client::clock::Clock;
use koshin_protocol::time::Time;

use crate::disk::Disk;

/// The step of the simulation. Every wait is a multiple of it, so that whatever a wait sets going has come to rest when the
/// step is over.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// 2026-11-02T03:00:00Z, when every simulation begins.
pub(crate) const START: i64 = 1_793_588_400;

/// Seconds since [`START`], the same for everybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elapsed(Arc<AtomicI64>);

impl Elapsed {
    pub(crate) fn set(&self, elapsed: Duration) {
        self.0.store(i64::try_from(elapsed.as_secs()).unwrap(), Ordering::SeqCst);
    }

    fn shifted(&self, seconds: i64) -> Time {
        Time::from_unix(START + self.0.load(Ordering::SeqCst) + seconds).unwrap()
    }

    pub(crate) fn now(&self) -> Time {
        self.shifted(0)
    }
}

/// The bank's clock, which is right.
impl koshin_server::clock::Clock for Elapsed {
    fn now(&self) -> Time {
        self.shifted(0)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// A machine's clock, which may be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) elapsed: Elapsed,
    pub(crate) ahead: Arc<AtomicI64>,
    pub(crate) disk: Disk,
}

impl Clock for Watch {
    fn now(&self) -> Time {
        self.elapsed.shifted(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Later<'_, ()> {
        Box::pin(async move {
            // The jitter of the client's waits is not the seed's: they are rounded up to where it cannot be seen.
            let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
            tokio::time::sleep(Duration::from_secs(seconds.next_power_of_two())).await;
            if self.disk.is_stopped() {
                std::future::pending::<()>().await;
            }
        })
    }
}
