//! What was tried, and when it may be tried again (SPEC.md CLI-44).

use std::time::Duration;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::problem::Extra;
use koshin_protocol::time::Time;
use serde::{Deserialize, Serialize};

use super::later;
use crate::error::{Class, Error};

/// The shortest pause after a failure.
const FIRST: Duration = Duration::from_hours(1);

/// The longest.
const CEILING: Duration = Duration::from_hours(24);

/// How soon what is not finished, and did not fail, is looked at again.
const UNFINISHED: Duration = Duration::from_mins(15);

/// Attempts that began and did not end, in a row, before there is a pause: whoever dies again and again is not
/// started again and again.
const CRASHES: u32 = 3;

/// The attempts at renewing one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attempts {
    /// Which one; `None` before the first.
    #[serde(rename = "certID", skip_serializing_if = "Option::is_none")]
    cert_id: Option<CertId>,
    /// When the last attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    begun: Option<Time>,
    /// Attempts in a row that began and did not end, the last one included.
    unfinished: u32,
    /// The last failure, if nothing went well since.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// Not to be looked at before, though nothing failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<Time>,
}

/// A failure, and what it means for the next attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// How many in a row.
    pub times: u32,
    /// When it was, by this machine's clock.
    pub at: Time,
    /// No attempt before this.
    pub again: Time,
    /// Who acts next.
    pub class: Class,
    /// What happened.
    pub reason: String,
    /// The bank's token for it, if it refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The PIN was wrong, and so many wrong ones are left until the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<u32>,
}

impl Attempts {
    /// Before an attempt; durable before the attempt begins.
    pub fn begin(&mut self, of: Option<CertId>, now: Time) {
        if self.cert_id != of {
            *self = Self { cert_id: of, ..Self::default() };
        }
        self.begun = Some(now);
        self.unfinished = self.unfinished.saturating_add(1);
        self.again = None;
    }

    /// After an attempt that went well.
    pub fn succeeded(&mut self) {
        *self = Self { cert_id: self.cert_id.take(), begun: self.begun, ..Self::default() };
    }

    /// After an attempt that neither failed nor finished: the bank has not issued yet, or it is too early.
    pub fn unfinished(&mut self, now: Time) {
        self.unfinished = 0;
        self.again = Some(later(now, UNFINISHED));
    }

    /// After an attempt that its own program stopped: it may be taken up at once.
    pub fn interrupted(&mut self) {
        self.unfinished = 0;
    }

    /// After a failure. The pause is at least an hour, and grows, `random` making it up to a tenth longer; while little is
    /// left of the certificate (`remaining`) it grows less.
    pub fn failed(
        &mut self,
        error: &Error,
        now: Time,
        remaining: Duration,
        random: u32,
    ) -> &mut Failure {
        let times = self.failure.as_ref().map_or(0, |failure| failure.times).saturating_add(1);
        let problem = error.problem();
        let attempts_left = problem.and_then(|problem| match &problem.extra {
            Extra::AttemptsLeft(left) => Some(*left),
            _ => None,
        });
        let wanted = error.retry_after().unwrap_or_default();
        self.unfinished = 0;
        self.failure.insert(Failure {
            times,
            at: now,
            again: later(now, pause(times, remaining, random).max(wanted)),
            class: error.class(),
            reason: crate::error::printable(&error.to_string()),
            token: error.token().map(|token| token.as_str().to_owned()),
            attempts_left,
        })
    }

    /// Whether an attempt at this certificate was begun.
    pub fn is_about(&self, of: Option<&CertId>) -> bool {
        self.begun.is_some() && self.cert_id.as_ref() == of
    }

    /// The last failure at this certificate, if nothing went well since.
    pub fn failure(&self, of: Option<&CertId>) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.cert_id.as_ref() == of)
    }

    /// No attempt before this; `None`: at once. A clock that was set back makes no pause longer than it was.
    pub fn earliest(&self, of: Option<&CertId>, now: Time) -> Option<Time> {
        if self.cert_id.as_ref() != of {
            return None;
        }
        let failure = self.failure.as_ref().map(|failure| (failure.at, failure.again));
        let crashed = self.begun.filter(|_| self.unfinished >= CRASHES);
        let crashed = crashed.map(|begun| (begun, later(begun, FIRST)));
        let unfinished = self.begun.zip(self.again);
        let pauses = [failure, crashed, unfinished].into_iter().flatten();
        let open = pauses.filter(|(since, until)| (*since..*until).contains(&now));
        open.map(|(_, until)| until).max()
    }
}

/// How long nothing is tried after so many failures in a row.
fn pause(times: u32, remaining: Duration, random: u32) -> Duration {
    let grown = FIRST.saturating_mul(1 << times.saturating_sub(1).min(8));
    let whole = grown.min(CEILING).min(remaining / 8).max(FIRST);
    whole + (whole / 10).mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Asked, NoAnswer};

    const HOUR: i64 = 3600;
    const YEAR: Duration = Duration::from_hours(24 * 365);

    fn at(seconds: i64) -> Time {
        Time::from_unix(1_800_000_000 + seconds).expect("a time")
    }

    fn id(serial: u8) -> CertId {
        CertId::new(&[1], &[serial]).expect("a name")
    }

    fn error() -> Error {
        Error::NoAnswer { asked: Asked::Directory, cause: NoAnswer::Status(502), retry_after: None }
    }

    fn failed(times: u32) -> Attempts {
        let mut attempts = Attempts::default();
        for _ in 0..times {
            attempts.begin(Some(id(1)), at(0));
            attempts.failed(&error(), at(0), YEAR, 0);
        }
        attempts
    }

    // [CLI-44]
    #[test]
    fn after_a_failure_nothing_begins_for_an_hour_and_then_for_longer() {
        for (times, hours) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 24), (60, 24)] {
            let attempts = failed(times);
            let until = attempts.earliest(Some(&id(1)), at(hours * HOUR - 1));
            assert_eq!(until, Some(at(hours * HOUR)), "{times}");
            assert_eq!(attempts.earliest(Some(&id(1)), at(hours * HOUR)), None, "{times}");
        }
    }

    #[test]
    fn pauses_vary_and_shrink_towards_the_end_but_never_below_an_hour() {
        assert_eq!(pause(1, YEAR, u32::MAX), FIRST + FIRST / 10);
        assert_eq!(pause(6, Duration::from_hours(40), 0), Duration::from_hours(5));
        assert_eq!(pause(6, Duration::from_mins(5), 0), FIRST);
    }

    #[test]
    fn another_certificate_has_no_failures() {
        let mut attempts = failed(3);
        assert_eq!(attempts.earliest(Some(&id(2)), at(1)), None);
        assert!(
            attempts.failure(Some(&id(2))).is_none() && attempts.failure(Some(&id(1))).is_some()
        );
        attempts.begin(Some(id(2)), at(1));
        assert_eq!(attempts.earliest(Some(&id(2)), at(1)), None);
    }

    #[test]
    fn success_ends_the_pauses() {
        let mut attempts = failed(3);
        attempts.begin(Some(id(1)), at(4 * HOUR));
        attempts.succeeded();
        assert_eq!(attempts.earliest(Some(&id(1)), at(4 * HOUR)), None);
        assert!(attempts.failure(Some(&id(1))).is_none());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_make_a_pause_longer() {
        assert_eq!(failed(1).earliest(Some(&id(1)), at(-1)), None);
    }

    #[test]
    fn a_killed_attempt_is_taken_up_at_once_but_not_for_ever() {
        let mut attempts = Attempts::default();
        for _ in 1..CRASHES {
            attempts.begin(Some(id(1)), at(0));
            assert_eq!(attempts.earliest(Some(&id(1)), at(0)), None);
        }
        attempts.begin(Some(id(1)), at(0));
        assert_eq!(attempts.earliest(Some(&id(1)), at(0)), Some(at(HOUR)));
        assert_eq!(attempts.earliest(Some(&id(1)), at(HOUR)), None);
    }

    #[test]
    fn what_is_not_finished_is_looked_at_again_soon() {
        let mut attempts = Attempts::default();
        attempts.begin(Some(id(1)), at(0));
        attempts.unfinished(at(60));
        assert_eq!(attempts.earliest(Some(&id(1)), at(60)), Some(at(60 + 15 * 60)));
    }

    #[test]
    fn the_banks_wish_to_be_left_alone_counts_where_it_is_longer() {
        let mut attempts = Attempts::default();
        attempts.begin(Some(id(1)), at(0));
        attempts.failed(&Error::ComeBack(Duration::from_hours(3)), at(0), YEAR, 0);
        assert_eq!(attempts.earliest(Some(&id(1)), at(0)), Some(at(3 * HOUR)));
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let attempts = failed(2);
        let json = serde_json::to_string(&attempts).expect("JSON");
        assert_eq!(serde_json::from_str::<Attempts>(&json).expect("read"), attempts);
    }
}
