//! Stages `http`, `jws`, `operation` and `key`: the form is right, and nothing is trusted yet.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use hyper::body::Bytes;
use koshin_protocol::jws;
use koshin_protocol::problem::Language;
use koshin_protocol::time::Time;

use super::Fresh;
use crate::bank::Bank;
use crate::error::Error;
use crate::route::Route;

/// The media type of signed requests (SPEC.md 5.2).
const MEDIA_TYPE: &str = "application/jose+json";

/// How a request came.
#[derive(Debug)]
pub struct Arrival {
    /// To which resource.
    pub route: Route,
    /// When, by the bank's clock.
    pub now: Time,
    /// In which language it is to be answered.
    pub language: Language,
}

/// A signed request of the right form, sent to the resource that it was signed for.
pub struct Parsed {
    arrival: Arrival,
    jws: jws::Parsed,
}

impl Parsed {
    /// Reads a request that came by a method that its resource has.
    pub fn of(arrival: Arrival, request: &Request<Bytes>, bank: &Bank) -> Result<Self, Error> {
        let route = &arrival.route;
        let Some(operation) = route.operation() else {
            return Err(Error::Method { allowed: route.methods() });
        };
        if !is_signed_request(request.headers().get(CONTENT_TYPE)) {
            return Err(Error::MediaType);
        }
        let url = bank.urls.of(route);
        let resource = jws::Resource { operation, url: &url };
        let jws = jws::Parsed::for_resource(request.body(), resource)?;
        if !route.is_signed_by(jws.by().identification()) {
            return Err(Error::WrongSigner);
        }
        if !bank.policy.algorithms.contains(&jws.algorithm()) {
            return Err(Error::Algorithm);
        }
        Ok(Self { arrival, jws })
    }

    /// Stage `nonce`: spends it, whatever becomes of the request.
    pub fn spend_nonce(self, bank: &Bank) -> Result<Fresh, Error> {
        let spent = bank.nonces.spend(self.jws.nonce().as_str(), bank.clock.uptime());
        spent.map_err(|_| Error::BadNonce)?;
        Ok(Fresh { arrival: self.arrival, jws: self.jws })
    }
}

/// Whether the media type is that of signed requests, whatever its parameters (HTP-21).
fn is_signed_request(content_type: Option<&HeaderValue>) -> bool {
    let essence =
        content_type.and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE.as_bytes()))
}
