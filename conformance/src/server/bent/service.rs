//! A bank behind something that changes what it hears and says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::base64url;
use koshin_protocol::problem::Token;
use koshin_server::bank::Bank;
use koshin_server::http::{Refusal, Service};
use serde_json::Value;

use super::Bend;

/// A request, as far as it could be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(super) path: String,
    pub(super) header: Value,
    pub(super) payload: Vec<u8>,
    pub(super) body: Value,
}

impl Asked {
    fn of(request: &Request<Bytes>) -> Self {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let part = |name: &str| base64url::decode(body[name].as_str()?).ok();
        let header = part("protected").and_then(|header| serde_json::from_slice(&header).ok());
        Self {
            path: request.uri().path().to_owned(),
            header: header.unwrap_or_default(),
            payload: part("payload").unwrap_or_default(),
            body,
        }
    }

    /// The operation's `typ`; empty where it is none.
    pub(super) fn typ(&self) -> &str {
        self.header["typ"].as_str().unwrap_or_default()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Told {
    /// The token, where it is a problem.
    pub(super) fn token(&self) -> Option<Token> {
        let value: Value = serde_json::from_slice(&self.body).ok()?;
        Token::from_name(value.get("type")?.as_str()?.strip_prefix(Token::URN)?)
    }

    /// Changes the body, where it is JSON.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        if let Ok(mut value) = serde_json::from_slice(&self.body) {
            edit(&mut value);
            self.body = value.to_string().into();
        }
    }

    fn response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A bank behind something that changes what it hears and says.
pub(crate) struct Bent {
    bank: Arc<Bank>,
    bend: Bend,
    /// Good answers, by what they are remembered for.
    good: Mutex<HashMap<String, Told>>,
}

impl Bent {
    pub(crate) fn new(bank: Arc<Bank>, bend: Bend) -> Self {
        Self { bank, bend, good: Mutex::default() }
    }

    fn remembered(&self, key: &str) -> Option<Told> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: String, told: &Told) {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).insert(key, told.clone());
    }

    fn bent(&self, asked: &Asked, mut told: Told) -> Told {
        match self.bend {
            Bend::Accepts(token, which) => {
                if told.status.is_success() {
                    self.remember(asked.typ().to_owned(), &told);
                } else if told.token() == Some(token) && which(asked) {
                    let nonce = told.headers.get("replay-nonce").cloned();
                    told = self.remembered(asked.typ()).unwrap_or_else(|| Told {
                        status: StatusCode::OK,
                        body: Bytes::from_static(b"{}"),
                        ..told
                    });
                    if let Some(nonce) = nonce {
                        told.headers.insert("replay-nonce", nonce);
                    }
                }
            }
            Bend::Answers(bend) => bend(asked, &mut told),
            Bend::Replays | Bend::Hears(_) | Bend::Bank(_) | Bend::Limits(_) | Bend::Memory(_) => {}
        }
        told
    }
}

fn told(response: Response<Bytes>) -> Told {
    let (parts, body) = response.into_parts();
    Told { status: parts.status, headers: parts.headers, body }
}

impl Service for Bent {
    async fn call(&self, mut request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes> {
        let asked = Asked::of(&request);
        if let Bend::Hears(bend) = self.bend {
            bend(&mut request);
        }
        let key = String::from_utf8_lossy(request.body()).into_owned();
        let replays = matches!(self.bend, Bend::Replays) && !key.is_empty();
        if replays && let Some(first) = self.remembered(&key) {
            return first.response();
        }
        let answer = told(Service::call(&*self.bank, request, peer).await);
        if replays && answer.status.is_success() {
            self.remember(key, &answer);
        }
        self.bent(&asked, answer).response()
    }

    fn refuse(&self, refusal: Refusal, headers: &HeaderMap) -> Response<Bytes> {
        let answer = told(Service::refuse(&*self.bank, refusal, headers));
        self.bent(&Asked::default(), answer).response()
    }
}
