//! `newOrder`, `findOrder`, the order, `cancel`, `confirm` and `rollback` (SPEC.md 7.8 to 7.14).

use http::StatusCode;
use koshin_protocol::csr::{Csr, CsrError};
use koshin_protocol::empty::Empty;
use koshin_protocol::order::{Cancel, Confirm, NewOrder, Rollback};
use koshin_protocol::problem::Token;
use koshin_protocol::state::certificate::Use;
use koshin_protocol::state::order::{Finality, Status};

use crate::bank::Bank;
use crate::ca::Basis;
use crate::error::Error;
use crate::issue::{self, Applicant};
use crate::reply::Reply;
use crate::request::{Authenticated, Reader};
use crate::store::change::{Confirm as ConfirmChange, PlaceOrder, Placed, Undo};
use crate::store::id::OrderId;
use crate::store::row::{ActiveSession, Holder, OrderRow, Origin, Purpose, Role, SubjectRow};
use crate::store::{OrderRefused, Refused};
use crate::wire;

/// Orders a renewal; the same key again finds the order that it made (ORD-02).
pub async fn create(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    let (session, now) = (request.principal(), request.now());
    let holder = &session.holder;
    let payload: NewOrder = request.payload()?;
    let csr = csr(bank, payload.csr.der());
    if let Ok(csr) = &csr
        && let Some(order) = bank.store.order_by_key(csr.key().thumbprint()).await?
        && order.subject == holder.subject.id
        && matches!(&order.origin, Origin::Renewal { replaces, .. } if *replaces == payload.replaces)
    {
        return answer(bank, &request, StatusCode::OK, &order);
    }
    if payload.replaces != holder.certificate.cert_id {
        return Err(Error::from(Refused::ReplacesMismatch));
    }
    if let Some(open) = &holder.order {
        return Err(Error::from(Refused::OrderExists { order: open.id, key: open.key }));
    }
    key_store(bank, payload.key_store.as_str())?;
    let csr = of_subject(csr?, &holder.subject)?;
    let window = bank.policy.window(holder.certificate.not_after);
    let basis = Basis::Renewal { predecessor: holder.certificate.not_after };
    let applicant = Applicant { subject: &holder.subject, key: csr.key(), basis };
    // The store refuses it, after it looked whether the key is new.
    let too_early = now < window.opens;
    let issued = if too_early { None } else { issue::at_once(bank, &applicant).await? };
    let place = PlaceOrder {
        session: session.id,
        replaces: payload.replaces,
        order: OrderId::random(),
        key_store: payload.key_store.to_string(),
        csr: csr.der().to_vec(),
        key: csr.key().thumbprint(),
        window_opens: window.opens,
        issued,
    };
    let placed = bank.store.place_order(place, now).await?;
    placed_answer(bank, &request, placed).await
}

/// Answers a new order or the one that was there; one that is still `processing` is handed to the CA.
pub(super) async fn placed_answer<P>(
    bank: &Bank,
    request: &Authenticated<P>,
    placed: Placed,
) -> Result<Reply, Error> {
    let mut order = placed.order;
    if placed.created {
        bank.metrics.order_transition("none", order.state.status().as_str());
        match order.state.status() {
            Status::Valid => bank.metrics.certificate_issued(),
            Status::Processing => order = issue::try_now(bank, order, request.now()).await,
            Status::Completed | Status::Canceled | Status::Invalid | Status::RolledBack => {}
        }
    }
    let status = if placed.created { StatusCode::CREATED } else { StatusCode::OK };
    answer(bank, request, status, &order)
}

/// The CSR, proved by its own key.
pub(super) fn csr(bank: &Bank, der: &[u8]) -> Result<Csr, CsrError> {
    Csr::from_der_of(&bank.policy.key_types, der, bank.verifier)
}

/// The CSR, if it is for this subject (CSR-08).
pub(super) fn of_subject(csr: Csr, subject: &SubjectRow) -> Result<Csr, Error> {
    if csr.subject().as_str() == subject.name { Ok(csr) } else { Err(Error::CsrSubject) }
}

/// Refuses a key store that policy does not list.
pub(super) fn key_store(bank: &Bank, name: &str) -> Result<(), Error> {
    if bank.policy.key_stores.iter().any(|listed| listed.as_str() == name) {
        Ok(())
    } else {
        Err(Error::KeyStore)
    }
}

/// Finds the order of the key that signed.
pub async fn find(
    bank: &Bank,
    request: &Authenticated<koshin_protocol::jwk::Thumbprint>,
) -> Result<Reply, Error> {
    let Empty {} = request.payload()?;
    let order = bank.store.order_by_key(*request.principal()).await?.ok_or(Error::OrderUnknown)?;
    answer(bank, request, StatusCode::OK, &order)
}

/// The order as it is now.
pub async fn read(bank: &Bank, request: &Authenticated<Reader>) -> Result<Reply, Error> {
    request.no_payload()?;
    let order = readable(bank, request).await?;
    let mut reply =
        Reply::json(StatusCode::OK, &wire::order(bank, &order, request.language(), request.now())?);
    if order.state.status() == Status::Processing {
        reply.retry_after(issue::RETRY_AFTER);
    }
    Ok(reply)
}

/// The order that the path names, if its reader may know of it (SPEC.md 5.5).
pub(super) async fn readable(
    bank: &Bank,
    request: &Authenticated<Reader>,
) -> Result<OrderRow, Error> {
    let order = bank.store.order(request.id()?).await?.ok_or(Error::NotFound)?;
    let may = match request.principal() {
        Reader::Key(key) => order.key == *key,
        Reader::Certificate(holder) => holder.certificate.order == Some(order.id),
        Reader::Session(session) => may_read(bank, session, &order).await?,
    };
    if may { Ok(order) } else { Err(Error::NotFound) }
}

async fn may_read(bank: &Bank, session: &ActiveSession, order: &OrderRow) -> Result<bool, Error> {
    let own = &session.holder.subject;
    if session.purpose == Purpose::Recovery {
        return Ok(session.holder.rollback.is_some_and(|replaced| replaced.order == order.id));
    }
    if order.subject == own.id {
        return Ok(true);
    }
    if own.role != Role::Administrator || order.contract != own.contract {
        return Ok(false);
    }
    let subject = bank.store.subject(order.subject).await?;
    Ok(subject.is_some_and(|subject| subject.role == Role::User))
}

/// Cancels an open order.
pub async fn cancel(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    let Cancel { key } = request.payload()?;
    let undo = Undo { session: request.principal().id, order: request.id()?, key };
    let order = bank.store.cancel_order(undo, request.now()).await?;
    bank.metrics.order_transition("open", "canceled");
    answer(bank, &request, StatusCode::OK, &order)
}

/// Completes an order, on the word of the new key.
pub async fn confirm(bank: &Bank, request: &Authenticated<Holder>) -> Result<Reply, Error> {
    let (holder, now) = (request.principal(), request.now());
    let named: Option<OrderId> = request.id().ok();
    // The order's own certificate is judged by the order's state first, in the store (SPEC.md 7.13).
    if holder.certificate.order.is_none() || holder.certificate.order != named {
        holder.admits(Use::Confirm, now)?;
    }
    let payload: Confirm = request.payload()?;
    let change = ConfirmChange {
        order: named.ok_or(Error::NotFound)?,
        fingerprint: holder.certificate.fingerprint,
        finality: if payload.is_final { Finality::Final } else { Finality::Revertible },
        rollback_within: bank.policy.rollback,
    };
    let order = bank.store.confirm_order(change, now).await?;
    bank.metrics.order_transition("valid", "completed");
    answer(bank, request, StatusCode::OK, &order)
}

/// Takes a completed renewal back.
pub async fn roll_back(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Recovery)?;
    let Rollback { key } = request.payload()?;
    let undo = Undo { session: request.principal().id, order: request.id()?, key };
    let order = bank.store.roll_back(undo, request.now()).await?;
    bank.metrics.order_transition("completed", "rolledBack");
    answer(bank, &request, StatusCode::OK, &order)
}

/// The token with which a certificate is refused that the order's status does not have (CER-03).
pub(super) fn refusal_of(status: Status, order: &OrderRow) -> Error {
    let token = match status {
        Status::Processing => Token::OrderProcessing,
        Status::Canceled => Token::OrderCanceled,
        Status::Invalid => Token::OrderInvalid,
        Status::RolledBack => Token::OrderRolledBack,
        Status::Valid | Status::Completed => return Error::NotFound,
    };
    let predecessor = match &order.origin {
        Origin::Renewal { replaces, .. } => Some(replaces.clone()),
        Origin::Enrollment { .. } => None,
    };
    let successor = order.certificate.as_ref().map(|certificate| certificate.cert_id.clone());
    let refused = OrderRefused { token, order: order.id, key: order.key, successor, predecessor };
    Refused::Order(refused).into()
}

fn answer<P>(
    bank: &Bank,
    request: &Authenticated<P>,
    status: StatusCode,
    order: &OrderRow,
) -> Result<Reply, Error> {
    let object = wire::order(bank, order, request.language(), request.now())?;
    let mut reply = Reply::json(status, &object).at(&object.url);
    if order.state.status() == Status::Processing {
        reply.retry_after(issue::RETRY_AFTER);
    }
    Ok(reply)
}
