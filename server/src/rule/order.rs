//! Orders: placing, issuing, canceling, confirming, rolling back (SPEC.md 7.8 to 7.14, 10.1).

use koshin_protocol::cert_id::CertId;
use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::Use;
use koshin_protocol::state::order::{Effect, Event, Order as State, Predecessor};
use koshin_protocol::state::session::Need;
use koshin_protocol::time::{Period, Time};

use super::actor;
use super::cause::Cause;
use super::command::{Confirm, Delivery, Names, PlaceOrder, Placed, Reserve, Signed, Undo};
use super::refused::{Failure, Refused};
use super::row::{OrderRow, Reserved, Unfinished};
use super::session::offer;
use super::subject::{Certificate, Issuing, Order, Origin};
use super::transition::{Name, Transition};
use super::{Judged, Known};
use crate::audit::Principal;
use crate::id::OrderId;

/// Places a renewal order. The same key for the same certificate gives the same order (ORD-02).
///
/// `taken`: some certificate or order of the bank has that key.
pub fn place(
    known: &Known,
    place: &PlaceOrder,
    names: Names,
    taken: bool,
    now: Time,
) -> Result<Judged<Placed>, Failure> {
    let (_, certificate) = actor::session(known, place.session, Need::Renewal, now)?;
    if let Some(order) = known.subject.order_by_key(place.key) {
        let order = known.order_row(order)?;
        if order.replaces() == Some(&place.replaces) {
            return Ok(Judged::already(Placed { order, created: false })); // ORD-02
        }
    } else if taken && known.subject.chapter.is_some() {
        return Err(Failure::Chapter);
    }
    if certificate.id != place.replaces {
        return Err(Refused::ReplacesMismatch.into()); // ORD-03
    }
    if let Some(open) = known.subject.open_order() {
        return Err(Refused::OrderExists { order: open.id, key: open.key }.into()); // ORD-05
    }
    if taken {
        return Err(Refused::KeyReused.into()); // CSR-09
    }
    if now < place.window_opens {
        return Err(Refused::TooEarly { opens: place.window_opens }.into()); // ORD-08
    }
    let placed = State::renewal(certificate.state, certificate.validity(now))
        .map_err(|token| actor::refused(&known.subject, certificate, token, now))?; // ORD-09
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "orderPlaced", by);
    let order = Order {
        id: names.order,
        origin: Origin::Renewal(certificate.number),
        key_store: place.key_store.clone(),
        key: place.key,
        created: now,
        entered: now,
        state: placed.state,
        certificate: None,
        issuing: None,
    };
    transition.entry.say("replaces", place.replaces.as_str());
    let issued = place.issued.as_ref().map(|signed| (signed, names.certificate));
    insert(&mut transition, order, placed.effects, &place.csr, issued)?;
    Judged::of(known, transition, |after| created(after, names.order))
}

/// Adds a new order, with its certificate where the CA gave it already: then nobody ever sees it in `processing`.
pub(super) fn insert(
    transition: &mut Transition,
    order: Order,
    effects: &[Effect],
    csr: &[u8],
    issued: Option<(&Signed, u64)>,
) -> Result<(), Failure> {
    let id = order.id;
    transition.rows.names.push(Name::Key(order.key));
    transition.entry.say("order", id.to_string());
    transition.entry.say("key", order.key.to_string());
    let placed = order.clone();
    let issuing = Issuing { csr: csr.to_vec(), reserved: None, lease: None };
    transition.subject.orders.push(Order { issuing: Some(issuing), ..order });
    match issued {
        Some((signed, number)) => deliver(transition, id, signed, number)?,
        None => transition.entry.change("order", &id, placed.state.status().as_str()),
    }
    for effect in effects {
        transition.order_effect(&placed, *effect)?;
    }
    Ok(())
}

/// What is answered of an order that was just made.
pub(super) fn created(after: &Known, id: OrderId) -> Result<Placed, Failure> {
    Ok(Placed { order: row(after, id)?, created: true })
}

fn row(after: &Known, id: OrderId) -> Result<OrderRow, Failure> {
    after.order_row(find(after, id)?)
}

fn find(known: &Known, id: OrderId) -> Result<&Order, Failure> {
    match known.subject.order(id) {
        Some(order) => Ok(order),
        None if known.subject.chapter.is_some() => Err(Failure::Chapter),
        None => Err(Refused::NotFound.into()),
    }
}

/// Hands in a certificate: the order's machine says what becomes of it.
fn deliver(
    transition: &mut Transition,
    id: OrderId,
    signed: &Signed,
    number: u64,
) -> Result<(), Failure> {
    let order = transition.order(id)?;
    let effects = order.state.step(Event::Issued).map_or(&[][..], |stepped| stepped.effects);
    if effects.contains(&Effect::DiscardSecondCertificate) {
        return Ok(());
    }
    check_signed(transition, order, signed)?;
    if effects.contains(&Effect::RevokeLateCertificate) {
        let late = CertId::of(&signed.certificate);
        transition.list_revoked(&late, signed.certificate.not_after(), Cause::Late);
        transition.entry.say("lateCertificate", late.as_str());
        return Ok(());
    }
    let csr = order.issuing.as_ref().map(|issuing| issuing.csr.clone()).unwrap_or_default();
    transition.store_certificate(id, signed, number, csr)?;
    transition.order_event(id, Event::Issued)?;
    Ok(())
}

/// What the CA gives must be what was ordered, and nothing but what was reserved.
fn check_signed(transition: &Transition, order: &Order, signed: &Signed) -> Result<(), Failure> {
    let certificate = &signed.certificate;
    let reserved = order.issuing.as_ref().and_then(|issuing| issuing.reserved.as_ref());
    let fault = if certificate.key().thumbprint() != order.key {
        "is for another key than the order's"
    } else if certificate.subject().der() != transition.subject.name_der {
        "is for another name than the subject's"
    } else if reserved.is_some_and(|reserved| !contains_tbs(certificate.der(), &reserved.tbs)) {
        "does not have the bytes that were to be signed"
    } else {
        return Ok(());
    };
    Err(Failure::corrupt(format_args!("the certificate for order {} {fault}", order.id)))
}

/// Whether the signed part of a certificate is exactly these bytes: it follows the outer header, which is at most six
/// octets long.
fn contains_tbs(der: &[u8], tbs: &[u8]) -> bool {
    (2..=6).any(|header| der.get(header..).is_some_and(|body| body.starts_with(tbs)))
}

/// Takes the order to be issued until `lease`, unless somebody works on it or it is issued.
///
/// A lease that lies further ahead than `longest` was taken by a clock that was wrong, and is none.
pub fn take_up(
    known: &Known,
    id: OrderId,
    longest: Period,
    now: Time,
) -> Result<Judged<Option<Unfinished>>, Failure> {
    let order = find(known, id)?;
    let Some(issuing) = &order.issuing else { return Ok(Judged::already(None)) };
    let until = now.checked_add(longest).unwrap_or(now);
    if issuing.lease.is_some_and(|lease| now <= lease && lease <= until) {
        return Ok(Judged::already(None));
    }
    let mut transition = Transition::new(&known.subject, now, "issuingTakenUp", Principal::Bank);
    if let Some(issuing) = issuing_of(&mut transition, id) {
        issuing.lease = Some(until);
    }
    transition.entry.say("order", id.to_string());
    Judged::of(known, transition, |after| {
        let order = find(after, id)?;
        let reserved = order.issuing.as_ref().and_then(|issuing| issuing.reserved.clone());
        let csr = order.issuing.as_ref().map(|issuing| issuing.csr.clone()).unwrap_or_default();
        Ok(Some(Unfinished { order: after.order_row(order)?, csr, reserved }))
    })
}

fn issuing_of(transition: &mut Transition, id: OrderId) -> Option<&mut Issuing> {
    let mut orders = transition.subject.orders.iter_mut();
    orders.find(|order| order.id == id).and_then(|order| order.issuing.as_mut())
}

/// Reserves a serial and the bytes to be signed; what was reserved first stays.
pub fn reserve(known: &Known, reserve: &Reserve, now: Time) -> Result<Judged<Reserved>, Failure> {
    let id = reserve.order;
    let issuing = find(known, id)?.issuing.as_ref().ok_or(Refused::NotFound)?;
    if let Some(first) = &issuing.reserved {
        return Ok(Judged::already(first.clone()));
    }
    let mut transition = Transition::new(&known.subject, now, "signingReserved", Principal::Bank);
    if let Some(issuing) = issuing_of(&mut transition, id) {
        issuing.reserved = Some(reserve.reserved.clone());
    }
    let serial = koshin_protocol::base64url::encode(&reserve.reserved.serial);
    transition.entry.say("order", id.to_string());
    transition.entry.say("serial", serial);
    Judged::of(known, transition, |_| Ok(reserve.reserved.clone()))
}

/// Takes in a CA's certificate. Stored if the order is still `processing`, listed as revoked if it ended, thrown away if
/// the order has its certificate (ORD-13).
pub fn issued(
    known: &Known,
    id: OrderId,
    signed: &Signed,
    number: u64,
    now: Time,
) -> Result<Judged<Delivery>, Failure> {
    let before = find(known, id)?;
    let effects = before.state.step(Event::Issued).map_or(&[][..], |stepped| stepped.effects);
    if effects.contains(&Effect::DiscardSecondCertificate) {
        return Ok(Judged::already(Delivery::Discarded(row(known, id)?)));
    }
    let late = effects.contains(&Effect::RevokeLateCertificate);
    let mut transition = Transition::new(&known.subject, now, "certificateIssued", Principal::Bank);
    deliver(&mut transition, id, signed, number)?;
    Judged::of(known, transition, |after| {
        let order = row(after, id)?;
        Ok(if late { Delivery::Revoked(order) } else { Delivery::Stored(order) })
    })
}

/// Takes in a CA's final refusal.
pub fn issue_failed(
    known: &Known,
    id: OrderId,
    reason: &str,
    now: Time,
) -> Result<Judged<OrderRow>, Failure> {
    let before = find(known, id)?.state;
    let mut transition = Transition::new(&known.subject, now, "issueFailed", Principal::Bank);
    if transition.order_event(id, Event::IssueFailed)? == before {
        return Ok(Judged::already(row(known, id)?));
    }
    transition.entry.say("reason", reason);
    Judged::of(known, transition, |after| row(after, id))
}

/// Cancels an open order, on the word of a session of its subject.
pub fn cancel(known: &Known, undo: Undo, now: Time) -> Result<Judged<OrderRow>, Failure> {
    let (_, certificate) = actor::session(known, undo.session, Need::Renewal, now)?;
    let order = find(known, undo.order)?;
    key_fits(order, undo)?;
    let not_after = match order.origin {
        Origin::Renewal(number) => Some(known.certificate(number)?.not_after),
        Origin::Enrollment(_) => None,
    };
    let predecessor = Predecessor::at(now, not_after);
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "orderCanceled", by);
    let before = order.state;
    if transition.order_event(undo.order, Event::Cancel { predecessor })? == before {
        return Ok(Judged::already(row(known, undo.order)?));
    }
    Judged::of(known, transition, |after| row(after, undo.order))
}

/// Rolls a completed order back, on the word of a recovery session of its predecessor.
pub fn roll_back(known: &Known, undo: Undo, now: Time) -> Result<Judged<OrderRow>, Failure> {
    let (_, certificate) = actor::session(known, undo.session, Need::Recovery, now)?;
    let order = find(known, undo.order)?;
    if order.origin != Origin::Renewal(certificate.number) {
        return Err(Refused::NotFound.into());
    }
    key_fits(order, undo)?;
    let by = certificate.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "orderRolledBack", by);
    let before = order.state;
    if transition.order_event(undo.order, Event::Rollback { now })? == before {
        return Ok(Judged::already(row(known, undo.order)?));
    }
    Judged::of(known, transition, |after| row(after, undo.order))
}

fn key_fits(order: &Order, undo: Undo) -> Result<(), Refused> {
    if order.key == undo.key {
        Ok(())
    } else {
        Err(Refused::KeyMismatch { order: order.id, key: order.key })
    }
}

/// Completes an order, on the word of its new key.
pub fn confirm(known: &Known, confirm: Confirm, now: Time) -> Result<Judged<OrderRow>, Failure> {
    let certificate = known.certificate_by(confirm.fingerprint)?;
    if certificate.order != Some(confirm.order) {
        return Err(foreign_confirm(known, confirm, certificate, now));
    }
    let order = find(known, confirm.order)?;
    let by = confirm.fingerprint.into();
    let mut transition = Transition::new(&known.subject, now, "orderConfirmed", by);
    let offer = offer(&transition, order.id, confirm.rollback_within)?;
    let event = Event::Confirm { finality: confirm.finality, offer };
    if let Err(refused) = order.state.step(event) {
        return Err(transition.order_refused(order, refused.token).into());
    }
    actor::admit(known, certificate, Use::Confirm, now)?; // CFM-06
    if transition.order_event(order.id, event)? == order.state {
        return Ok(Judged::already(known.order_row(order)?));
    }
    Judged::of(known, transition, |after| row(after, confirm.order))
}

/// Why a certificate cannot confirm an order that is not its own (SPEC.md 7.13).
fn foreign_confirm(
    known: &Known,
    confirm: Confirm,
    certificate: &Certificate,
    now: Time,
) -> Failure {
    if let Err(refused) = actor::admit(known, certificate, Use::Confirm, now) {
        return refused.into();
    }
    let order = match find(known, confirm.order) {
        Ok(order) => order,
        Err(other) => return other,
    };
    match order.state {
        State::Processing(_) => {
            let by = certificate.fingerprint.into();
            let transition = Transition::new(&known.subject, now, "orderConfirmed", by);
            transition.order_refused(order, Token::OrderProcessing).into()
        }
        State::Valid(_)
        | State::Completed(_)
        | State::Canceled
        | State::Invalid(_)
        | State::RolledBack => Refused::KeyMismatch { order: order.id, key: order.key }.into(),
    }
}
