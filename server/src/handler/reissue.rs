//! `newReissue` and the reissue (SPEC.md 7.15, 7.16).

use http::StatusCode;
use koshin_protocol::algorithm::KeyType;
use koshin_protocol::empty::Empty;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::reissue::ReissueId as Id;
use koshin_protocol::revocation::Reason;
use koshin_protocol::subject::{SubjectId, SubjectName};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::route::Route;
use crate::store::Refused;
use crate::store::change::{Actor, NewReissue};
use crate::store::id::ReissueId;
use crate::store::row::{ActiveSession, ReissueRow, Role};
use crate::wire;

/// Lets a user of the own contract enroll anew.
pub async fn create(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    let payload: Asked = request.payload()?;
    let now = request.now();
    let enrollment_key = enrollment_key(payload.enrollment_key)?;
    let subject = payload.subject.as_str().parse();
    let reissue = NewReissue {
        id: ReissueId::from_bytes(*payload.id.as_bytes()),
        subject: subject.map_err(|_| Error::from(Refused::SubjectUnknown))?,
        subject_name: payload.subject_name.as_str().to_owned(),
        reason: payload.reason,
        enrollment_key: enrollment_key.to_canonical_jwk(),
        expires: bank.policy.reissue_expires(now),
    };
    let by = Actor::Session(request.principal().id);
    let (row, created) = bank.store.open_reissue(reissue, by, now).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let url = bank.urls.of(&Route::Reissue(row.id.to_string()));
    Ok(Reply::json(status, &wire::reissue(bank, &row, now)?).at(&url))
}

/// The payload of `newReissue`, its key not judged yet: that has a refusal of its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    id: Id,
    subject: SubjectId,
    subject_name: SubjectName,
    reason: Reason,
    enrollment_key: Map<String, Value>,
}

/// A P-256 key, or `badPublicKey` (REI-11).
fn enrollment_key(members: Map<String, Value>) -> Result<PublicKey, Error> {
    let key: PublicKey = serde_json::from_value(members.into()).map_err(|_| Error::PublicKey)?;
    if key.key_type() == KeyType::P256 { Ok(key) } else { Err(Error::PublicKey) }
}

/// The reissue as it is now.
pub async fn read(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    request.no_payload()?;
    let row = own(bank, &request).await?;
    Ok(Reply::json(StatusCode::OK, &wire::reissue(bank, &row, request.now())?))
}

/// Takes the permission back.
pub async fn cancel(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.as_administrator()?;
    let Empty {} = request.payload()?;
    let row = own(bank, &request).await?;
    let by = Actor::Session(request.principal().id);
    let row = bank.store.cancel_reissue(row.id, by, request.now()).await?;
    Ok(Reply::json(StatusCode::OK, &wire::reissue(bank, &row, request.now())?))
}

/// A reissue of a user of the administrator's own contract.
async fn own(bank: &Bank, request: &Authenticated<ActiveSession>) -> Result<ReissueRow, Error> {
    let row = bank.store.reissue(request.id()?).await?.ok_or(Error::NotFound)?;
    let contract = request.principal().holder.subject.contract;
    if row.contract == contract && row.role == Role::User { Ok(row) } else { Err(Error::NotFound) }
}
