//! HTTPS with nothing hidden: each header is the caller's, no redirect is followed, nothing is repeated but what was never sent.

mod raw;
mod tls;

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

pub use raw::{RawAnswer, RawConnection};
pub use tls::{BadTrust, Connector, HTTP_1, HTTP_2};

/// Longest body that is read.
const LONGEST: usize = 16 << 20;

/// After so long there is no answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    /// The connection ended, or what came is no HTTP.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// Nothing for too long.
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Timeout,
    /// The body ended early or is too long.
    #[error("the body: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// An answer, as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

type Sender = http1::SendRequest<Full<Bytes>>;

/// Speaks to one origin.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    idle: Mutex<Vec<Sender>>,
}

impl Client {
    /// Through this connector.
    pub fn new(connector: Connector) -> Self {
        Self { connector, idle: Mutex::new(Vec::new()) }
    }

    /// How it connects.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request by HTTP/1.1; its URI is the path, and it has all its headers, `Host` included.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response, HttpError> {
        tokio::time::timeout(PATIENCE, self.exchange(request.map(Full::new)))
            .await
            .unwrap_or(Err(HttpError::Timeout))
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Response, HttpError> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = kept.is_none();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            if sender.ready().await.is_err() && !fresh {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => {
                    let response = read(response).await?;
                    if !sender.is_closed() {
                        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
                    }
                    return Ok(response);
                }
                // Given back: it was never sent, since an idle connection was closed meanwhile.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }

    async fn connect(&self) -> Result<Sender, HttpError> {
        let stream = self.connector.connect(HTTP_1).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Its fault is told to whoever waits for the answer.
            drop(connection.await);
        });
        Ok(sender)
    }

    /// Forgets connections: the next request makes a new one.
    pub fn forget_connections(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends a request by HTTP/2 over a connection of its own; its URI is absolute.
    pub async fn send_by_http2(&self, request: Request<Bytes>) -> Result<Response, HttpError> {
        let exchange = async {
            let stream = self.connector.connect(HTTP_2).await?;
            let io = TokioIo::new(stream);
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            let driver = tokio::spawn(connection);
            let response = sender.send_request(request.map(Full::new)).await?;
            let response = read(response).await;
            driver.abort();
            response
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or(Err(HttpError::Timeout))
    }
}

async fn read(response: http::Response<hyper::body::Incoming>) -> Result<Response, HttpError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(HttpError::Body)?.to_bytes();
    Ok(Response { status: parts.status, headers: parts.headers, body })
}
