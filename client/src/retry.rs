//! How long to wait before asking again, and how often (SPEC.md 5.11, 12.5).

use std::time::{Duration, SystemTime};

use koshin_protocol::time::Time;

/// Refusals of one request with `badNonce` in a row, after which it is given up (CLI-41).
pub const MAX_BAD_NONCES: u32 = 5;

/// Repetitions of one request, or of a whole run that makes no progress, after which it is given up (CLI-43).
pub const MAX_REPEATS: u32 = 5;

/// The longest wait on the bank's word (RTA-04).
pub const MAX_WAIT: Duration = Duration::from_hours(1);

/// The shortest (RTA-05, RTA-07).
pub const MIN_WAIT: Duration = Duration::from_secs(1);

/// Reads `Retry-After`: seconds, or an HTTP date, which counts from the answer's own `Date` (RTA-02, RTA-06).
/// `None` if it is neither, or a date in an answer without `Date`.
pub fn retry_after(value: &str, date: Option<Time>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are more than any cap.
        return Some(value.parse().map_or(MAX_WAIT, Duration::from_secs));
    }
    let until = http_date(value)?;
    let seconds = until.seconds_since(date?);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Reads an HTTP date (RFC 9110 section 5.6.7).
pub fn http_date(text: &str) -> Option<Time> {
    let since =
        httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Time::from_unix(i64::try_from(since.as_secs()).ok()?).ok()
}

/// The wait that the client takes of the one that the bank wants: at least a second, at most an hour and a tenth of what
/// is left of the certificate's life (RTA-03 to RTA-05).
pub fn capped(wanted: Duration, remaining: Option<Duration>) -> Duration {
    let tenth = remaining.map_or(MAX_WAIT, |remaining| remaining / 10);
    wanted.min(MAX_WAIT).min(tenth).max(MIN_WAIT)
}

/// Waits that grow, vary at random, and have a ceiling (CLI-42).
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    taken: u32,
}

impl Backoff {
    /// The first wait is between half of this and the whole.
    const FIRST: Duration = Duration::from_secs(1);
    /// No wait is longer.
    const CEILING: Duration = Duration::from_mins(1);

    /// The next wait, `random` deciding where it lies between its half and its whole; `None` after [`MAX_REPEATS`].
    pub fn next(&mut self, random: u32) -> Option<Duration> {
        if self.taken >= MAX_REPEATS {
            return None;
        }
        let whole = (Self::FIRST * 2_u32.pow(self.taken)).min(Self::CEILING);
        self.taken += 1;
        Some(whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX)))
    }
}

/// For the jitter. Without randomness there is none, and the waits are as good otherwise.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    // [RTA-02] [RTA-06]
    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = http_date("Sun, 06 Nov 1994 08:47:37 GMT");
        assert_eq!(retry_after("120", date), Some(seconds(120)));
        assert_eq!(retry_after(DATE, date), Some(seconds(120)));
        assert_eq!(retry_after("Sunday, 06-Nov-94 08:49:37 GMT", date), Some(seconds(120)));
        assert_eq!(retry_after("Sun Nov  6 08:49:37 1994", date), Some(seconds(120)));
    }

    #[test]
    fn a_date_that_has_passed_is_no_wait_and_without_date_says_nothing() {
        assert_eq!(retry_after(DATE, http_date("Sun, 06 Nov 1994 09:00:00 GMT")), Some(seconds(0)));
        assert_eq!(retry_after(DATE, None), None);
        assert_eq!(retry_after("120", None), Some(seconds(120)));
    }

    #[test]
    fn anything_else_says_nothing() {
        for value in ["", "-1", "1.5", "soon", "1 second", "P1D"] {
            assert_eq!(retry_after(value, http_date(DATE)), None, "{value}");
        }
        assert_eq!(retry_after("99999999999999999999999", None), Some(MAX_WAIT));
    }

    // [RTA-04] [RTA-05]
    #[test]
    fn a_wait_is_at_least_a_second_and_at_most_an_hour_and_a_tenth_of_what_is_left() {
        assert_eq!(capped(seconds(0), None), seconds(1));
        assert_eq!(capped(seconds(90), None), seconds(90));
        assert_eq!(capped(seconds(90_000), None), seconds(3600));
        assert_eq!(capped(seconds(90_000), Some(seconds(600))), seconds(60));
        assert_eq!(capped(seconds(90_000), Some(seconds(0))), seconds(1));
    }

    // [CLI-42]
    #[test]
    fn backoff_grows_varies_and_ends() {
        let (mut low, mut high) = (Backoff::default(), Backoff::default());
        let mut before = Duration::ZERO;
        for _ in 0..MAX_REPEATS {
            let (least, most) =
                (low.next(0).expect("bounded"), high.next(u32::MAX).expect("bounded"));
            assert_eq!(least * 2, most);
            assert!(before < most && most <= Backoff::CEILING);
            before = most;
        }
        assert_eq!(low.next(0), None);
    }
}
