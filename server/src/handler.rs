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

use http::{Method, Request, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::problem::Language;

use crate::bank::Bank;
use crate::error::Error;
use crate::reply::Reply;
use crate::request::{Arrival, Parsed};
use crate::route::Route;

/// Has a request answered by the handler of its resource.
pub async fn answer(
    bank: &Bank,
    route: &Route,
    request: &Request<Bytes>,
    language: Language,
) -> Result<Reply, Error> {
    let (method, headers) = (request.method(), request.headers());
    if !route.has(method) {
        return Err(Error::Method { allowed: route.methods() });
    }
    let fresh = || {
        let arrival = Arrival { route: route.clone(), now: bank.clock.now(), language };
        Parsed::of(arrival, request, bank)?.spend_nonce(bank)
    };
    match route {
        Route::Directory => directory::get(bank),
        Route::NewNonce if method == Method::HEAD => Ok(Reply::empty(StatusCode::OK)),
        Route::NewNonce => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        Route::RenewalInfo(certificate) => renewal_info::get(bank, certificate, headers).await,
        Route::NewSession => session::create(bank, fresh()?.by_certificate(bank).await?).await,
        Route::Session(_) => session::read(bank, &fresh()?.by_session(bank).await?),
        Route::Defer(_) => session::defer(bank, fresh()?.by_session(bank).await?).await,
        Route::Logoff(_) => session::log_off(bank, fresh()?.by_session(bank).await?).await,
        Route::Contract(_) => contract::read(bank, fresh()?.by_session(bank).await?).await,
        Route::NewOrder => order::create(bank, fresh()?.by_session(bank).await?).await,
        Route::Order(_) => order::read(bank, &fresh()?.by_reader(bank).await?).await,
        Route::FindOrder => order::find(bank, &fresh()?.by_key(bank)?).await,
        Route::Cancel(_) => order::cancel(bank, fresh()?.by_session(bank).await?).await,
        Route::Certificate(_) => {
            certificate::read(bank, &fresh()?.by_reader(bank).await?, headers).await
        }
        Route::Confirm(_) => order::confirm(bank, &fresh()?.by_certificate(bank).await?).await,
        Route::Rollback(_) => order::roll_back(bank, fresh()?.by_session(bank).await?).await,
        Route::NewReissue => reissue::create(bank, fresh()?.by_session(bank).await?).await,
        Route::Reissue(_) => reissue::read(bank, fresh()?.by_session(bank).await?).await,
        Route::CancelReissue(_) => reissue::cancel(bank, fresh()?.by_session(bank).await?).await,
        Route::Unlock => pin::unlock(bank, fresh()?.by_session(bank).await?).await,
        Route::Pin => pin::change(bank, fresh()?.by_session(bank).await?).await,
        Route::NewEnrollment => enrollment::create(bank, &fresh()?.by_key(bank)?).await,
        Route::RevokeCert => revocation::create(bank, fresh()?).await,
        Route::Crl(issuer) => crl::get(bank, issuer).await,
    }
}
