//! The bank's clock. Everything that needs the time is given a [`Clock`] or a value of it, so that
//! tests decide what time it is.
//!
//! A clock can be set, wrongly too. [`Watched`] notices it.

mod audit;
mod steadiness;
mod watched;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use koshin_protocol::time::Time;
use rustix::time::{ClockId, clock_gettime};

pub use steadiness::{Event, Reading, STEADY, Steadiness, TOLERANCE, TimeOfIssue};
pub use watched::Watched;

/// Tells the time, and how much of it passes.
pub trait Clock: Send + Sync {
    /// The time now in whole seconds, truncated: `notAfter` is inclusive to the second. It leaps when somebody sets the
    /// clock.
    fn now(&self) -> Time;

    /// The time since some moment in the past, the machine's sleep included. It never goes back, and no setting of the
    /// clock changes it.
    fn uptime(&self) -> Duration;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Time {
        Time::from_timestamp(Timestamp::now()).expect("the system's clock shows a year before 9999")
    }

    fn uptime(&self) -> Duration {
        let uptime = clock_gettime(SINCE_BOOT);
        Duration::try_from(uptime).expect("a machine's uptime is not negative")
    }
}

/// The clock that counts sleep and cannot be set. Where there is no such thing by this name, the monotonic one does.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct Fixed {
    unix: AtomicI64,
    uptime: AtomicU64,
}

impl Fixed {
    /// A clock that shows `time`.
    pub fn at(time: Time) -> Self {
        Self { unix: AtomicI64::new(time.unix()), uptime: AtomicU64::new(0) }
    }

    /// Lets time pass until it shows `time`; an earlier one than it shows is a jump.
    pub fn set(&self, time: Time) {
        self.advance(time.unix() - self.now().unix());
    }

    /// Lets so many seconds pass; to go back by some is a jump.
    pub fn advance(&self, seconds: i64) {
        self.uptime.fetch_add(u64::try_from(seconds).unwrap_or_default(), Ordering::SeqCst);
        self.jump(seconds);
    }

    /// Makes it show a time so many seconds later, or earlier if negative, while no time passes.
    pub fn jump(&self, seconds: i64) {
        self.unix.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Fixed {
    fn now(&self) -> Time {
        Time::from_unix(self.unix.load(Ordering::SeqCst)).expect("a test sets times of the wire")
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.uptime.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let noon: Time = "2026-11-23T12:00:00Z".parse().expect("a time");
        let clock = Fixed::at(noon);
        assert_eq!(clock.now(), noon);
        clock.advance(-1);
        assert_eq!(clock.now().to_string(), "2026-11-23T11:59:59Z");
        clock.set(noon);
        assert_eq!(clock.now(), noon);
    }

    #[test]
    fn time_passes_with_an_advance_and_not_with_a_jump() {
        let clock = Fixed::at(Time::from_unix(1_800_000_000).expect("a time"));
        clock.advance(7);
        clock.jump(86_400);
        clock.jump(-3);
        assert_eq!(clock.now().unix(), 1_800_086_404);
        assert_eq!(clock.uptime(), Duration::from_secs(7));
    }

    #[test]
    fn the_system_clock_agrees_with_the_system() {
        let before = Timestamp::now().as_second();
        let shown = System.now().unix();
        assert!((before..=Timestamp::now().as_second()).contains(&shown));
    }

    #[test]
    fn the_uptime_of_the_system_never_goes_back() {
        let first = System.uptime();
        assert!(first > Duration::ZERO);
        assert!(System.uptime() >= first);
    }
}
