//! Logging on and off, and putting a renewal off (SPEC.md 7.4 to 7.6, 8.3).

use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::{Certificate as State, Use};
use koshin_protocol::state::order::{
    Completed, Event, Offer, Order as OrderState, RollbackRight,
};
use koshin_protocol::state::session::{Need, Reason};
use koshin_protocol::time::{Period, Time};

use super::actor;
use super::command::{LogOn, LoggedOn};
use super::pin::verified;
use super::refused::{Failure, Refused};
use super::row::{ActiveSession, Purpose};
use super::subject::{Certificate, Origin, Session};
use super::transition::Transition;
use super::{Judged, Known};
use crate::id::{OrderId, SessionId};

/// Logs on: ends the former session of the same certificate. The first logon with an unconfirmed successor confirms its
/// order.
pub fn log_on(
    known: &Known,
    log_on: &LogOn,
    id: SessionId,
    now: Time,
) -> Result<Judged<LoggedOn>, Failure> {
    let certificate = known.certificate_by(log_on.fingerprint)?;
    match log_on.purpose {
        Purpose::Renewal => actor::admit(known, certificate, Use::Logon, now)?,
        Purpose::Recovery => {
            actor::admit(known, certificate, Use::RecoveryLogon, now)?;
            may_roll_back(known, certificate, log_on.rollback_within, now)?;
        }
    }
    let mut transition =
        Transition::new(&known.subject, now, "loggedOn", log_on.fingerprint.into());
    verified(&mut transition.subject, &log_on.pin)?;
    let number = certificate.number;
    transition.end_sessions(Reason::NewLogon, |session| session.certificate == number);
    let confirmed = match log_on.purpose {
        Purpose::Renewal => first_use(&mut transition, certificate, log_on.rollback_within)?,
        Purpose::Recovery => None,
    };
    let expires = now.checked_add(log_on.absolute).unwrap_or(certificate.not_after);
    let session = Session {
        id,
        certificate: number,
        purpose: log_on.purpose,
        created: now,
        last_use: now,
        idle: log_on.idle,
        expires,
        deferred: false,
    };
    transition.subject.sessions.push(session.clone());
    transition.entry.change("session", &id, "active");
    transition.entry.say("purpose", log_on.purpose.as_str());
    transition.entry.say("environment", log_on.environment.as_str());
    Judged::of(known, transition, |after| {
        Ok(LoggedOn { session: after.active_session(&session)?, confirmed })
    })
}

/// Refuses a recovery logon that could not roll back (SES-05, SES-06).
fn may_roll_back(
    known: &Known,
    certificate: &Certificate,
    within: Option<Period>,
    now: Time,
) -> Result<(), Failure> {
    let Some(order) = known.subject.replacing(certificate.number) else {
        return Err(match known.subject.chapter {
            Some(_) => Failure::Chapter,
            None => Refused::NotAuthorized.into(),
        });
    };
    let token = match (order.state, within) {
        (_, None) => Token::RollbackDisabled,
        (OrderState::Completed(Completed { rollback }), Some(_)) => match rollback {
            RollbackRight::Until(until) if now <= until => return Ok(()),
            RollbackRight::Until(_) | RollbackRight::Ended => Token::RollbackEnded,
            RollbackRight::Disabled => Token::RollbackDisabled,
        },
        (
            OrderState::Processing(_)
            | OrderState::Valid(_)
            | OrderState::Canceled
            | OrderState::Invalid(_)
            | OrderState::RolledBack,
            Some(_),
        ) => Token::RollbackEnded,
    };
    let transition = Transition::new(&known.subject, now, "loggedOn", certificate.fingerprint.into());
    Err(transition.order_refused(order, token).into())
}

/// The first logon with a certificate confirms its order; the next ends the right to roll back.
fn first_use(
    transition: &mut Transition,
    certificate: &Certificate,
    rollback_within: Option<Period>,
) -> Result<Option<OrderId>, Failure> {
    let Some(order) = certificate.order else { return Ok(None) };
    match certificate.state {
        State::Unconfirmed => {
            let offer = offer(transition, order, rollback_within)?;
            transition.order_event(order, Event::FirstUse { offer })?;
            Ok(Some(order))
        }
        State::Current => {
            if transition.subject.order(order).is_some_and(|order| !order.is_final()) {
                transition.order_event(order, Event::FirstUse { offer: Offer::Disabled })?;
            }
            Ok(None)
        }
        State::Superseded | State::Revoked => Ok(None),
    }
}

/// What policy grants to an order that completes now: nothing once the predecessor has expired.
pub(super) fn offer(
    transition: &Transition,
    order: OrderId,
    within: Option<Period>,
) -> Result<Offer, Failure> {
    let Origin::Renewal(number) = transition.order(order)?.origin else {
        return Ok(Offer::Disabled);
    };
    let not_after = transition.certificate(number)?.not_after;
    Ok(Offer::at(transition.now, within, Some(not_after)))
}

/// Logs off.
pub fn log_off(known: &Known, id: SessionId, now: Time) -> Result<Judged<()>, Failure> {
    let (_, certificate) = actor::session(known, id, Need::Either, now)?;
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "loggedOff", by);
    transition.end_sessions(Reason::Logoff, |session| session.id == id);
    Ok(Judged::done(transition))
}

/// Records that the renewal of the session's certificate is put off.
pub fn defer(known: &Known, id: SessionId, now: Time) -> Result<Judged<ActiveSession>, Failure> {
    let (session, certificate) = actor::session(known, id, Need::Renewal, now)?;
    if let Some(open) = known.subject.open_order() {
        return Err(Refused::DeferralRefused { order: Some(open.id) }.into());
    }
    // A further deferral in the same session is answered and not counted (NTC-21).
    if session.deferred {
        return Ok(Judged::already(known.active_session(session)?));
    }
    let number = certificate.number;
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "renewalDeferred", by);
    for session in transition.subject.sessions.iter_mut().filter(|session| session.id == id) {
        session.deferred = true;
    }
    let certificates = transition.subject.certificates.iter_mut();
    for certificate in certificates.filter(|certificate| certificate.number == number) {
        certificate.deferrals += 1;
        certificate.deferred_at = Some(now);
    }
    transition.entry.say("certificate", certificate.id.as_str());
    Judged::of(known, transition, |after| after.active_session(session))
}
