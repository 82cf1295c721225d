//! Getting certificates from the CA: at once where it signs at once, else later, over restarts (SPEC.md 14).

use std::time::Duration;

use koshin_protocol::certificate::Name;
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::state::order::Status;
use koshin_protocol::time::{Period, Time};

use crate::bank::Bank;
use crate::ca::{Answer, Basis, Customer, ToBeSigned, Validity};
use crate::error::Error;
use crate::mischief::Prank;
use crate::registry::Failure;
use crate::rule::command::{Delivery, Reserve, Signed};
use crate::rule::row::{OrderRow, Origin, Reserved, SubjectRow};

/// What clients are told while an order is `processing`.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long one node works on an order before it is taken up again, by another or by itself: a customer waits no longer than
/// this for the certificate of a CA that was slow for a moment. To be asked for the same bytes twice does a CA no harm.
const LEASE: Period = Period::from_seconds(5);

/// Orders taken up in one round.
const ROUND: u32 = 64;

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Whose name it bears.
    pub subject: &'a SubjectRow,
    /// The key that the CSR proved.
    pub key: &'a PublicKey,
    /// What decides how long it is valid.
    pub basis: Basis,
}

/// The certificate, from a CA that signs at once; order and certificate are then stored in one commit.
///
/// `None` leaves the order `processing`: the CA is slow, or the certificate cannot be made just now. Whoever asks is not
/// refused for that, since an accepted order is issued later.
pub async fn at_once(
    bank: &Bank,
    applicant: &Applicant<'_>,
    now: Time,
    prank: Option<Prank>,
) -> Result<Option<Signed>, Error> {
    if !bank.issuer.signs_at_once() || prank == Some(Prank::Processing) {
        return Ok(None);
    }
    let to_be_signed = prepare(bank, applicant, now)?;
    match bank.issuer.issue(&to_be_signed).await {
        Answer::Issued(certificate) => Ok(Some(Signed { certificate: *certificate })),
        Answer::Pending { .. } | Answer::Refused { .. } => Ok(None),
    }
}

fn prepare(bank: &Bank, applicant: &Applicant<'_>, now: Time) -> Result<ToBeSigned, Error> {
    let authority = bank.issuer.authority();
    let subject = Name::from_der(&applicant.subject.name_der).map_err(registry)?;
    let validity = Validity::of(applicant.basis, &bank.policy, authority, now).map_err(registry)?;
    Customer { subject: &subject, key: applicant.key, validity }
        .prepare(authority)
        .map_err(registry)
}

/// Asks the CA for the certificate of an order in `processing`, once. What comes of it is stored; what does not come is
/// asked for again by [`take_up`].
pub async fn ask(bank: &Bank, order: OrderRow, csr: &[u8], now: Time) -> Result<OrderRow, Error> {
    let Some(reserved) = reserve(bank, &order, csr, now).await? else {
        return Ok(bank.registry.order(order.id).await?.unwrap_or(order));
    };
    hand_in(bank, order, reserved, now).await
}

/// The same for an order that was just accepted: it is not refused any more, whatever the CA says now (ORD-12).
pub async fn try_now(bank: &Bank, order: OrderRow, csr: &[u8], now: Time) -> OrderRow {
    match ask(bank, order.clone(), csr, now).await {
        Ok(order) => order,
        Err(error) => {
            tracing::error!(order = %order.id, ?error, "not issued yet");
            order
        }
    }
}

/// Serial and bytes are stored before anybody signs them, so that a crash in between signs the same bytes again.
async fn reserve(
    bank: &Bank,
    order: &OrderRow,
    csr: &[u8],
    now: Time,
) -> Result<Option<Reserved>, Error> {
    let subject = bank.registry.subject(order.subject).await?;
    let subject = subject.ok_or_else(|| registry(format!("order {} has no subject", order.id)))?;
    let csr = Csr::from_der_of(&bank.policy.key_types, csr, bank.verifier)?;
    let basis = match &order.origin {
        Origin::Renewal { not_after, .. } => Basis::Renewal { predecessor: *not_after },
        Origin::Enrollment { .. } => Basis::Enrollment,
    };
    let to_be_signed = prepare(bank, &Applicant { subject: &subject, key: csr.key(), basis }, now)?;
    let reserved =
        Reserved { serial: to_be_signed.serial().to_vec(), tbs: to_be_signed.tbs().to_vec() };
    match bank.registry.reserve_signing(Reserve { order: order.id, reserved }, now).await {
        Ok(stored) => Ok(Some(stored)),
        // It ended meanwhile.
        Err(Failure::Refused(_)) => Ok(None),
        Err(Failure::Fault(fault)) => Err(fault.into()),
    }
}

async fn hand_in(
    bank: &Bank,
    order: OrderRow,
    reserved: Reserved,
    now: Time,
) -> Result<OrderRow, Error> {
    let request = ToBeSigned::stored(reserved.serial, reserved.tbs);
    match bank.issuer.issue(&request).await {
        Answer::Issued(certificate) => {
            let signed = Signed { certificate: *certificate };
            let delivery = bank.registry.issued(order.id, signed, bank.clock.now()).await?;
            Ok(match delivery {
                Delivery::Stored(order) => {
                    bank.metrics.certificate_issued();
                    bank.metrics.order_transition("processing", order.state.status().as_str());
                    order
                }
                Delivery::Revoked(order) => {
                    bank.metrics.certificates_revoked(1);
                    order
                }
                Delivery::Discarded(order) => order,
            })
        }
        Answer::Pending { .. } => Ok(order),
        Answer::Refused { reason } => {
            tracing::error!(order = %order.id, %reason, "the CA refused for good");
            let order = bank.registry.issue_failed(order.id, reason, now).await?;
            bank.metrics.order_transition("processing", order.state.status().as_str());
            Ok(order)
        }
    }
}

/// Takes up orders in `processing` that nobody works on: of a slow CA, or of a node that died. The answer is how many
/// there were. Meant to be called again and again while the bank serves.
///
/// Cancel-safe: what was not stored is asked for again when the lease has run out.
pub async fn take_up(bank: &Bank) -> Result<usize, Error> {
    let now = bank.clock.now();
    let unfinished = bank.registry.unfinished_orders(ROUND, LEASE, now).await?;
    let count = unfinished.len();
    for found in unfinished {
        let id = found.order.id;
        let asked = match found.reserved {
            Some(reserved) => hand_in(bank, found.order, reserved, now).await,
            None => ask(bank, found.order, &found.csr, now).await,
        };
        match asked {
            Ok(order) if order.state.status() == Status::Processing => {
                tracing::debug!(order = %id, "the CA has not issued yet");
            }
            Ok(order) => tracing::info!(order = %id, status = %order.state.status(), "taken up"),
            // One that cannot be issued must not keep the others waiting.
            Err(error) => tracing::error!(order = %id, ?error, "cannot be taken up"),
        }
    }
    Ok(count)
}

fn registry(error: impl std::fmt::Display) -> Error {
    Error::Registry(error.to_string())
}
