//! Stages `http`, `jws`, `operation` and `key`: the form is right, and nothing is trusted yet.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use hyper::body::Bytes;
use koshin_protocol::jws;

use super::Fresh;
use crate::bank::Bank;
use crate::error::Error;
use crate::route::Route;

/// The media type of signed requests (SPEC.md 5.2).
const MEDIA_TYPE: &str = "application/jose+json";

/// A signed request of the right form, sent to the resource that it was signed for.
pub struct Parsed {
    route: Route,
    jws: jws::Parsed,
}

impl Parsed {
    /// Reads the request that came for `route`, by a method that it has.
    pub fn of(route: &Route, request: &Request<Bytes>, bank: &Bank) -> Result<Self, Error> {
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
        Ok(Self { route: route.clone(), jws })
    }

    /// Stage `nonce`: spends it, whatever becomes of the request.
    pub fn spend_nonce(self, bank: &Bank) -> Result<Fresh, Error> {
        let spent = bank.nonces.spend(self.jws.nonce().as_str(), bank.clock.uptime());
        spent.map_err(|_| Error::BadNonce)?;
        let now = bank.clock.now();
        Ok(Fresh { route: self.route, jws: self.jws, now })
    }
}

/// Whether the media type is that of signed requests, whatever its parameters (HTP-21).
fn is_signed_request(content_type: Option<&HeaderValue>) -> bool {
    let essence =
        content_type.and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(MEDIA_TYPE.as_bytes()))
}
