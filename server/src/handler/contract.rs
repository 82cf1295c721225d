//! `contract`: the status page (SPEC.md 7.7).

use http::StatusCode;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::Authenticated;
use crate::route::Route;
use crate::store::Shown;
use crate::store::row::{ActiveSession, Purpose, Role};
use crate::wire;

/// A user sees itself, an administrator everybody, page by page.
pub async fn read(bank: &Bank, request: Authenticated<ActiveSession>) -> Result<Reply, Error> {
    let request = request.with_purpose(Purpose::Renewal)?;
    request.no_payload()?;
    let holder = &request.principal().holder;
    let (contract, now) = (holder.subject.contract, request.now());
    let shown = match (request.route(), holder.subject.role) {
        (Route::Contract(id), _) if *id != contract.to_string() => return Err(Error::NotFound),
        (Route::Contract(_), Role::User) => Shown::One(holder.subject.id),
        (Route::Contract(_), Role::Administrator) => {
            Shown::Some { after: None, most: bank.contract_page }
        }
        (Route::ContractAfter(subject), Role::Administrator) => {
            let after = Some(subject.parse().map_err(|_| Error::NotFound)?);
            Shown::Some { after, most: bank.contract_page }
        }
        _ => return Err(Error::NotFound),
    };
    let row = bank.store.contract(contract, shown, now).await?.ok_or(Error::NotFound)?;
    // Nobody follows the last subject: there is no such page.
    if row.subjects.is_empty() {
        return Err(Error::NotFound);
    }
    Ok(Reply::json(StatusCode::OK, &wire::contract(bank, &row, holder, now)?))
}
