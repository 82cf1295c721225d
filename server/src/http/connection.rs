//! One connection, from its first byte to its last.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use http::header::{ACCEPT_LANGUAGE, DATE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use super::framing::{Checked, Ledger};
use super::limit::{Limits, whole};
use super::rate::Rates;
use super::refusal::{self, Refusal};
use super::shutdown::Shutdown;
use super::{Authorities, Hangup, Service};
use crate::watch::Metrics;

/// What all connections of an edge share.
#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) service: S,
    pub(super) authorities: Authorities,
    pub(super) limits: Limits,
    pub(super) rates: Option<Rates>,
    pub(super) metrics: Arc<Metrics>,
}

/// Serves HTTP/1.1 on `stream` until it closes, idles too long, or shutdown is asked for and the
/// request under way is answered.
pub(super) async fn http1<S: Service>(
    shared: Arc<Shared<S>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    peer: SocketAddr,
    mut shutdown: Shutdown,
) {
    let ledger = Arc::new(Ledger::default());
    let limits = &shared.limits;
    let stream = Checked::new(stream, Arc::clone(&ledger), limits.head_time, limits.write_time);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // hyper's timer begins when it waits for a request, so it is the idle time; the time of
        // the head itself is kept by `Checked`.
        .header_read_timeout(limits.idle_time)
        .max_headers(limits.header_lines)
        .max_header_size(limits.head)
        .max_buf_size(limits.head.max(8192))
        .half_close(false);
    let requests =
        Requests { shared: Arc::clone(&shared), peer, ledger: Some(ledger), open: Arc::default() };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), requests));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown.asked() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended(outcome, peer);
}

/// Serves HTTP/2 likewise.
pub(super) async fn http2<S: Service>(
    shared: Arc<Shared<S>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    peer: SocketAddr,
    mut shutdown: Shutdown,
) {
    let limits = &shared.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.resets)
        // A whole body fits, many at once do not: memory per connection stays bounded.
        .initial_stream_window_size(window(limits.body))
        .initial_connection_window_size(window(limits.body.saturating_mul(4)))
        .max_send_buf_size(256 * 1024);
    let open = Arc::new(Open::default());
    let requests =
        Requests { shared: Arc::clone(&shared), peer, ledger: None, open: Arc::clone(&open) };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), requests));
    let outcome = loop {
        let seen = open.events();
        tokio::select! {
            outcome = connection.as_mut() => break outcome,
            () = shutdown.asked() => {}
            () = sleep_until(Instant::now() + limits.idle_time) => {
                if open.under_way() || open.events() != seen {
                    continue;
                }
            }
        }
        connection.as_mut().graceful_shutdown();
        // A peer that does not answer the farewell has no claim to the connection either.
        let limit = if shutdown.is_asked() { limits.grace } else { limits.head_time };
        match timeout(limit, connection.as_mut()).await {
            Ok(outcome) => break outcome,
            Err(_) => return,
        }
    };
    ended(outcome, peer);
}

fn window(bytes: usize) -> u32 {
    // RFC 9113 6.9.1: at most 2^31 - 1.
    u32::try_from(bytes).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs())
}

fn ended(outcome: Result<(), hyper::Error>, peer: SocketAddr) {
    if let Err(error) = outcome {
        // Peers break off all the time; only who looks for it wants to see it.
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// How many requests a connection saw, and has under way.
#[derive(Debug, Default)]
struct Open {
    begun: AtomicUsize,
    done: AtomicUsize,
}

impl Open {
    fn begin(self: &Arc<Self>) -> Underway {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Underway(Arc::clone(self))
    }

    /// Changes whenever a request begins or ends.
    fn events(&self) -> usize {
        self.begun.load(Ordering::Relaxed).wrapping_add(self.done.load(Ordering::Relaxed))
    }

    fn under_way(&self) -> bool {
        self.begun.load(Ordering::Relaxed) != self.done.load(Ordering::Relaxed)
    }
}

/// One request, counted as done when dropped.
struct Underway(Arc<Open>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// hyper's view of the service.
struct Requests<S> {
    shared: Arc<Shared<S>>,
    peer: SocketAddr,
    /// Only of HTTP/1.1.
    ledger: Option<Arc<Ledger>>,
    open: Arc<Open>,
}

impl<S: Service> hyper::service::Service<Request<Incoming>> for Requests<S> {
    type Response = Response<Full<Bytes>>;
    type Error = HungUp;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HungUp>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        // Now, not when the future is polled: the ledger counts heads in the order of their calls.
        let fault = self.ledger.as_ref().and_then(|ledger| ledger.next());
        let underway = self.open.begin();
        let shared = Arc::clone(&self.shared);
        let ledger = self.ledger.clone();
        let peer = self.peer;
        Box::pin(async move {
            let _underway = underway;
            // The chunks of such a body are not followed by `Checked`.
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            let admitted = match fault {
                Some(fault) => Err((Refusal::Framing(fault), request.into_parts().0)),
                None => shared.admit(request, peer).await,
            };
            let mut response = match admitted {
                Ok(request) => shared.answer(request, peer).await,
                Err((refusal, parts)) => {
                    let token = refusal.token().row().name;
                    shared.metrics.edge_refused(token);
                    tracing::debug!(%peer, token, ?refusal, "refused at the edge");
                    let mut response = shared.service.refuse(refusal, &parts.headers);
                    if let Some(ledger) = &ledger {
                        ledger.linger();
                        refusal::last(&mut response);
                    }
                    response
                }
            };
            if response.extensions().get::<Hangup>().is_some() {
                return Err(HungUp);
            }
            if chunked && ledger.is_some() {
                refusal::last(&mut response);
            }
            // hyper keeps the one it would send until the clock is past it: after a clock that was ahead, for as long.
            let date = httpdate::fmt_http_date(SystemTime::now());
            let date = HeaderValue::from_str(&date).expect("an HTTP date is visible ASCII");
            response.headers_mut().insert(DATE, date);
            Ok(response.map(Full::new))
        })
    }
}

impl<S: Service> Shared<S> {
    /// The service's answer, or that it did not come in time.
    async fn answer(&self, request: Request<Bytes>, peer: SocketAddr) -> Response<Bytes> {
        let language = request.headers().get(ACCEPT_LANGUAGE).cloned();
        let answered = timeout(self.limits.service_time, self.service.call(request, peer)).await;
        answered.unwrap_or_else(|_| {
            let token = Refusal::Overdue.token().row().name;
            self.metrics.edge_refused(token);
            tracing::error!(%peer, token, "a request was not done in time and was given up");
            let headers = language.map(|language| (ACCEPT_LANGUAGE, language));
            self.service.refuse(Refusal::Overdue, &headers.into_iter().collect())
        })
    }
}

impl<S> Shared<S> {
    async fn admit(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Request<Bytes>, (Refusal, http::request::Parts)> {
        let (parts, body) = request.into_parts();
        if let Err(refusal) = self.count(peer.ip()) {
            return Err((refusal, parts));
        }
        if let Err(refusal) = self.authorities.check(&parts) {
            return Err((refusal, parts));
        }
        if parts.method == Method::CONNECT {
            return Err((Refusal::Tunnel, parts));
        }
        let mut request = whole(Request::from_parts(parts, body), &self.limits).await?;
        // Nothing here is ever upgraded, and nobody should be tempted.
        request.headers_mut().remove(UPGRADE);
        Ok(request)
    }

    /// Counts a request of this address.
    fn count(&self, address: IpAddr) -> Result<(), Refusal> {
        let Some(rates) = self.rates.as_ref().filter(|_| !address.is_loopback()) else {
            return Ok(());
        };
        let now = std::time::Instant::now();
        let asked = match address.to_canonical() {
            IpAddr::V4(address) => rates.ask(address.octets(), now),
            // One customer's network is a /64 (RFC 6177).
            IpAddr::V6(address) => rates.ask(&address.octets()[..8], now),
        };
        asked.map_err(|wait| {
            // At least a second, as RTA-05 reads it.
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            Refusal::RateLimited { seconds }
        })
    }
}

/// The service hung up instead of answering.
#[derive(Debug)]
struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HungUp {}

#[cfg(test)]
mod tests {
    use super::super::rate::Rate;
    use super::*;

    #[test]
    fn addresses_are_counted_by_network_and_loopback_is_not() {
        let shared = Shared {
            service: (),
            authorities: Authorities::of("https://bank.test").expect("an origin"),
            limits: Limits::default(),
            rates: Some(Rates::new(Rate { per_second: 1, burst: 1 })),
            metrics: Arc::default(),
        };
        let count = |address: &str| shared.count(address.parse().expect("an address"));
        let refused = Err(Refusal::RateLimited { seconds: 1 });
        assert_eq!(count("2001:db8::1"), Ok(()));
        assert_eq!(count("2001:db8::2"), refused, "the same /64");
        assert_eq!(count("192.0.2.1"), Ok(()));
        assert_eq!(count("::ffff:192.0.2.1"), refused, "the same address, mapped");
        for _ in 0..10 {
            assert_eq!(count("127.0.0.1"), Ok(()));
            assert_eq!(count("::1"), Ok(()));
        }
    }

    #[test]
    fn the_end_of_a_request_is_an_event_too() {
        let open = Arc::new(Open::default());
        assert!(!open.under_way());
        let before = open.events();
        let underway = open.begin();
        assert!(open.under_way());
        let between = open.events();
        drop(underway);
        assert!(!open.under_way());
        let after = open.events();
        assert!(before != between && between != after && before != after);
    }
}
