//! Whether the clock is behind the newest record of the audit: it was ahead when that was written, or it is behind now.

use std::time::Duration;

use koshin_protocol::time::Time;

use super::TOLERANCE;

/// How often the records are read again while the clock is behind them: what is written then is newer.
const READ_AGAIN: Duration = Duration::from_mins(1);

/// What is known of the newest record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newest {
    read: Option<Read>,
    told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Read {
    /// When the newest record of all chains was written; `None` if there is none.
    newest: Option<Time>,
    /// The uptime at which it was read.
    at: Duration,
    /// After so many jumps of the clock.
    jumps: u64,
}

/// How the clock stands to the newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// How many seconds it is behind; 0 if it is not.
    pub(super) behind: u64,
    /// This is the first look at which it is, or at which it is not any more.
    pub(super) changed: bool,
}

impl Newest {
    /// Whether the newest record must be read to know how the clock stands. While the clock is steady and not behind,
    /// nothing that is written changes that.
    pub(super) fn must_be_read(&self, uptime: Duration, jumps: u64) -> bool {
        self.read.is_none_or(|read| {
            read.jumps != jumps || self.told && uptime.saturating_sub(read.at) >= READ_AGAIN
        })
    }

    /// It was read, at that uptime and after so many jumps.
    pub(super) fn was_read(&mut self, newest: Option<Time>, at: Duration, jumps: u64) {
        self.read = Some(Read { newest, at, jumps });
    }

    /// How the clock stands now.
    pub(super) fn judge(&mut self, now: Time) -> Standing {
        let newest = self.read.and_then(|read| read.newest);
        let behind = newest.map_or(0, |newest| newest.seconds_since(now));
        let behind = if behind > TOLERANCE { behind.unsigned_abs() } else { 0 };
        let changed = self.told != (behind > 0);
        self.told = behind > 0;
        Standing { behind, changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix(1_800_000_000 + seconds).expect("a time")
    }

    fn uptime(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn read(newest: i64) -> Newest {
        let mut known = Newest::default();
        known.was_read(Some(at(newest)), uptime(10), 3);
        known
    }

    #[test]
    fn a_clock_behind_the_newest_record_is_told_once_and_its_end_once() {
        let mut known = read(100);
        assert_eq!(known.judge(at(0)), Standing { behind: 100, changed: true });
        assert_eq!(known.judge(at(1)), Standing { behind: 99, changed: false });
        assert_eq!(known.judge(at(100)), Standing { behind: 0, changed: true });
        assert_eq!(known.judge(at(101)), Standing { behind: 0, changed: false });
        assert_eq!(known.judge(at(0)), Standing { behind: 100, changed: true });
    }

    #[test]
    fn a_few_seconds_are_nothing() {
        assert_eq!(read(5).judge(at(0)), Standing { behind: 0, changed: false });
        assert_eq!(read(6).judge(at(0)), Standing { behind: 6, changed: true });
    }

    #[test]
    fn an_empty_audit_is_ahead_of_no_clock() {
        let mut known = Newest::default();
        known.was_read(None, uptime(0), 0);
        assert_eq!(known.judge(at(-1_000_000)), Standing { behind: 0, changed: false });
    }

    #[test]
    fn records_are_read_at_the_start_after_a_jump_and_each_minute_while_the_clock_is_behind() {
        assert!(Newest::default().must_be_read(uptime(0), 0));
        let mut known = read(100);
        known.judge(at(200));
        assert!(!known.must_be_read(uptime(10_000), 3));
        assert!(known.must_be_read(uptime(10), 4));
        known.judge(at(0));
        assert!(!known.must_be_read(uptime(69), 3));
        assert!(known.must_be_read(uptime(70), 3));
    }
}
