//! The watch listener: `/metrics`, `/healthz`, `/readyz`, apart from the bank's own address.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Metrics;
use crate::http::Shutdown;
use crate::store::outage::Condition;

/// Whether the bank wants requests. Not ready at first, not while its store can store nothing, and not any more once it
/// stops.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    serves: Arc<AtomicBool>,
    store: Option<Condition>,
}

impl Readiness {
    /// Of a bank with a store in this condition.
    pub fn of(store: Condition) -> Self {
        Self { serves: Arc::default(), store: Some(store) }
    }

    /// Says whether the bank serves.
    pub fn set(&self, serves: bool) {
        self.serves.store(serves, Ordering::Relaxed);
    }

    /// Why it is not ready, in a few words; `None`: it is.
    pub fn obstacle(&self) -> Option<String> {
        if !self.serves.load(Ordering::Relaxed) {
            return Some("it does not serve".to_owned());
        }
        self.store.as_ref()?.outage().map(|outage| outage.to_string())
    }
}

/// The bound watch listener. Plain HTTP/1.1: it says nothing about any customer, but belongs on
/// an address that only the bank's own monitoring reaches.
#[derive(Debug)]
pub struct Watch {
    socket: TcpListener,
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

/// Scrapers at once; further ones wait.
const CONNECTIONS: usize = 32;
/// A scrape, from accepting to closing.
const SCRAPE_TIME: Duration = Duration::from_mins(1);
const HEAD_TIME: Duration = Duration::from_secs(10);

impl Watch {
    /// Binds `address`.
    pub async fn bind(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        readiness: Readiness,
    ) -> std::io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, metrics, readiness })
    }

    /// The address bound.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until the future is dropped. It should outlive the bank's own listener, so that
    /// the last requests are watched too; `/readyz` says no as soon as `shutdown` is asked for.
    pub async fn serve(self, shutdown: Shutdown) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
            let stream = match self.socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the watch listener cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (metrics, readiness) = (Arc::clone(&self.metrics), self.readiness.clone());
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                let _slot = slot;
                scrape(stream, &metrics, &readiness, &shutdown).await;
            });
        }
    }
}

async fn scrape(stream: TcpStream, metrics: &Metrics, readiness: &Readiness, shutdown: &Shutdown) {
    let service = service_fn(|request: Request<Incoming>| {
        let stops = shutdown.is_asked().then(|| "it stops".to_owned());
        let obstacle = stops.or_else(|| readiness.obstacle());
        ready(Ok::<_, Infallible>(answer(&request, metrics, obstacle.as_deref())))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(8192)
        .serve_connection(TokioIo::new(stream), service);
    // Errors and time-outs are the scraper's affair: it will come again.
    let _over = timeout(SCRAPE_TIME, connection).await.is_err();
}

fn answer<B>(
    request: &Request<B>,
    metrics: &Metrics,
    obstacle: Option<&str>,
) -> Response<Full<Bytes>> {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, OPENMETRICS, Bytes::from(metrics.exposition()))
        }
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, TEXT, health(metrics)),
        (&Method::GET | &Method::HEAD, "/readyz") => match obstacle {
            None => (StatusCode::OK, TEXT, "ready\n".into()),
            Some(obstacle) => {
                (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {obstacle}\n").into())
            }
        },
        (&Method::GET | &Method::HEAD, _) => (StatusCode::NOT_FOUND, TEXT, "no such page\n".into()),
        _ => (StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD\n".into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// That the bank is alive, and what it works in spite of: no warning makes it less alive.
fn health(metrics: &Metrics) -> Bytes {
    let warnings = metrics.warnings().into_iter().map(|warning| format!("warning: {warning}\n"));
    std::iter::once("alive\n".to_owned()).chain(warnings).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, path: &str, ready: bool) -> StatusCode {
        let request = Request::builder().method(method).uri(path).body(()).expect("a request");
        answer(&request, &Metrics::new(), (!ready).then_some("a test")).status()
    }

    #[test]
    fn alive_is_not_ready() {
        assert_eq!(status(Method::GET, "/healthz", false), StatusCode::OK);
        assert_eq!(status(Method::GET, "/readyz", false), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(Method::GET, "/readyz", true), StatusCode::OK);
    }

    // [TIM-05]
    #[test]
    fn a_clock_behind_the_audit_is_a_warning_of_a_bank_that_is_alive() {
        let metrics = Metrics::new();
        assert_eq!(health(&metrics), "alive\n");
        metrics.clock_behind_audit(730 * 86_400 - 30);
        let warned = "alive\nwarning: the clock is 730 days behind the newest audit record\n";
        assert_eq!(health(&metrics), warned);
    }

    #[test]
    fn there_is_nothing_to_change_here() {
        assert_eq!(status(Method::POST, "/metrics", true), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(status(Method::GET, "/", true), StatusCode::NOT_FOUND);
    }
}
