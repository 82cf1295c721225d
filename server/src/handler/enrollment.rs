//! `newEnrollment`: a one-time code becomes a certificate (SPEC.md 7.19, 13.5).

use koshin_protocol::binding::{Binding, BindingError};
use koshin_protocol::enrollment::NewEnrollment;
use koshin_protocol::json;
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::jws::JwsError;
use koshin_protocol::state::reissue::Status;

use super::pin::settle;
use super::{order, session};
use crate::bank::Bank;
use crate::ca::Basis;
use crate::error::Error;
use crate::issue::{self, Applicant};
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::route::Route;
use crate::store::change::{Enroll, PinCheck, Placed};
use crate::store::id::{OrderId, ReissueId};
use crate::store::row::{Origin, ReissueRow};

/// Redeems a code; the same key again finds the order that it made.
pub async fn create(bank: &Bank, request: &Authenticated<Thumbprint>) -> Result<Reply, Error> {
    let payload: NewEnrollment = request.payload()?;
    let now = request.now();
    let reissue = bound(bank, request, &payload).await?;
    let key = *request.principal();
    if let Some(order) = bank.store.order_by_key(key).await?
        && matches!(order.origin, Origin::Enrollment { reissue: own } if own == reissue.id)
    {
        return order::placed_answer(bank, request, Placed { order, created: false }).await;
    }
    let enroll = |key_store: String, csr: Vec<u8>, pin: PinCheck| Enroll {
        reissue: reissue.id,
        order: OrderId::random(),
        key_store,
        environment: serde_json::to_string(&payload.environment).expect("an environment is JSON"),
        csr,
        key,
        pin,
        issued: None,
    };
    if reissue.state.status(now) != Status::Pending {
        // The store knows which refusal it is; it comes before everything that follows here.
        let refused = enroll(payload.key_store.to_string(), Vec::new(), PinCheck::NotAsked);
        let placed = bank.store.enroll(refused, now).await?;
        return order::placed_answer(bank, request, placed).await;
    }
    session::environment(bank, &payload.environment)?;
    let subject = bank.store.subject(reissue.subject).await?.ok_or(Error::EnrollmentRefused)?;
    if subject.disabled {
        return Err(Error::SubjectDisabled);
    }
    let pin = session::check_pin(bank, &subject, payload.pin.as_ref(), now).await?;
    let placed = async {
        order::key_store(bank, payload.key_store.as_str())?;
        let csr = order::csr(bank, payload.csr.der())?;
        if csr.key().thumbprint() != key {
            return Err(Error::CsrKey);
        }
        let csr = order::of_subject(csr, &subject)?;
        let applicant = Applicant { subject: &subject, key: csr.key(), basis: Basis::Enrollment };
        let issued = issue::at_once(bank, &applicant).await?;
        let key_store = payload.key_store.to_string();
        let enroll = Enroll { issued, ..enroll(key_store, csr.der().to_vec(), pin.clone()) };
        Ok(bank.store.enroll(enroll, now).await?)
    };
    let placed = settle(bank, &subject, &pin, now, placed.await).await?;
    order::placed_answer(bank, request, placed).await
}

/// The reissue whose code the binding proves. A wrong code and an unknown reissue are told the same.
async fn bound(
    bank: &Bank,
    request: &Authenticated<Thumbprint>,
    payload: &NewEnrollment,
) -> Result<ReissueRow, Error> {
    let id = ReissueId::from_bytes(*payload.reissue.as_bytes());
    let found = bank.store.reissue(id).await?;
    let url = bank.urls.of(&Route::NewEnrollment);
    let key = request.key().ok_or(Error::WrongSigner)?;
    let binding = Binding { reissue: &payload.reissue, url: &url, key };
    let enrollment_key: PublicKey = match &found {
        Some(reissue) => json::parse(reissue.enrollment_key.as_bytes())
            .map_err(|error| Error::Registry(error.to_string()))?,
        // As much work as for a reissue that is there.
        None => key.clone(),
    };
    match (binding.verify(&payload.binding, &enrollment_key, bank.verifier), found) {
        (Ok(()), Some(reissue)) => Ok(reissue),
        (Err(BindingError::Form), _) => Err(Error::Jws(JwsError::Certificate)),
        (Ok(()) | Err(BindingError::Refused), _) => Err(Error::EnrollmentRefused),
    }
}
