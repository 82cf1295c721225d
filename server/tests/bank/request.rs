//! A signed request of which everything can be made wrong.

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method, Request};
use hyper::body::Bytes;
use koshin_protocol::base64url;
use koshin_protocol::operation::Operation;
use koshin_protocol::url::Url;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::bank::Bank;
use crate::person::{Key, Pair};

/// Who signs.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub enum By {
    /// A certificate.
    Certificate(Pair),
    /// A session, by its certificate's key.
    Session(Url, Key),
    /// A bare key.
    Key(Key),
}

impl By {
    fn key(&self) -> &Key {
        match self {
            Self::Certificate(pair) => &pair.key,
            Self::Session(_, key) | Self::Key(key) => key,
        }
    }

    fn member(&self) -> (&'static str, Value) {
        match self {
            Self::Certificate(pair) => {
                ("x5c", json!([base64url::encode_standard(pair.certificate.der())]))
            }
            Self::Session(url, _) => ("kid", json!(url.as_str())),
            Self::Key(key) => ("jwk", serde_json::to_value(key.public()).expect("a JWK")),
        }
    }
}

/// A request before it is signed and sent.
#[derive(Clone)]
pub struct Draft {
    pub method: Method,
    pub path: String,
    pub content_type: Option<&'static str>,
    pub headers: Vec<(HeaderName, String)>,
    pub header: Map<String, Value>,
    pub payload: Vec<u8>,
    pub key: Key,
    /// Changes the signature.
    pub spoiled: bool,
}

impl Bank {
    /// A right request, with a fresh nonce.
    pub fn draft(&self, operation: Operation, url: &Url, by: &By, payload: &Value) -> Draft {
        let mut header = Map::new();
        header.insert("alg".into(), json!(by.key().signer().algorithm().as_str()));
        header.insert("typ".into(), json!(operation.typ()));
        header.insert("nonce".into(), json!(self.nonce()));
        header.insert("url".into(), json!(url.as_str()));
        let (member, signer) = by.member();
        header.insert(member.into(), signer);
        let payload = match payload {
            Value::Null => Vec::new(),
            payload => serde_json::to_vec(payload).expect("JSON"),
        };
        Draft {
            method: Method::POST,
            path: url.path().to_owned(),
            content_type: Some("application/jose+json"),
            headers: Vec::new(),
            header,
            payload,
            key: by.key().clone(),
            spoiled: false,
        }
    }

    /// Signs and sends a right request; a payload of `null` is empty.
    pub async fn post(&self, operation: Operation, url: &Url, by: &By, payload: Value) -> Answer {
        self.deliver(self.draft(operation, url, by, &payload)).await
    }

    /// Signs and sends a draft.
    pub async fn deliver(&self, draft: Draft) -> Answer {
        let body = draft.body();
        self.deliver_body(&draft, body).await
    }

    /// Sends a draft with another body.
    pub async fn deliver_body(&self, draft: &Draft, body: Vec<u8>) -> Answer {
        self.send(draft.request(body)).await
    }
}

impl Draft {
    /// Sets a member of the protected header.
    pub fn set(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.header.insert(member.to_owned(), value.into());
        self
    }

    /// Leaves a member of the protected header out.
    pub fn without(mut self, member: &str) -> Self {
        self.header.remove(member);
        self
    }

    /// Sends it elsewhere than it says.
    pub fn to(mut self, url: &Url) -> Self {
        url.path().clone_into(&mut self.path);
        self
    }

    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    pub fn by_key(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    /// With a signature that is wrong in its last bit.
    pub fn spoiled(mut self) -> Self {
        self.spoiled = true;
        self
    }

    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body(&self) -> Vec<u8> {
        self.body_with_header(&serde_json::to_vec(&self.header).expect("JSON"))
    }

    /// The body with a protected header of these octets.
    pub fn body_with_header(&self, header: &[u8]) -> Vec<u8> {
        let protected = base64url::encode(header);
        let payload = base64url::encode(&self.payload);
        let input = format!("{protected}.{payload}");
        let mut signature = self.key.signer().sign(input.as_bytes()).expect("a signature");
        if self.spoiled {
            *signature.last_mut().expect("octets") ^= 1;
        }
        let signature = base64url::encode(&signature);
        let jws = json!({ "protected": protected, "payload": payload, "signature": signature });
        serde_json::to_vec(&jws).expect("JSON")
    }

    pub fn request(&self, body: Vec<u8>) -> Request<Bytes> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        let headers = request.headers_mut().expect("a request");
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in &self.headers {
            headers.append(name, value.parse().expect("a header value"));
        }
        request.body(Bytes::from(body)).expect("a request")
    }
}
