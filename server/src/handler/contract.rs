//! `contract`: the status page (SPEC.md 7.7).

use http::StatusCode;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::store::id::ContractId;
use crate::store::row::{ActiveSession, Purpose, Role};
use crate::wire;

/// A user sees itself, an administrator everybody.
pub async fn read(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    request.no_payload()?;
    let holder = &request.principal().holder;
    if request.id::<ContractId>()? != holder.subject.contract {
        return Err(Error::NotFound);
    }
    let only = match holder.subject.role {
        Role::User => Some(holder.subject.id),
        Role::Administrator => None,
    };
    let row = bank.store.contract(holder.subject.contract, only).await?.ok_or(Error::NotFound)?;
    Ok(Reply::json(StatusCode::OK, &wire::contract(bank, &row, holder, request.now())?))
}
