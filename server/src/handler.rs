//! One file for each resource of SPEC.md 7. A handler takes a request that the pipeline let through and answers.

pub mod certificate;
pub mod contract;
pub mod crl;
pub mod directory;
pub mod enrollment;
pub mod order;
pub mod pin;
pub mod reissue;
pub mod renewal_info;
pub mod revocation;
pub mod session;

use http::HeaderMap;
use koshin_protocol::problem::Language;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::Fresh;
use crate::route::Route;

/// Hands a signed request to the handler of its resource.
pub async fn signed(
    bank: &Bank,
    request: Fresh,
    headers: &HeaderMap,
    language: Language,
) -> Result<Reply, Error> {
    match request.route() {
        Route::NewSession => session::create(bank, request.by_certificate(bank).await?).await,
        Route::Session(_) => session::read(bank, &request.by_session(bank).await?),
        Route::Logoff(_) => session::log_off(bank, request.by_session(bank).await?).await,
        Route::Defer(_) => session::defer(bank, request.by_session(bank).await?).await,
        Route::Contract(_) | Route::ContractAfter(_) => {
            contract::read(bank, request.by_session(bank).await?).await
        }
        Route::NewOrder => order::create(bank, request.by_session(bank).await?, language).await,
        Route::FindOrder => order::find(bank, &request.by_key(bank)?, language).await,
        Route::Order(_) => order::read(bank, &request.by_reader(bank).await?, language).await,
        Route::Certificate(_) => {
            certificate::read(bank, &request.by_reader(bank).await?, headers).await
        }
        Route::Cancel(_) => order::cancel(bank, request.by_session(bank).await?, language).await,
        Route::Confirm(_) => {
            order::confirm(bank, &request.by_certificate(bank).await?, language).await
        }
        Route::Rollback(_) => {
            order::roll_back(bank, request.by_session(bank).await?, language).await
        }
        Route::NewReissue => reissue::create(bank, request.by_session(bank).await?).await,
        Route::Reissue(_) => reissue::read(bank, request.by_session(bank).await?).await,
        Route::CancelReissue(_) => reissue::cancel(bank, request.by_session(bank).await?).await,
        Route::Unlock => pin::unlock(bank, request.by_session(bank).await?).await,
        Route::Pin => pin::change(bank, request.by_session(bank).await?).await,
        Route::NewEnrollment => enrollment::create(bank, &request.by_key(bank)?, language).await,
        Route::RevokeCert => revocation::create(bank, request).await,
        // `Parsed::of` lets only routes with an operation through.
        Route::Directory | Route::NewNonce | Route::RenewalInfo(_) | Route::Crl(_) => {
            Err(Error::Method { allowed: request.route().methods() })
        }
    }
}
