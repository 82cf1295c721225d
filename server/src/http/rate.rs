//! How often somebody may ask (SPEC.md 5.11, RTA-08).

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A steady rate, and how far one may run ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, in the long run; at least 1.
    pub per_second: u32,
    /// Requests at once after a time of silence; at least 1.
    pub burst: u32,
}

impl Rate {
    /// So many requests a second, and ten seconds' worth at once; 0: any number.
    pub fn configured(per_second: u32) -> Option<Self> {
        (per_second > 0).then(|| Self { per_second, burst: per_second.saturating_mul(10) })
    }
}

/// One rate for each key: an address, a certificate.
///
/// The memory is fixed: keys are spread over slots by a secret hash, and those that meet in a slot
/// share its rate. Each slot holds the instant at which its requests so far would have been due at
/// the steady rate (the generic cell rate algorithm of ATM Forum TM 4.0).
#[derive(Debug)]
pub struct Rates {
    /// Nanoseconds between two requests at the steady rate.
    interval: u64,
    /// Nanoseconds that one may run ahead.
    ahead: u64,
    since: Instant,
    spread: RandomState,
    slots: Box<[AtomicU64]>,
}

/// Slots of one [`Rates`]: 128 KiB.
const SLOTS: usize = 1 << 14;

impl Rates {
    /// Nobody asked yet.
    pub fn new(rate: Rate) -> Self {
        let interval = 1_000_000_000 / u64::from(rate.per_second.max(1));
        Self {
            interval,
            ahead: interval * u64::from(rate.burst.max(1) - 1),
            since: Instant::now(),
            spread: RandomState::new(),
            slots: std::iter::repeat_with(AtomicU64::default).take(SLOTS).collect(),
        }
    }

    /// Counts one request of `key` at `now`, or says how long to wait for the next one. A request
    /// that was refused is not counted.
    pub fn ask(&self, key: impl Hash, now: Instant) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.since).as_nanos();
        let now = u64::try_from(now).expect("less than 584 years since the start");
        let slot = usize::try_from(self.spread.hash_one(key) % SLOTS as u64)
            .expect("less than the number of slots");
        let asked = self.slots[slot].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| {
            let due = due.max(now);
            (due - now <= self.ahead).then_some(due + self.interval)
        });
        match asked {
            Ok(_) => Ok(()),
            Err(due) => Err(Duration::from_nanos(due.saturating_sub(now + self.ahead))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 5 };

    #[test]
    fn a_burst_passes_and_then_the_steady_rate() {
        let rates = Rates::new(RATE);
        let start = rates.since;
        for _ in 0..5 {
            assert_eq!(rates.ask("a", start), Ok(()));
        }
        let wait = rates.ask("a", start).expect_err("the burst is spent");
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(rates.ask("a", start + wait), Ok(()));
        assert!(rates.ask("a", start + wait).is_err());
    }

    #[test]
    fn silence_earns_the_burst_back_and_not_more() {
        let rates = Rates::new(RATE);
        let later = rates.since + Duration::from_hours(1);
        let passed = (0..100).filter(|_| rates.ask("a", later).is_ok()).count();
        assert_eq!(passed, 5);
    }

    #[test]
    fn in_the_long_run_the_rate_is_kept() {
        let rates = Rates::new(RATE);
        let tries = (0..100_000).map(|i| rates.since + Duration::from_millis(i));
        assert_eq!(tries.filter(|now| rates.ask("a", *now).is_ok()).count(), 1004);
    }

    #[test]
    fn one_key_does_not_spend_another_ones_rate() {
        let rates = Rates::new(RATE);
        while rates.ask("a", rates.since).is_ok() {}
        // One of a hundred may share the slot, hardly two.
        let refused = (0..100).filter(|key| rates.ask(key, rates.since).is_err()).count();
        assert!(refused <= 2, "{refused}");
    }
}
