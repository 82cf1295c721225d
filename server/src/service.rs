//! How the bank answers requests: each is led to its resource's handler, and gets what every response carries.

use std::net::SocketAddr;
use std::time::Instant;

use http::header::{ACCEPT_LANGUAGE, HeaderName, LINK};
use http::{HeaderMap, Request, Response};
use hyper::body::Bytes;
use koshin_protocol::problem::Language;

use crate::bank::Bank;
use crate::error::{Error, Words};
use crate::handler;
use crate::http::{Refusal, Service};
use crate::reply::{Reply, header};
use crate::route::Route;
use crate::urls::Urls;

impl Service for Bank {
    async fn call(&self, request: Request<Bytes>, _peer: SocketAddr) -> Response<Bytes> {
        let began = Instant::now();
        let language = language(request.headers());
        let route = route(self, &request);
        let answered = match &route {
            Some(route) => Box::pin(handler::answer(self, route, &request, language)).await,
            None => Err(Error::NotFound),
        };
        let (outcome, reply) = match answered {
            Ok(reply) => ("ok", reply),
            Err(error) => {
                if matches!(error, Error::BadNonce) {
                    self.metrics.nonce_refused();
                }
                (error.token().as_str(), refusal(self, &error, language))
            }
        };
        let name = route.as_ref().map_or("unknown", Route::name);
        self.metrics.request(name, outcome, began.elapsed());
        let is_directory = route == Some(Route::Directory) && outcome == "ok";
        finish(self, reply, !is_directory)
    }

    fn refuse(&self, refused: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        finish(self, refusal(self, &Error::Edge(refused), language(headers)), true)
    }
}

/// The resource that a request is for, if a bank of this profile has it.
fn route(bank: &Bank, request: &Request<Bytes>) -> Option<Route> {
    let route = Urls::route(request.uri().path())?;
    let exists = request.uri().query().is_none() && route.is_of(bank.policy.profile);
    exists.then_some(route)
}

fn language(headers: &HeaderMap) -> Language {
    let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::negotiate(wanted.unwrap_or_default())
}

fn refusal(bank: &Bank, error: &Error, language: Language) -> Reply {
    let now = bank.clock.now();
    error.reply(Words { language, now, policy: &bank.policy, urls: &bank.urls })
}

/// Adds what every response carries (SPEC.md 5.6, 5.9).
fn finish(bank: &Bank, reply: Reply, indexed: bool) -> Response<Bytes> {
    let kept = reply.max_age.is_some();
    let mut response = reply.into_response();
    let headers = response.headers_mut();
    if !kept {
        bank.metrics.nonce_issued();
        header(headers, HeaderName::from_static("replay-nonce"), &bank.nonce());
    }
    if indexed {
        let index = format!("<{}>;rel=\"index\"", bank.urls.of(&Route::Directory));
        header(headers, LINK, &index);
    }
    response
}
