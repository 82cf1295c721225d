//! This machine's time, and waiting for some of it to pass: a seam for tests and simulations.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use koshin_protocol::time::Time;

use crate::Later;

/// A clock that can also wait.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, as this machine believes it to be.
    fn now(&self) -> Time;

    /// Waits. Cancel-safe: dropping the future ends the wait and nothing else.
    fn sleep(&self, duration: Duration) -> Later<'_, ()>;
}

/// The system's clock and tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        // A clock set to before year 0 or after year 9999 is as wrong as one can be; the bank's `Date` corrects it.
        Time::from_timestamp(Timestamp::now()).unwrap_or(Time::MAX)
    }

    fn sleep(&self, duration: Duration) -> Later<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
