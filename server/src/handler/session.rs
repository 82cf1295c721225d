//! `newSession`, the session, `logoff` and `defer` (SPEC.md 7.4 to 7.6, 8.3, 9).

use http::StatusCode;
use koshin_protocol::environment::{Environment, supports};
use koshin_protocol::pin::Pin;
use koshin_protocol::problem::Token;
use koshin_protocol::session::NewSession;
use koshin_protocol::state::certificate::{Certificate, Use};
use koshin_protocol::time::Time;
use serde::Deserialize;

use super::pin::{attempt, settle};
use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::route::Route;
use crate::store::change::{LogOn, PinCheck};
use crate::store::id::SessionId;
use crate::store::row::{ActiveSession, Holder, PinState, Purpose, RollbackRight, SubjectRow};
use crate::store::{OrderRefused, Refused};
use crate::wire;

/// Logs on.
pub async fn create(bank: &Bank, request: Authenticated<Holder>) -> Result<Reply, Error> {
    let (holder, now) = (request.principal(), request.now());
    let payload: Result<NewSession, Error> = request.payload();
    // Stage `signer` comes before the form of the payload, which alone says what the logon is for.
    let purpose = match &payload {
        Ok(payload) => payload.purpose,
        Err(_) => request.glimpse().map_or(Purpose::Renewal, |Declared { purpose }| purpose),
    };
    admit(holder, purpose, now)?;
    let payload = payload?;
    if purpose == Purpose::Recovery {
        may_recover(bank, holder, now)?;
    }
    environment(bank, &payload.environment)?;
    let pin = check_pin(bank, &holder.subject, payload.pin.as_ref(), now).await?;
    let log_on = LogOn {
        fingerprint: holder.certificate.fingerprint,
        purpose: payload.purpose,
        environment: serde_json::to_string(&payload.environment).expect("an environment is JSON"),
        session: SessionId::random(),
        pin: pin.clone(),
        idle: bank.policy.session.idle,
        absolute: bank.policy.session.absolute,
        rollback_within: bank.policy.rollback,
    };
    let logged_on = bank.store.log_on(log_on, now).await.map_err(Error::from);
    let logged_on = settle(bank, &holder.subject, &pin, now, logged_on).await?;
    if logged_on.confirmed.is_some() {
        bank.metrics.order_transition("valid", "completed");
    }
    let session = wire::session(bank, &logged_on.session, now)?;
    let url = bank.urls.of(&Route::Session(logged_on.session.id.to_string()));
    Ok(Reply::json(StatusCode::CREATED, &session).at(&url))
}

/// What a payload says of its purpose, whatever else is wrong with it.
#[derive(Deserialize)]
struct Declared {
    purpose: Purpose,
}

/// Stage `signer`: only for a recovery may the certificate be superseded.
fn admit(holder: &Holder, purpose: Purpose, now: Time) -> Result<(), Error> {
    let wanted = match (purpose, holder.certificate.state) {
        (Purpose::Recovery, Certificate::Superseded) => Use::RecoveryLogon,
        (Purpose::Renewal | Purpose::Recovery, _) => Use::Logon,
    };
    holder.admits(wanted, now)
}

/// The first checks of a recovery in stage `state` (SPEC.md 7.4): the store makes them again when it logs on.
fn may_recover(bank: &Bank, holder: &Holder, now: Time) -> Result<(), Error> {
    let rollback = match (holder.certificate.state, holder.rollback) {
        (Certificate::Superseded, Some(rollback)) => rollback,
        // An import superseded it: there is no order to roll back.
        (Certificate::Superseded, None) => {
            let successor = holder.successor.clone();
            return Err(Refused::CertificateSuperseded { successor }.into());
        }
        (Certificate::Unconfirmed | Certificate::Current | Certificate::Revoked, _) => {
            return Err(Refused::NotSuperseded.into());
        }
    };
    let refused = |token| {
        Err(Refused::Order(OrderRefused {
            token,
            order: rollback.order,
            key: rollback.key,
            successor: holder.successor.clone(),
            predecessor: Some(holder.certificate.cert_id.clone()),
        })
        .into())
    };
    match (bank.policy.rollback, rollback.right) {
        (None, _) | (Some(_), RollbackRight::Disabled) => refused(Token::RollbackDisabled),
        (Some(_), RollbackRight::Until(until)) if now <= until => Ok(()),
        (Some(_), RollbackRight::Until(_) | RollbackRight::Ended) => refused(Token::RollbackEnded),
    }
}

/// Refuses what the bank does not support, before anything changes.
pub(super) fn environment(bank: &Bank, environment: &Environment) -> Result<(), Error> {
    if supports(&bank.policy.environments, environment) { Ok(()) } else { Err(Error::Environment) }
}

/// Checks the PIN where the bank asks for it.
pub(super) async fn check_pin(
    bank: &Bank,
    subject: &SubjectRow,
    claimed: Option<&Pin>,
    now: Time,
) -> Result<PinCheck, Error> {
    let asked = bank.policy.pin.as_ref().is_some_and(|rules| rules.rule.required());
    let Some(pins) = bank.pins.as_ref().filter(|_| asked && subject.pin != PinState::None) else {
        return Ok(PinCheck::NotAsked);
    };
    if subject.pin == PinState::Locked {
        return Err(Refused::PinLocked { role: subject.role }.into());
    }
    let claimed = claimed.ok_or(Error::PinRequired)?;
    let hash = attempt(bank, pins, subject, claimed.clone(), now).await?;
    Ok(PinCheck::Verified { hash })
}

/// The session as it is now.
pub fn read(bank: &Bank, request: &Authenticated<ActiveSession>) -> Result<Reply, Error> {
    request.no_payload()?;
    let session = wire::session(bank, request.principal(), request.now())?;
    Ok(Reply::json(StatusCode::OK, &session))
}

/// Logs off.
pub async fn log_off(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let koshin_protocol::empty::Empty {} = request.payload()?;
    bank.store.log_off(request.principal().id, request.now()).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// Puts the renewal off until the next logon.
pub async fn defer(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    let koshin_protocol::empty::Empty {} = request.payload()?;
    let now = request.now();
    let certificate = &request.principal().holder.certificate;
    if !bank.policy.window(certificate.not_after).contains(now) {
        let order = request.principal().holder.order.map(|open| open.id);
        return Err(Refused::DeferralRefused { order }.into());
    }
    let session = bank.store.defer(request.principal().id, now).await?;
    Ok(Reply::json(StatusCode::OK, &wire::session(bank, &session, now)?))
}
