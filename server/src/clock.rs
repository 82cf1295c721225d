//! The bank's clock. Everything that needs the time is given a [`Clock`] or a value of it, so that
//! tests decide what time it is.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use koshin_protocol::time::Time;

/// Tells the time in whole seconds, truncated: `notAfter` is inclusive to the second.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Time;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> Time {
        Time::from_timestamp(Timestamp::now()).expect("the system's clock shows a year before 9999")
    }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct Fixed(AtomicI64);

impl Fixed {
    /// A clock that shows `time`.
    pub fn at(time: Time) -> Self {
        Self(AtomicI64::new(time.unix()))
    }

    /// Makes it show `time`, earlier or later than before.
    pub fn set(&self, time: Time) {
        self.0.store(time.unix(), Ordering::SeqCst);
    }

    /// Makes it show a time `seconds` later, or earlier if negative.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Fixed {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst)).expect("a test sets times of the wire")
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
    fn the_system_clock_agrees_with_the_system() {
        let before = Timestamp::now().as_second();
        let shown = System.now().unix();
        assert!((before..=Timestamp::now().as_second()).contains(&shown));
    }
}
