//! `pin` and `unlock` (SPEC.md 7.17, 7.18, 9.3).

use http::StatusCode;
use koshin_protocol::pin::{ChangePin, Unlock};

use super::session::settle_pin;
use crate::bank::Bank;
use crate::error::Error;
use crate::pin::PinHash;
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::store::Refused;
use crate::store::change::{Actor, PinCheck};
use crate::store::row::{ActiveSession, PinState, Purpose};

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
    let place = pins.place()?;
    let attempt = bank.store.begin_pin_attempt(subject.id, now).await?;
    let stored = attempt.hash.as_deref().map(PinHash::from_phc).transpose();
    let stored = stored.map_err(|error| Error::Registry(error.to_string()))?;
    let right = pins.verify(place, payload.old, stored.as_ref()).await?;
    let Some(hash) = attempt.hash.filter(|_| right) else {
        bank.metrics.pin_failed(attempt.left == 0);
        return Err(Error::PinWrong { left: attempt.left, role: subject.role });
    };
    let by = Actor::Session(session.id);
    let old = PinCheck::Verified { hash };
    let new = new.as_phc().to_owned();
    let set = bank.store.set_pin_hash(subject.id, new, old.clone(), by, now).await;
    settle_pin(bank, subject, &old, now, set.map_err(Error::from)).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Lets a user of the own contract try its PIN again.
pub async fn unlock(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    let Unlock { subject } = request.payload()?;
    let subject = subject.as_str().parse().map_err(|_| Error::from(Refused::SubjectUnknown))?;
    let by = Actor::Session(request.principal().id);
    bank.store.unlock(subject, by, request.now()).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
