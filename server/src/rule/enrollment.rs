//! Redeeming an enrollment code (SPEC.md 7.19, 13.5).

use koshin_protocol::state::order::Order as State;
use koshin_protocol::state::reissue::Event;
use koshin_protocol::time::Time;

use super::command::{Enroll, Names, Placed};
use super::order::{created, insert};
use super::pin::verified;
use super::refused::{Failure, Refused};
use super::reissue::refused;
use super::subject::{Order, Origin, Reissue};
use super::transition::Transition;
use super::{Judged, Known};
use crate::audit::Principal;
use crate::id::ReissueId;

/// Refuses a code that is not to be redeemed any more, and answers the order where this key redeemed it (ENR-12, ENR-13).
/// It is what is decided before the requester's environment, PIN and CSR are looked at.
pub fn begin(
    known: &Known,
    reissue: ReissueId,
    key: koshin_protocol::jwk::Thumbprint,
    now: Time,
) -> Result<Option<Placed>, Failure> {
    let reissue = find(known, reissue)?;
    if let Some(order) = reissue.order.and_then(|order| known.subject.order(order))
        && order.key == key
    {
        return Ok(Some(Placed { order: known.order_row(order)?, created: false }));
    }
    known.enabled()?;
    match reissue.state.step(Event::Redeem { now }) {
        Ok(_) => Ok(None),
        Err(refusal) => Err(refused(&known.subject, reissue, refusal.token)),
    }
}

/// Redeems a code. The same key gives the same order.
///
/// `taken`: some certificate or order of the bank has that key.
pub fn redeem(
    known: &Known,
    enroll: &Enroll,
    names: Names,
    taken: bool,
    now: Time,
) -> Result<Judged<Placed>, Failure> {
    if let Some(placed) = begin(known, enroll.reissue, enroll.key, now)? {
        return Ok(Judged::already(placed));
    }
    if taken {
        return Err(Refused::KeyReused.into()); // CSR-09
    }
    let by = Principal::Key(enroll.key.to_string());
    let mut transition = Transition::new(&known.subject, now, "enrolled", by);
    transition.entry.say("reissue", enroll.reissue.to_string());
    transition.entry.say("environment", enroll.environment.as_str());
    transition.reissue_event(enroll.reissue, Event::Redeem { now })?;
    verified(&mut transition.subject, &enroll.pin)?;
    let reissues = transition.subject.reissues.iter_mut();
    for reissue in reissues.filter(|reissue| reissue.id == enroll.reissue) {
        reissue.order = Some(names.order);
    }
    let placed = State::enrollment();
    let order = Order {
        id: names.order,
        origin: Origin::Enrollment(enroll.reissue),
        key_store: enroll.key_store.clone(),
        key: enroll.key,
        created: now,
        entered: now,
        state: placed.state,
        certificate: None,
        issuing: None,
    };
    let issued = enroll.issued.as_ref().map(|signed| (signed, names.certificate));
    insert(&mut transition, order, placed.effects, &enroll.csr, issued)?;
    Judged::of(known, transition, |after| created(after, names.order))
}

fn find(known: &Known, id: ReissueId) -> Result<&Reissue, Failure> {
    match known.subject.reissue(id) {
        Some(reissue) => Ok(reissue),
        None if known.subject.chapter.is_some() => Err(Failure::Chapter),
        None => Err(Refused::EnrollmentRefused { role: known.subject.role }.into()),
    }
}
