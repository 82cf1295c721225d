//! What a handler answers, before the bank adds the headers of every response (SPEC.md 5.9).

use std::time::Duration;

use http::header::{ETAG, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::url::Url;
use serde::Serialize;

/// A status, a body, and the headers that belong to the resource.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body's media type; empty where there is no body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// Further headers.
    pub headers: HeaderMap,
    /// How long others may keep it; `None`: it carries a nonce and nobody may (HDR-02).
    pub max_age: Option<Duration>,
}

impl Reply {
    /// An object of the protocol.
    pub fn json(status: StatusCode, object: &impl Serialize) -> Self {
        let body = serde_json::to_vec(object).expect("objects of the protocol are JSON");
        Self { content_type: "application/json", ..Self::bytes(status, "", body.into()) }
    }

    /// Bytes of some media type.
    pub fn bytes(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        Self { status, content_type, body, headers: HeaderMap::new(), max_age: None }
    }

    /// No body.
    pub fn empty(status: StatusCode) -> Self {
        Self::bytes(status, "", Bytes::new())
    }

    /// Adds `Location`.
    pub fn at(mut self, url: &Url) -> Self {
        self.headers.insert(LOCATION, value(url.as_str()));
        self
    }

    /// Adds `Retry-After`, in whole seconds, rounded up, at least one.
    pub fn retry_after(&mut self, wait: Duration) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }

    /// Adds `ETag`.
    pub fn tagged(mut self, tag: &str) -> Self {
        self.headers.insert(ETAG, value(&format!("\"{tag}\"")));
        self
    }

    /// The response, with its media type and, where it may be kept, for how long.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        }
        let cache = match self.max_age {
            Some(age) => value(&format!("public, max-age={}", age.as_secs())),
            None => HeaderValue::from_static("no-store"),
        };
        headers.insert(http::header::CACHE_CONTROL, cache);
        response
    }
}

/// Adds a header whose value this bank made.
pub fn header(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    headers.insert(name, value(text));
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("URLs, tags, nonces and numbers are header values")
}
