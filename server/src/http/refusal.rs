//! What the edge refuses, and the problem document that says so.

use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONNECTION, CONTENT_LANGUAGE, CONTENT_TYPE};
use http::header::{RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use koshin_protocol::problem::{Language, Token};
use koshin_protocol::remedy::Action;

use super::framing::Fault;

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
    /// Too many requests.
    RateLimited,
    /// The bank takes no requests now.
    Unavailable,
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
            Self::RateLimited => Token::RateLimited,
            // Not `malformed`: a client on a slow line does right to come again.
            Self::SlowBody | Self::Unavailable => Token::Unavailable,
        }
    }

    /// What happened, for the person who reads it.
    pub const fn detail(self, language: Language) -> &'static str {
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
            Self::Misdirected => (
                "The request names a host that is not this bank's.",
                "要求の宛先ホストは当行のものではありません。",
            ),
            Self::Tunnel => ("The bank opens no tunnels.", "CONNECT メソッドは利用できません。"),
            Self::TooLarge => {
                ("The request body is longer than 64 KiB.", "要求の本文が 64 KiB を超えています。")
            }
            Self::Compressed => (
                "The request body has a Content-Encoding; send it as it is.",
                "要求の本文に Content-Encoding があります。圧縮せずに送信してください。",
            ),
            Self::SlowBody => (
                "The request body did not arrive in time.",
                "要求の本文が時間内に届きませんでした。",
            ),
            Self::BrokenBody => {
                ("The request body breaks off.", "要求の本文が途中で切れています。")
            }
            Self::RateLimited => ("Too many requests.", "要求が多すぎます。"),
            Self::Unavailable => {
                ("The bank takes no requests at the moment.", "現在要求を受け付けていません。")
            }
        };
        match language {
            Language::En => en,
            Language::Ja => ja,
        }
    }

    /// The answer to a request with these headers, without a nonce: for services that have nothing
    /// to add.
    pub fn response(self, headers: &HeaderMap) -> Response<Bytes> {
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::negotiate(wanted.unwrap_or_default());
        let row = self.token().row();
        // None of these rows looks at a role: the first action is the only one.
        let action = row.actions().next().unwrap_or(Action::Stop);
        let problem = serde_json::json!({
            "type": format!("urn:koshin:error:{}", row.name),
            "title": row.text(language).title,
            "detail": self.detail(language),
            "status": row.status,
            "serverTime": server_time(),
            "remedy": { "action": action.as_str() },
        });
        let mut response = Response::new(Bytes::from(problem.to_string()));
        *response.status_mut() =
            StatusCode::from_u16(row.status).expect("the table holds statuses of HTTP");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
        match self {
            Self::SlowBody | Self::RateLimited | Self::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Framing(_)
            | Self::NoHost
            | Self::TwoHosts
            | Self::Misdirected
            | Self::Tunnel
            | Self::TooLarge
            | Self::Compressed
            | Self::BrokenBody => {}
        }
        response
    }
}

/// Marks a response of HTTP/1.1 as the connection's last.
pub(super) fn last(response: &mut Response<impl Sized>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

/// RFC 3339 in whole seconds, as everywhere on the wire.
fn server_time() -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(now).expect("a second that was just read").to_string()
}
