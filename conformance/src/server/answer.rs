//! What the bank answers, read strictly.

use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::json;
use koshin_protocol::problem::{Problem, Token};
use koshin_protocol::url::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::case::{Outcome, Stop};

/// The header of nonces.
pub const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// An answer of the bank.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// A header as text; `None` where it is not there, or no text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Its nonce.
    pub fn nonce(&self) -> Option<&str> {
        self.header(&REPLAY_NONCE)
    }

    /// Its nonce, which it must have.
    pub fn fresh_nonce(&self) -> Outcome<String> {
        let nonce = self.nonce().ok_or_else(|| self.not("a Replay-Nonce"))?;
        Ok(nonce.to_owned())
    }

    /// Whether it is a success.
    pub fn is_good(&self) -> bool {
        self.status.is_success()
    }

    /// The URL in `Location`.
    pub fn location(&self) -> Outcome<Url> {
        let text = self.header(&LOCATION).ok_or_else(|| self.not("a Location"))?;
        Url::parse(text).map_err(|_| self.not("a url (4.4) in Location"))
    }

    /// It has this status.
    pub fn status(&self, status: u16) -> Outcome {
        if self.status.as_u16() == status { Ok(()) } else { Err(self.not(&status.to_string())) }
    }

    /// It has this status and no body.
    pub fn empty(&self, status: u16) -> Outcome {
        self.status(status)?;
        if self.body.is_empty() { Ok(()) } else { Err(self.not("no body")) }
    }

    /// Its status is this, and its body an object of the protocol, with exactly the members of its table; those of
    /// extensions, which begin with `x-`, are left aside.
    pub fn object<T: DeserializeOwned + Serialize>(&self, status: u16) -> Outcome<T> {
        self.status(status)?;
        let kind = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        if self.media_type() != "application/json" {
            return Err(self.not(&format!("{status} application/json")));
        }
        self.read(&format!("{status} and the object {kind}"))
    }

    /// It is refused, and says why.
    pub fn problem(&self) -> Outcome<Problem> {
        if self.media_type() != "application/problem+json" {
            return Err(self.not("a problem document"));
        }
        self.read("a problem document")
    }

    fn read<T: DeserializeOwned + Serialize>(&self, what: &str) -> Outcome<T> {
        let object: T = json::parse_long(&self.body)
            .map_err(|error| Stop::fail(what, format_args!("{} ({error})", self.summary())))?;
        let written = serde_json::to_value(&object).unwrap_or_default();
        let mut sent = self.value();
        strip_extensions(&mut sent);
        if written != sent {
            return Err(Stop::fail(
                format_args!("{what} with exactly the members of its table"),
                format_args!("{} where SPEC.md has {written}", self.summary()),
            ));
        }
        Ok(object)
    }

    /// It is refused with this token and its status.
    pub fn refused(&self, token: Token) -> Outcome<Problem> {
        let expected = format!("{} {token}", token.status());
        if self.token() != Some(token) || self.status.as_u16() != token.status() {
            return Err(self.not(&expected));
        }
        self.problem()
    }

    /// It is refused with one of these tokens.
    pub fn refused_with(&self, tokens: &[Token]) -> Outcome<Problem> {
        match self.token() {
            Some(token) if tokens.contains(&token) => self.refused(token),
            _ => {
                let names: Vec<_> = tokens.iter().map(ToString::to_string).collect();
                Err(self.not(&names.join(" or ")))
            }
        }
    }

    /// The token of its problem document, where it is one of a known token.
    pub fn token(&self) -> Option<Token> {
        if self.is_good() {
            return None;
        }
        let value = self.value();
        Token::from_name(value.get("type")?.as_str()?.strip_prefix(Token::URN)?)
    }

    /// Its body as JSON; `null` where it is none.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// `Content-Type` without parameters.
    pub fn media_type(&self) -> &str {
        let whole = self.header(&CONTENT_TYPE).unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim()
    }

    /// A failure: something else was expected.
    pub fn not(&self, expected: &str) -> Stop {
        Stop::fail(expected, self.summary())
    }

    /// In one line.
    pub fn summary(&self) -> String {
        let status = self.status.as_u16();
        if let Some(token) = self.token() {
            let detail = self.value()["detail"].as_str().unwrap_or_default().to_owned();
            return format!("{status} {token} ({detail})");
        }
        let text = String::from_utf8_lossy(&self.body);
        let shown: String = text.chars().take(200).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        format!("{status} {} {shown}{more}", self.media_type()).trim_end().to_owned()
    }
}

fn strip_extensions(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !name.starts_with("x-"));
            members.values_mut().for_each(strip_extensions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_extensions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
