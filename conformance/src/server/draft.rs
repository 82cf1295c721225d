//! A signed request of which everything can be made wrong.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use koshin_protocol::base64url;
use koshin_protocol::operation::Operation;
use koshin_protocol::url::Url;
use serde_json::{Map, Value, json};

use super::key::{Key, Pair};

/// Who signs.
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
#[derive(Debug, Clone)]
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

    /// The header member that names the signer.
    pub fn member(&self) -> (&'static str, Value) {
        match self {
            Self::Certificate(pair) => {
                ("x5c", json!([base64url::encode_standard(pair.certificate.der())]))
            }
            Self::Session(url, _) => ("kid", json!(url.as_str())),
            Self::Key(key) => ("jwk", jwk(key)),
        }
    }
}

/// The public key as JWK.
pub fn jwk(key: &Key) -> Value {
    serde_json::to_value(key.public()).expect("a key has its JWK")
}

type Edit<T> = Arc<dyn Fn(&mut T) + Send + Sync>;

/// A request before it is signed and sent; right, until it is made wrong.
#[derive(Clone)]
pub struct Draft {
    /// `POST`.
    pub method: Method,
    /// Where it is sent.
    pub path: String,
    /// Its HTTP headers, `Host` included.
    pub headers: HeaderMap,
    /// Its protected header. The nonce is put in when it is sent, unless `nonce` is set here or left out on purpose.
    pub header: Map<String, Value>,
    /// Its payload.
    pub payload: Vec<u8>,
    /// What signs it.
    pub key: Key,
    /// Whether it gets a fresh nonce when it is sent, and is sent again with another where the bank refuses that.
    pub fresh: bool,
    header_text: Option<Edit<Vec<u8>>>,
    signature: Option<Edit<Vec<u8>>>,
    jws: Option<Edit<Value>>,
    body: Option<Edit<Vec<u8>>>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.method, self.path, self.header)
    }
}

impl Draft {
    /// A right request; a payload of `null` is empty.
    pub fn new(operation: Operation, url: &Url, by: &By, payload: &Value) -> Self {
        let mut header = Map::new();
        header.insert("alg".into(), json!(by.key().algorithm().as_str()));
        header.insert("typ".into(), json!(operation.typ()));
        header.insert("url".into(), json!(url.as_str()));
        let (member, signer) = by.member();
        header.insert(member.into(), signer);
        let payload = match payload {
            Value::Null => Vec::new(),
            payload => payload.to_string().into_bytes(),
        };
        let mut headers = HeaderMap::new();
        if let Ok(host) = url.authority().parse() {
            headers.insert(http::header::HOST, host);
        }
        let media_type = HeaderValue::from_static("application/jose+json");
        headers.insert(http::header::CONTENT_TYPE, media_type);
        Self {
            method: Method::POST,
            path: url.path().to_owned(),
            headers,
            header,
            payload,
            key: by.key().clone(),
            fresh: true,
            header_text: None,
            signature: None,
            jws: None,
            body: None,
        }
    }

    /// Sets a member of the protected header.
    pub fn set(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.fresh &= member != "nonce";
        self.header.insert(member.to_owned(), value.into());
        self
    }

    /// Leaves a member of the protected header out.
    pub fn without(mut self, member: &str) -> Self {
        self.fresh &= member != "nonce";
        self.header.remove(member);
        self
    }

    /// Names another signer than the key that signs.
    pub fn named(self, by: &By) -> Self {
        let (member, value) = by.member();
        self.without("x5c").without("kid").without("jwk").set(member, value)
    }

    /// Sends it elsewhere than it says.
    pub fn to(mut self, url: &Url) -> Self {
        url.path().clone_into(&mut self.path);
        self
    }

    /// With another payload.
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// With a payload in which something was changed.
    pub fn edit_payload(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut value: Value = serde_json::from_slice(&self.payload).unwrap_or(Value::Null);
        edit(&mut value);
        self.payload = value.to_string().into_bytes();
        self
    }

    /// Signed by another key than it names.
    pub fn by_key(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    /// With an HTTP header in place of any other of the name.
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header value of the suite"));
        self
    }

    /// Without an HTTP header.
    pub fn without_header(mut self, name: &HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// With the protected header's text changed before it is signed.
    pub fn edit_header_text(mut self, edit: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.header_text = Some(Arc::new(edit));
        self
    }

    /// With its signature changed.
    pub fn edit_signature(mut self, edit: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.signature = Some(Arc::new(edit));
        self
    }

    /// With the three members changed after they were signed.
    pub fn edit_jws(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.jws = Some(Arc::new(edit));
        self
    }

    /// With the octets of its body changed.
    pub fn edit_body(mut self, edit: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        self.body = Some(Arc::new(edit));
        self
    }

    /// The body as it is sent, signed with this nonce.
    pub fn sealed(&self, nonce: Option<&str>) -> Vec<u8> {
        let mut header = self.header.clone();
        if let Some(nonce) = nonce {
            header.insert("nonce".into(), json!(nonce));
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        if let Some(edit) = &self.header_text {
            edit(&mut header);
        }
        let protected = base64url::encode(&header);
        let payload = base64url::encode(&self.payload);
        let mut signature = self.key.sign(format!("{protected}.{payload}").as_bytes());
        if let Some(edit) = &self.signature {
            edit(&mut signature);
        }
        let signature = base64url::encode(&signature);
        let mut jws = json!({ "protected": protected, "payload": payload, "signature": signature });
        if let Some(edit) = &self.jws {
            edit(&mut jws);
        }
        let mut body = jws.to_string().into_bytes();
        if let Some(edit) = &self.body {
            edit(&mut body);
        }
        body
    }
}
