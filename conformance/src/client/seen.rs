//! What the played bank saw: each request, decoded, and what it answered.

use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use hyper::body::Bytes;
use koshin_protocol::base64url;
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::operation::Operation;
use koshin_protocol::verify::default_verifier;
use serde_json::Value;

use crate::exchange::{Exchange, Message};

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it arrived.
    pub(crate) at: Instant,
    /// What it asks for: an operation of SPEC.md 5.4, `directory`, `newNonce`, `renewalInfo`, `crl`, or `unknown`.
    pub(crate) operation: &'static str,
    /// Its method.
    pub(crate) method: Method,
    /// Its URL, whole.
    pub(crate) url: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
    /// Its body as a JWS, if it is one.
    pub(crate) jws: Option<Signed>,
    /// What was answered, if anything was.
    pub(crate) answer: Option<Made>,
    /// What was done to it, if anything was.
    pub(crate) deed: Option<&'static str>,
}

/// A signed request, decoded as far as it can be.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// The protected header.
    pub(crate) header: Value,
    /// The payload; `null` if it is empty.
    pub(crate) payload: Value,
}

/// An answer, which may still be changed.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// Of a request that arrived just now.
    pub(crate) fn new(method: Method, url: String, headers: HeaderMap, body: Bytes) -> Self {
        let jws = Signed::of(&body);
        let operation = match &jws {
            Some(jws) => operation(jws.text("typ")),
            None => unsigned(&url),
        };
        let at = Instant::now();
        Self { at, operation, method, url, headers, body, jws, answer: None, deed: None }
    }

    /// A member of the protected header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.jws.as_ref().map_or("", |jws| jws.text(name))
    }

    /// The DER of the certificate in `x5c`.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let first = self.jws.as_ref()?.header.get("x5c")?.get(0)?.as_str()?;
        base64::decode(first)
    }

    /// The thumbprint of the key in `jwk`.
    pub(crate) fn jwk(&self) -> Option<String> {
        let jwk = self.jws.as_ref()?.header.get("jwk")?.clone();
        let key = serde_json::from_value::<PublicKey>(jwk).ok()?;
        Some(key.thumbprint().to_string())
    }

    /// The CSR of newOrder and newEnrollment.
    pub(crate) fn csr(&self) -> Option<Csr> {
        let text = self.jws.as_ref()?.payload.get("csr")?.as_str()?;
        Csr::from_der(&base64url::decode(text).ok()?, default_verifier()).ok()
    }

    /// The thumbprint of the key that is ordered.
    pub(crate) fn ordered_key(&self) -> Option<String> {
        Some(self.csr()?.key().thumbprint().to_string())
    }

    /// Whether it is of that operation, `read` in words such as `read order` too.
    pub(crate) fn is(&self, operation: &str) -> bool {
        match operation.split_once(' ') {
            Some((operation, resource)) => {
                self.operation == operation && self.url.contains(&format!("/{resource}/"))
            }
            None => self.operation == operation,
        }
    }

    /// Whether it was signed.
    pub(crate) fn is_signed(&self) -> bool {
        self.jws.is_some()
    }

    /// For the report.
    pub(crate) fn exchange(&self) -> Exchange {
        let request =
            Message::new(format!("{} {}", self.method, self.url), texts(&self.headers), &self.body);
        let response = self.answer.as_ref().map(|answer| {
            Message::new(answer.status.to_string(), texts(&answer.headers), &answer.body)
        });
        Exchange { request, response, note: self.deed.map(ToOwned::to_owned) }
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn operation(typ: &str) -> &'static str {
    match Operation::from_typ(typ) {
        Ok(Operation::Read) => "read",
        Ok(Operation::NewSession) => "newSession",
        Ok(Operation::Logoff) => "logoff",
        Ok(Operation::Defer) => "defer",
        Ok(Operation::NewOrder) => "newOrder",
        Ok(Operation::FindOrder) => "findOrder",
        Ok(Operation::Cancel) => "cancel",
        Ok(Operation::Confirm) => "confirm",
        Ok(Operation::Rollback) => "rollback",
        Ok(Operation::NewReissue) => "newReissue",
        Ok(Operation::CancelReissue) => "cancelReissue",
        Ok(Operation::Unlock) => "unlock",
        Ok(Operation::Pin) => "pin",
        Ok(Operation::NewEnrollment) => "newEnrollment",
        Ok(Operation::RevokeCert) => "revokeCert",
        Err(_) => "unknown",
    }
}

fn unsigned(url: &str) -> &'static str {
    if url.ends_with("/koshin/directory") {
        "directory"
    } else if url.ends_with("/koshin/new-nonce") {
        "newNonce"
    } else if url.contains("/koshin/renewal-info/") {
        "renewalInfo"
    } else if url.contains("/koshin/crl/") {
        "crl"
    } else {
        "unknown"
    }
}

impl Signed {
    fn of(body: &[u8]) -> Option<Self> {
        let whole: Value = serde_json::from_slice(body).ok()?;
        let part = |name: &str| base64url::decode(whole.get(name)?.as_str()?).ok();
        let header = serde_json::from_slice(&part("protected")?).ok()?;
        let payload = part("payload")?;
        let payload =
            if payload.is_empty() { Value::Null } else { serde_json::from_slice(&payload).ok()? };
        Some(Self { header, payload })
    }

    fn text(&self, name: &str) -> &str {
        self.header.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Made {
    /// An answer with a body of that media type.
    pub(crate) fn new(status: u16, media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self { status, headers, body: body.into() }
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set_header(name, value);
        self
    }

    /// Sets a header.
    pub(crate) fn set_header(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("the suite writes headers of visible text");
        self.headers.insert(HeaderName::from_static(name), value);
    }

    /// Removes a header.
    pub(crate) fn drop_header(&mut self, name: &'static str) {
        self.headers.remove(name);
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it is a success.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Changes the body, if it is a JSON object of a success.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut json = self.json();
        if self.is_success() && json.is_object() {
            change(&mut json);
            self.body = json.to_string().into_bytes();
        }
    }
}

/// Base64 with padding, as in `x5c` and `chain`.
pub(crate) mod base64 {
    use koshin_protocol::base64url;

    /// Encodes.
    pub(crate) fn encode(bytes: &[u8]) -> String {
        let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        text
    }

    /// Decodes; `None` if it is not base64.
    pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
        let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        base64url::decode(&text).ok()
    }
}
