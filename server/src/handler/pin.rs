//! `pin` and `unlock`, and trying a PIN (SPEC.md 7.17, 7.18, 9.3).

use std::sync::Arc;

use http::StatusCode;
use koshin_protocol::pin::{ChangePin, Pin, Unlock};
use koshin_protocol::time::Time;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::bank::Bank;
use crate::error::Error;
use crate::pin::{PinError, PinHash, Pins, Place};
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::rule::command::{Actor, Attempt, PinCheck};
use crate::id::SubjectId;
use crate::rule::row::{ActiveSession, PinState, Purpose, SubjectRow};
use crate::registry::Registry;
use crate::rule::refused::Refused;
use crate::watch::Metrics;

/// Changes the session's subject's own PIN.
pub async fn change(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    let payload: ChangePin = request.payload()?;
    let (session, now) = (request.principal(), request.now());
    let subject = &session.holder.subject;
    let (Some(pins), Some(rules)) = (&bank.pins, &bank.policy.pin) else {
        return Err(Error::NotAuthorized);
    };
    match subject.pin {
        PinState::None => return Err(Error::NotAuthorized),
        PinState::Locked => return Err(Refused::PinLocked { role: subject.role }.into()),
        PinState::Set => {}
    }
    if payload.old == payload.new {
        return Err(Error::PinUnacceptable);
    }
    if !rules.rule.admits(&payload.new) {
        return Err(Error::PinUnacceptable);
    }
    // Before the attempt is counted, so that nothing but a wrong PIN counts as one.
    let new = pins.hash(payload.new).await?;
    let hash = attempt(bank, pins, subject, payload.old, now).await?;
    let by = Actor::Session(session.id);
    let old = PinCheck::Verified { hash };
    let new = new.as_phc().to_owned();
    let set = bank.registry.set_pin_hash(subject.id, new, old.clone(), by, now).await;
    settle(bank, subject, &old, now, set.map_err(Error::from)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Lets a user of the own contract try its PIN again.
pub async fn unlock(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    let Unlock { subject } = request.payload()?;
    let subject = subject.as_str().parse().map_err(|_| Error::from(Refused::SubjectUnknown))?;
    let by = Actor::Session(request.principal().id);
    bank.registry.unlock(subject, by, request.now()).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Tries a PIN; the answer is the hash that it fitted.
///
/// The attempt is counted before it is looked at, so that guesses in parallel are no more than guesses in a row. It goes on
/// when the peer goes away: somebody whose line breaks again and again while the right PIN is checked is not locked out.
pub(super) async fn attempt(
    bank: &Bank,
    pins: &Pins,
    subject: &SubjectRow,
    claimed: Pin,
    now: Time,
) -> Result<String, Error> {
    let trial = Trial {
        registry: Arc::clone(&bank.registry),
        pins: pins.clone(),
        metrics: Arc::clone(&bank.metrics),
        subject: subject.id,
        now,
    };
    let place = pins.place()?;
    let (tell, told) = oneshot::channel();
    // What nobody waits for any more is dropped, and a right PIN then says so itself.
    tokio::spawn(async move { drop(tell.send(trial.run(claimed, place).await)) });
    match told.await.map_err(|_| PinError::System)?? {
        Tried::Right(right) => Ok(right.heard()),
        Tried::Wrong { left } => Err(Error::PinWrong { left, role: subject.role }),
    }
}

struct Trial {
    registry: Arc<Registry>,
    pins: Pins,
    metrics: Arc<Metrics>,
    subject: SubjectId,
    now: Time,
}

enum Tried {
    Right(Right),
    Wrong { left: u32 },
}

impl Trial {
    async fn run(self, claimed: Pin, place: Place) -> Result<Tried, Error> {
        let Attempt { hash, left } = self.registry.begin_pin_attempt(self.subject, self.now).await?;
        let stored = hash.as_deref().map(PinHash::from_phc).transpose();
        let stored = stored.map_err(|error| Error::Registry(error.to_string()))?;
        let right = self.pins.verify(place, claimed, stored.as_ref()).await?;
        let Self { registry, metrics, subject, now, .. } = self;
        Ok(match hash {
            Some(hash) if right => Tried::Right(Right { registry, subject, hash: Some(hash), now }),
            Some(_) | None => {
                metrics.pin_failed(left == 0);
                Tried::Wrong { left }
            }
        })
    }
}

/// A right PIN. Where nobody hears of it, it starts the count anew by itself.
struct Right {
    registry: Arc<Registry>,
    subject: SubjectId,
    hash: Option<String>,
    now: Time,
}

impl Right {
    /// The hash that it fitted, for whoever goes on with it.
    fn heard(mut self) -> String {
        self.hash.take().expect("it is taken here alone")
    }
}

impl Drop for Right {
    fn drop(&mut self) {
        let (Some(hash), Ok(runtime)) = (self.hash.take(), Handle::try_current()) else { return };
        let (registry, subject, now) = (Arc::clone(&self.registry), self.subject, self.now);
        runtime.spawn(async move {
            if let Err(error) = registry.pin_was_right(subject, hash, now).await {
                tracing::warn!(?error, "a right PIN counts as a wrong one");
            }
        });
    }
}

/// The outcome of a request whose PIN was checked. A right one starts the count anew also where the request is refused for
/// something else (PIN-06): only a transition that is made does so by itself.
pub(super) async fn settle<T>(
    bank: &Bank,
    subject: &SubjectRow,
    pin: &PinCheck,
    now: Time,
    outcome: Result<T, Error>,
) -> Result<T, Error> {
    if let (Err(_), PinCheck::Verified { hash }) = (&outcome, pin) {
        bank.registry.pin_was_right(subject.id, hash.clone(), now).await?;
    }
    outcome
}
