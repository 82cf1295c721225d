//! Requests and answers over HTTPS: a seam, and its implementation on reqwest and rustls.

pub mod distrust;
pub mod https;

use std::fmt;

use http::{HeaderMap, Method};
use koshin_protocol::url::Url;
use zeroize::Zeroizing;

pub use self::distrust::Distrust;
pub use self::https::{Https, HttpsError, Pin};
use crate::Later;

/// Carries one request to the bank and brings its answer.
///
/// An implementation follows no redirect (URL-03), repeats nothing by itself, refuses an answer whose body is longer than
/// [`Request::limit`], and ends within a bounded time. Dropping the future may leave the request sent or not.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends a request.
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>>;
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` and `HEAD` without a body, `POST` with one.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Further headers.
    pub headers: HeaderMap,
    /// The body of a `POST`; wiped when it is dropped, since it may hold a PIN (SEC-02).
    pub body: Zeroizing<Vec<u8>>,
    /// Most bytes of the answer's body.
    pub limit: usize,
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Why there is no answer. The bank may have acted all the same, unless it was [`TransportError::NotConnected`] or
/// [`TransportError::Untrusted`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection: name, network, proxy or TLS.
    #[error("no connection to the bank: {0}")]
    NotConnected(String),
    /// Somebody answers who cannot prove that it is the bank; nothing was sent to them (HTP-02).
    #[error(transparent)]
    Untrusted(#[from] Distrust),
    /// It took too long.
    #[error("the bank did not answer in time")]
    Timeout,
    /// The connection broke, or the answer is cut short.
    #[error("the connection broke before the answer was whole: {0}")]
    CutShort(String),
    /// The body is longer than it may be.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// Most bytes.
        limit: usize,
    },
}
