//! The bank: everything a handler needs, and the one place where a request meets its handler.

use std::sync::Arc;
use std::time::Instant;

use http::header::{ACCEPT_LANGUAGE, HeaderName, LINK};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::chain::Chain;
use koshin_protocol::embedded_jws::EmbeddedJws;
use koshin_protocol::problem::Language;
use koshin_protocol::receipt::Receipt;
use koshin_protocol::sign::{SignError, Signer};
use koshin_protocol::verify::Verifier;

use crate::ca::Issuer;
use crate::clock::{Clock, Watched};
use crate::error::{Error, Words};
use crate::handler;
use crate::http::{Rates, Refusal, Service};
use crate::keys::Keys;
use crate::nonce::Nonces;
use crate::pin::Pins;
use crate::policy::Policy;
use crate::reply::{Reply, header};
use crate::request::Parsed;
use crate::route::Route;
use crate::store::Store;
use crate::urls::Urls;
use crate::watch::Metrics;

/// A bank, ready to answer.
pub struct Bank {
    /// What it decided.
    pub policy: Policy,
    /// Its resources' names.
    pub urls: Urls,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Its watch over that clock.
    pub watched: Watched,
    /// Its memory.
    pub store: Arc<dyn Store>,
    /// Its CA.
    pub issuer: Arc<dyn Issuer>,
    /// Its word on the end of orders.
    pub receipts: ReceiptSigner,
    /// Single use of requests.
    pub nonces: Arc<Nonces>,
    /// PINs, if policy has them.
    pub pins: Option<Pins>,
    /// Verifies signatures.
    pub verifier: &'static dyn Verifier,
    /// Keys of certificates that sign.
    pub keys: Keys,
    /// How often one certificate may sign, if that is limited.
    pub rates: Option<Rates>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The CRL of the root, which lists no issuing CA until a person says so.
    pub root_crl: Option<(String, Bytes)>,
}

/// The receipt key and its chain.
pub struct ReceiptSigner {
    /// Signs.
    pub signer: Box<dyn Signer>,
    /// The receipt certificate and its issuers without the root.
    pub chain: Chain,
}

impl ReceiptSigner {
    /// Signs a receipt.
    pub fn sign(&self, receipt: &Receipt) -> Result<EmbeddedJws, SignError> {
        receipt.sign(&self.chain, &*self.signer)
    }
}

impl Bank {
    /// What is needed to word a refusal to a request with these headers.
    pub fn words(&self, language: Language) -> Words<'_> {
        Words { language, now: self.clock.now(), policy: &self.policy, urls: &self.urls }
    }

    /// A fresh nonce.
    pub fn nonce(&self) -> String {
        self.nonces.issue(self.clock.uptime())
    }

    async fn answer(
        &self,
        request: &Request<Bytes>,
        language: Language,
    ) -> (&'static str, Result<Reply, Error>) {
        let Some(route) = Urls::route(request.uri().path()) else {
            return ("unknown", Err(Error::NotFound));
        };
        if request.uri().query().is_some() {
            return ("unknown", Err(Error::NotFound));
        }
        if !route.is_of(self.policy.profile) {
            return ("unknown", Err(Error::NotFound));
        }
        let name = route.name();
        if route.operation().is_none() {
            return (name, self.unsigned(request, &route).await);
        }
        let answered = match Parsed::of(route, request, self)
            .and_then(|parsed| parsed.spend_nonce(self))
        {
            Ok(fresh) => Box::pin(handler::signed(self, fresh, request.headers(), language)).await,
            Err(error) => Err(error),
        };
        (name, answered)
    }

    async fn unsigned(&self, request: &Request<Bytes>, route: &Route) -> Result<Reply, Error> {
        match (route, request.method()) {
            (Route::NewNonce, &Method::HEAD) => Ok(Reply::empty(StatusCode::OK)),
            (Route::NewNonce, &Method::GET) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
            (Route::Directory, &Method::GET) => handler::directory::get(self),
            (Route::RenewalInfo(certificate), &Method::GET) => {
                handler::renewal_info::get(self, certificate, request.headers()).await
            }
            (Route::Crl(issuer), &Method::GET) => handler::crl::get(self, issuer).await,
            _ => Err(Error::Method { allowed: route.methods() }),
        }
    }

    /// Adds what every response carries (SPEC.md 5.6, 5.9).
    fn finish(&self, reply: Reply, indexed: bool) -> Response<Bytes> {
        let kept = reply.max_age.is_some();
        let mut response = reply.into_response();
        let headers = response.headers_mut();
        if !kept {
            self.metrics.nonce_issued();
            header(headers, HeaderName::from_static("replay-nonce"), &self.nonce());
        }
        if indexed {
            let index = format!("<{}>;rel=\"index\"", self.urls.of(&Route::Directory));
            header(headers, LINK, &index);
        }
        response
    }
}

impl Service for Bank {
    async fn call(&self, request: Request<Bytes>, _peer: std::net::SocketAddr) -> Response<Bytes> {
        let began = Instant::now();
        let language = language(request.headers());
        let (operation, answered) = self.answer(&request, language).await;
        let (outcome, reply) = match answered {
            Ok(reply) => ("ok", reply),
            Err(error) => {
                let token = error.token();
                if matches!(error, Error::BadNonce) {
                    self.metrics.nonce_refused();
                }
                (token.as_str(), error.reply(self.words(language)))
            }
        };
        self.metrics.request(operation, outcome, began.elapsed());
        let directory = operation == Route::Directory.name() && outcome == "ok";
        self.finish(reply, !directory)
    }

    fn refuse(&self, refusal: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        let language = language(headers);
        let refused = Error::Edge(refusal).reply(self.words(language));
        self.finish(refused, true)
    }
}

fn language(headers: &HeaderMap) -> Language {
    let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::negotiate(wanted.unwrap_or_default())
}
