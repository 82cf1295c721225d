//! Trying, setting and unlocking PINs (SPEC.md 7.17, 7.18, 9.3).

use koshin_protocol::state::session::Need;
use koshin_protocol::time::Time;

use super::actor::{self, Authority};
use super::command::{Attempt, PinCheck};
use super::refused::{Failure, Refused};
use super::subject::{PIN_ATTEMPTS, Pin, Subject};
use super::transition::Transition;
use super::{Judged, Known};
use crate::audit::Principal;
use crate::id::SessionId;

/// Counts an attempt before its hash is verified: parallel guesses are no more than guesses in a row (PIN-04).
pub fn begin_attempt(known: &Known, now: Time) -> Result<Judged<Attempt>, Failure> {
    let subject = &known.subject;
    let Some(pin) = &subject.pin else {
        return Ok(Judged::already(Attempt { hash: None, left: PIN_ATTEMPTS }));
    };
    if pin.attempts >= PIN_ATTEMPTS {
        return Err(Refused::PinLocked { role: subject.role }.into());
    }
    let attempts = pin.attempts + 1;
    let answer = Attempt { hash: Some(pin.hash.clone()), left: PIN_ATTEMPTS - attempts };
    let mut transition = Transition::new(subject, now, "pinAttempted", Principal::Bank);
    transition.subject.pin = Some(Pin { hash: pin.hash.clone(), attempts });
    transition.entry.say("attempt", attempts);
    Judged::of(known, transition, |_| Ok(answer))
}

/// Starts the count anew after a right PIN whose request was refused for something else (PIN-06). Changes nothing where
/// another PIN was set meanwhile.
pub fn was_right(known: &Known, hash: &str, now: Time) -> Judged<()> {
    match &known.subject.pin {
        Some(pin) if pin.hash == hash && pin.attempts > 0 => {
            let mut transition =
                Transition::new(&known.subject, now, "pinVerified", Principal::Bank);
            start_anew(&mut transition.subject);
            Judged::done(transition)
        }
        Some(_) | None => Judged::already(()),
    }
}

/// Accepts that the PIN was verified, unless another was set meanwhile: the count starts anew.
pub(super) fn verified(subject: &mut Subject, check: &PinCheck) -> Result<(), Refused> {
    let PinCheck::Verified { hash } = check else { return Ok(()) };
    match &subject.pin {
        Some(pin) if pin.hash == *hash => {
            start_anew(subject);
            Ok(())
        }
        other => {
            let attempts = other.as_ref().map_or(0, |pin| pin.attempts);
            Err(Refused::PinWrong { left: PIN_ATTEMPTS.saturating_sub(attempts) })
        }
    }
}

fn start_anew(subject: &mut Subject) {
    if let Some(pin) = &mut subject.pin {
        pin.attempts = 0;
    }
}

/// Lets a PIN be tried again.
pub fn unlock(known: &Known, by: &Authority, now: Time) -> Result<Judged<()>, Failure> {
    by.administers(&known.subject)?;
    let mut transition = Transition::new(&known.subject, now, "pinUnlocked", by.principal());
    start_anew(&mut transition.subject);
    Ok(Judged::done(transition))
}

/// Sets a subject's own PIN, the old one having been shown.
pub fn change(
    known: &Known,
    session: SessionId,
    new: &str,
    old: &PinCheck,
    now: Time,
) -> Result<Judged<()>, Failure> {
    let (_, certificate) = actor::session(known, session, Need::Renewal, now)?;
    if *old == PinCheck::NotAsked {
        return Err(Refused::NotAuthorized.into());
    }
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "pinSet", by);
    verified(&mut transition.subject, old)?;
    Ok(put(transition, new))
}

/// Sets anybody's PIN, for the bank.
pub fn set(known: &Known, by: &Authority, new: &str, now: Time) -> Result<Judged<()>, Failure> {
    by.is_staff()?;
    Ok(put(Transition::new(&known.subject, now, "pinSet", by.principal()), new))
}

fn put(mut transition: Transition, hash: &str) -> Judged<()> {
    transition.subject.pin = Some(Pin { hash: hash.to_owned(), attempts: 0 });
    Judged::done(transition)
}
