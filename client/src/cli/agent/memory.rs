//! What the agent remembers of an identity beside its schedule: which certificate the hooks have seen, and which PIN's file
//! the bank refused. The PIN itself is remembered nowhere.

use std::time::Duration;

use koshin_client::identity::{Identity, IdentityError};
use koshin_client::schedule::Failure;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::problem::Token;
use koshin_protocol::time::{Period, Time};
use serde::{Deserialize, Serialize};

/// The file's name in the identity's folder.
const FILE: &str = "agent.json";

/// The pause after a hook's first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_mins(5);
const CEILING: Duration = Duration::from_hours(6);

/// Fewer wrong PINs than these are left to the user.
const LEFT_TO_THE_USER: u32 = 2;

/// What the agent remembers of an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Memory {
    /// The current certificate when the hook after a renewal last succeeded, or when the identity was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<CertId>,
    /// Whether the hook before a renewal was run, and that after it did not succeed yet.
    is_open: bool,
    /// Whether the agent has begun to renew the certificate that the hook has seen.
    is_renewing: bool,
    /// The last failure of a hook, if none succeeded since.
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<HookPause>,
    /// The file of the PIN that the bank refused, as it was then.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_pin: Option<String>,
}

/// When a hook that failed may run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct HookPause {
    times: u32,
    at: Time,
    again: Time,
}

/// What the hook after a renewal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// The agent renewed the certificate.
    Renewed,
    /// It is another one, and not by the agent: renewed by hand, imported, rolled back.
    Changed,
    /// The agent tried, and it is still the same.
    Failed,
}

impl Outcome {
    /// As in `KOSHIN_OUTCOME`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Renewed => "renewed",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

impl Memory {
    /// What was kept; a damaged file is as good as none.
    pub(crate) fn read(identity: &Identity) -> Result<Self, IdentityError> {
        let content = identity.read_note(FILE)?.unwrap_or_default();
        Ok(serde_json::from_slice(&content).unwrap_or_default())
    }

    /// Keeps it; durable when it returns.
    pub(crate) fn put(&self, identity: &Identity) -> Result<(), IdentityError> {
        let mut json = serde_json::to_vec_pretty(self).expect("times and names are JSON");
        json.push(b'\n');
        identity.put_note(FILE, &json)
    }

    /// A certificate that was there before anybody looked is nothing new. Whether that changed anything.
    pub(crate) fn meet(&mut self, current: Option<&CertId>) -> bool {
        let is_first = self.deployed.is_none() && current.is_some();
        if is_first {
            self.deployed = current.cloned();
        }
        is_first
    }

    /// Before the hook before a renewal.
    pub(crate) fn open(&mut self) {
        self.is_open = true;
    }

    /// Before a renewal.
    pub(crate) fn renew(&mut self) {
        self.is_renewing = true;
    }

    /// The hook before a renewal failed: nothing was begun that another would have to end.
    pub(crate) fn shut(&mut self) {
        self.is_open = false;
    }

    /// What the hook after a renewal is still to be told, if anything.
    pub(crate) fn owed(&self, current: Option<&CertId>) -> Option<Outcome> {
        if self.deployed.as_ref() == current {
            self.is_open.then_some(Outcome::Failed)
        } else if self.is_renewing {
            Some(Outcome::Renewed)
        } else {
            Some(Outcome::Changed)
        }
    }

    /// The hook after a renewal succeeded, or there is none.
    pub(crate) fn settle(&mut self, current: Option<&CertId>) {
        let Self { refused_pin, .. } = std::mem::take(self);
        *self = Self { deployed: current.cloned(), refused_pin, ..Self::default() };
    }

    /// A hook failed; the time before which none runs again.
    pub(crate) fn hook_failed(&mut self, now: Time, random: u32) -> Time {
        let times = self.hook.map_or(0, |hook| hook.times).saturating_add(1);
        let whole = FIRST.saturating_mul(1 << times.saturating_sub(1).min(8)).min(CEILING);
        let pause = whole + (whole / 10).mul_f64(f64::from(random) / f64::from(u32::MAX));
        let again = later(now, pause);
        self.hook = Some(HookPause { times, at: now, again });
        again
    }

    /// The hook before a renewal succeeded.
    pub(crate) fn hook_succeeded(&mut self) {
        self.hook = None;
    }

    /// Before which no hook runs; `None`: at once. A clock that was set back makes no pause longer.
    pub(crate) fn hook_earliest(&self, now: Time) -> Option<Time> {
        let open = self.hook.filter(|hook| (hook.at..hook.again).contains(&now));
        open.map(|hook| hook.again)
    }

    /// The bank refused the PIN of this file (or that there was none).
    pub(crate) fn pin_refused(&mut self, stamp: Option<&str>) {
        self.refused_pin = Some(stamp.unwrap_or_default().to_owned());
    }

    /// Whether the PIN may go to the bank after this failure: not the same one again, and never the user's last tries.
    pub(crate) fn may_send_pin(&self, failure: Option<&Failure>, stamp: Option<&str>) -> bool {
        let token = failure.and_then(|failure| failure.token.as_deref());
        let about_pin = [Token::PinWrong, Token::PinRequired].map(Token::as_str);
        let Some(failure) = failure.filter(|_| token.is_some_and(|it| about_pin.contains(&it)))
        else {
            return true;
        };
        let is_same = self.refused_pin.as_deref() == Some(stamp.unwrap_or_default());
        !is_same && failure.attempts_left.is_none_or(|left| left > LEFT_TO_THE_USER)
    }
}

fn later(time: Time, by: Duration) -> Time {
    let seconds = u32::try_from(by.as_secs()).unwrap_or(u32::MAX);
    time.checked_add(Period::from_seconds(seconds)).unwrap_or(Time::MAX)
}

#[cfg(test)]
mod tests {
    use koshin_client::Class;

    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix(1_800_000_000 + seconds).expect("a time")
    }

    fn id(serial: u8) -> CertId {
        CertId::new(&[1], &[serial]).expect("a name")
    }

    fn met() -> Memory {
        let mut memory = Memory::default();
        assert!(memory.meet(Some(&id(1))));
        assert!(!memory.meet(Some(&id(2))));
        memory
    }

    #[test]
    fn the_first_certificate_is_nothing_new_and_every_other_one_is() {
        let mut memory = met();
        assert_eq!(memory.owed(Some(&id(1))), None);
        assert_eq!(memory.owed(Some(&id(2))), Some(Outcome::Changed));
        memory.settle(Some(&id(2)));
        assert_eq!(memory.owed(Some(&id(2))), None);
    }

    #[test]
    fn whatever_the_hook_before_began_the_one_after_is_owed_until_it_succeeds() {
        let mut memory = met();
        memory.open();
        assert_eq!(memory.owed(Some(&id(1))), Some(Outcome::Failed));
        memory.renew();
        assert_eq!(memory.owed(Some(&id(2))), Some(Outcome::Renewed));
        memory.hook_failed(at(0), 0);
        assert_eq!(memory.owed(Some(&id(2))), Some(Outcome::Renewed));
        memory.settle(Some(&id(2)));
        assert_eq!((memory.owed(Some(&id(2))), memory.hook_earliest(at(0))), (None, None));
    }

    #[test]
    fn a_failing_hook_is_left_alone_for_longer_and_longer_up_to_a_limit() {
        let mut memory = met();
        for minutes in [5, 10, 20, 40, 80, 160, 320, 360, 360] {
            assert_eq!(memory.hook_failed(at(0), 0), at(minutes * 60));
        }
        assert_eq!(memory.hook_earliest(at(360 * 60 - 1)), Some(at(360 * 60)));
        assert_eq!(memory.hook_earliest(at(360 * 60)), None);
        assert_eq!(memory.hook_earliest(at(-1)), None);
    }

    fn refused(token: &str, attempts_left: Option<u32>) -> Failure {
        Failure {
            times: 1,
            at: at(0),
            again: at(3600),
            class: Class::Act,
            reason: String::new(),
            token: Some(token.to_owned()),
            attempts_left,
        }
    }

    #[test]
    fn a_refused_pin_is_not_sent_again_before_its_file_changed() {
        let mut memory = met();
        let failure = refused("pinWrong", Some(4));
        memory.pin_refused(Some("1"));
        assert!(!memory.may_send_pin(Some(&failure), Some("1")));
        assert!(memory.may_send_pin(Some(&failure), Some("2")));
        memory.pin_refused(None);
        let failure = refused("pinRequired", None);
        assert!(!memory.may_send_pin(Some(&failure), None));
        assert!(memory.may_send_pin(Some(&failure), Some("1")));
    }

    #[test]
    fn the_last_tries_are_the_users() {
        let mut memory = met();
        memory.pin_refused(Some("1"));
        assert!(memory.may_send_pin(Some(&refused("pinWrong", Some(3))), Some("2")));
        assert!(!memory.may_send_pin(Some(&refused("pinWrong", Some(2))), Some("2")));
    }

    #[test]
    fn other_failures_do_not_hold_the_pin_back() {
        let mut memory = met();
        memory.pin_refused(Some("1"));
        assert!(memory.may_send_pin(Some(&refused("unavailable", None)), Some("1")));
        assert!(memory.may_send_pin(None, Some("1")));
    }
}
