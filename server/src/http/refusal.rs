//! What the edge refuses, and the problem document that says so.

use http::header::{
    ACCEPT_LANGUAGE, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER,
    VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::problem::{Language, Problem, Token};
use koshin_protocol::time::Time;

use super::framing::Fault;
use crate::clock::{self, Clock};

/// Why the edge did not pass a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The message framing is ambiguous.
    Framing(Fault),
    /// The request names no authority.
    NoHost,
    /// The request has more than one `Host`.
    TwoHosts,
    /// The request names an authority that is not this bank's.
    Misdirected,
    /// `CONNECT`: the bank is no proxy.
    Tunnel,
    /// The body is longer than the limit.
    TooLarge,
    /// The body has a content coding.
    Compressed,
    /// The body did not arrive in time.
    SlowBody,
    /// The body breaks off or is framed wrongly.
    BrokenBody,
    /// Too many requests from this address.
    RateLimited {
        /// Until the next one is welcome.
        seconds: u32,
    },
    /// The bank takes no requests now.
    Unavailable,
    /// The bank did not finish in time.
    Overdue,
}

impl Refusal {
    /// The problem token of SPEC.md's error table.
    pub const fn token(self) -> Token {
        match self {
            Self::Framing(_) | Self::NoHost | Self::TwoHosts | Self::BrokenBody => Token::Malformed,
            Self::Misdirected => Token::Misdirected,
            Self::Tunnel => Token::MethodNotAllowed,
            Self::TooLarge => Token::PayloadTooLarge,
            Self::Compressed => Token::UnsupportedMediaType,
            Self::RateLimited { .. } => Token::RateLimited,
            // Not `malformed`: a client on a slow line does right to come again.
            Self::SlowBody | Self::Unavailable | Self::Overdue => Token::Unavailable,
        }
    }

    /// What exactly is wrong, where the token's own text does not say it.
    const fn specific(self, language: Language) -> Option<&'static str> {
        let (en, ja) = match self {
            Self::Framing(Fault::BareLineFeed) => (
                "A line of the request head ends in LF without CR.",
                "要求ヘッダーの行が CR のない LF で終わっています。",
            ),
            Self::Framing(Fault::TwoFramings) => (
                "The request has both Content-Length and Transfer-Encoding.",
                "要求に Content-Length と Transfer-Encoding の両方があります。",
            ),
            Self::Framing(Fault::RepeatedLength) => (
                "The request has more than one Content-Length.",
                "要求に Content-Length が複数あります。",
            ),
            Self::NoHost => ("The request has no Host.", "要求に Host がありません。"),
            Self::TwoHosts => {
                ("The request has more than one Host.", "要求に Host が複数あります。")
            }
            Self::Compressed => (
                "The request body has a Content-Encoding; it must be sent as it is.",
                "要求の本文に Content-Encoding が指定されています。圧縮せずに送信する必要があります。",
            ),
            Self::SlowBody => (
                "The request body did not arrive in time. Nothing was changed.",
                "要求の本文が時間内に届きませんでした。お手続きの状態は変わっておりません。",
            ),
            Self::Overdue => (
                "The bank did not finish in time. Whether the request took effect is not certain.",
                "処理が時間内に終わりませんでした。要求が反映されたかどうかは確定しておりません。",
            ),
            Self::BrokenBody => {
                ("The request body breaks off.", "要求の本文が途中で切れています。")
            }
            Self::Misdirected
            | Self::Tunnel
            | Self::TooLarge
            | Self::RateLimited { .. }
            | Self::Unavailable => return None,
        };
        Some(match language {
            Language::En => en,
            Language::Ja => ja,
        })
    }

    /// The problem document.
    pub fn problem(self, language: Language, now: Time) -> Problem {
        let mut problem = Problem::builder(self.token(), language, now).build();
        if let Some(specific) = self.specific(language) {
            let between = match language {
                Language::En => " ",
                Language::Ja => "",
            };
            let next = problem.remedy.action.sentence(language);
            problem.detail = [specific, next].join(between);
        }
        problem
    }

    /// Seconds for `Retry-After`, where SPEC.md 5.11 wants it.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::SlowBody | Self::Unavailable => Some(1),
            Self::Overdue => Some(5),
            Self::RateLimited { seconds } => Some(seconds),
            Self::Framing(_)
            | Self::NoHost
            | Self::TwoHosts
            | Self::Misdirected
            | Self::Tunnel
            | Self::TooLarge
            | Self::Compressed
            | Self::BrokenBody => None,
        }
    }

    /// The methods that are allowed, where it was the method.
    pub const fn allowed(self) -> Option<&'static str> {
        match self {
            Self::Tunnel => Some("GET, HEAD, POST"),
            _ => None,
        }
    }

    /// The answer to a request with these headers, without a nonce: for services that have nothing
    /// to add.
    pub fn response(self, headers: &HeaderMap) -> Response<Bytes> {
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::negotiate(wanted.unwrap_or_default());
        let problem = self.problem(language, clock::System.now());
        let body = serde_json::to_vec(&problem).expect("a problem document is JSON");
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(problem.status).expect("the table holds statuses of HTTP");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
        if let Some(allowed) = self.allowed() {
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Marks a response of HTTP/1.1 as the connection's last.
pub(super) fn last(response: &mut Response<impl Sized>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
