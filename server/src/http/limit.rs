//! What one peer may cost: sizes, times, numbers.

use std::time::Duration;

use http::Request;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use koshin_protocol::json::MAX_DOCUMENT;
use tokio::time::timeout;

use super::rate::Rate;
use super::refusal::Refusal;
use crate::config::LimitSettings;

/// The limits of the edge.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body; more is refused with `payloadTooLarge`.
    pub body: usize,
    /// Bytes of a request head: HTTP/1.1 head, HTTP/2 header list.
    pub head: usize,
    /// Header lines of an HTTP/1.1 request.
    pub header_lines: usize,
    /// From the first byte of an HTTP/1.1 head to its last.
    pub head_time: Duration,
    /// From the end of a head to the end of its body.
    pub body_time: Duration,
    /// From a whole request to its answer; whoever waits longer is told `unavailable`.
    pub service_time: Duration,
    /// How long a peer may take nothing of an answer.
    pub write_time: Duration,
    /// A TLS handshake.
    pub handshake_time: Duration,
    /// How long a connection may stay open with no request on it.
    pub idle_time: Duration,
    /// Connections at once. Further ones wait in the kernel's queue.
    pub connections: usize,
    /// Requests of one network address; loopback addresses, where proxies and benchmarks are, have
    /// no such limit.
    pub rate: Option<Rate>,
    /// HTTP/2 requests at once on one connection.
    pub streams: u32,
    /// HTTP/2 streams that a peer may reset before the edge gives up on it.
    pub resets: usize,
    /// How long requests under way may take to finish once shutdown was asked for.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: MAX_DOCUMENT,
            head: 16 * 1024,
            header_lines: 64,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(20),
            // A renewal takes milliseconds; a full queue of PINs some seconds.
            service_time: Duration::from_secs(30),
            write_time: Duration::from_secs(20),
            handshake_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            connections: 4096,
            rate: None,
            streams: 64,
            resets: 32,
            grace: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// The limits that can be configured, and the others as they are.
    pub fn configured(settings: &LimitSettings) -> Self {
        // A corporation behind one address renews all its certificates in one morning.
        let rate = Rate::configured(settings.requests_per_address);
        Self { connections: settings.connections, rate, ..Self::default() }
    }
}

/// Takes in the whole body, or says why not.
pub(super) async fn whole(
    request: Request<Incoming>,
    limits: &Limits,
) -> Result<Request<Bytes>, (Refusal, http::request::Parts)> {
    let (parts, body) = request.into_parts();
    match read(&parts, body, limits).await {
        Ok(body) => Ok(Request::from_parts(parts, body)),
        Err(refusal) => Err((refusal, parts)),
    }
}

async fn read(
    parts: &http::request::Parts,
    body: Incoming,
    limits: &Limits,
) -> Result<Bytes, Refusal> {
    let mut codings = parts.headers.get_all(CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::Compressed);
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced
        .and_then(|length| length.parse().ok())
        .is_some_and(|length: u64| length > limits.body as u64)
    {
        return Err(Refusal::TooLarge);
    }
    match timeout(limits.body_time, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) => Err(Refusal::BrokenBody),
        Err(_) => Err(Refusal::SlowBody),
    }
}
