//! The client's requests over the simulated network, through a proxy that repeats, cuts and swaps.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request as HttpRequest, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use koshin_client::Later;
use koshin_client::pem;
use koshin_client::transport::{Request, Response, Transport, TransportError};
use koshin_protocol::base64url;
use serde_json::Value;

use crate::bank::{HOST, PORT, TEMPLATE};
use crate::chance::Chance;
use crate::disk::Disk;
use crate::trace::Trace;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the proxy does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prank {
    /// Nothing.
    Pass,
    /// Sends it twice, and hands out the second answer.
    Twice,
    /// Hands out half of the answer's body as if it were the whole.
    Half,
    /// Hands out somebody else's certificate.
    OtherCertificate,
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) machine: &'static str,
    pub(crate) disk: Disk,
    pub(crate) trace: Trace,
    /// `None` once the faults are over.
    pub(crate) pranks: Arc<Mutex<Option<Pranks>>>,
}

pub(crate) struct Pranks(pub(crate) Chance);

impl std::fmt::Debug for Pranks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pranks")
    }
}

impl Pranks {
    fn next(&mut self) -> Prank {
        match self.0.below(40) {
            0 | 1 => Prank::Twice,
            2 => Prank::Half,
            3 | 4 => Prank::OtherCertificate,
            _ => Prank::Pass,
        }
    }
}

impl Transport for Network {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            if self.disk.is_stopped() {
                // The process has ended: it sends nothing any more.
                std::future::pending::<()>().await;
            }
            let prank = self.pranks.lock().unwrap().as_mut().map_or(Prank::Pass, Pranks::next);
            if prank != Prank::Pass {
                self.trace.line(format_args!("{}: the proxy will play {prank:?}", self.machine));
            }
            let (limit, again) = (request.limit, request.clone());
            let mut answer = exchange(request).await?;
            match prank {
                Prank::Pass => {}
                Prank::Twice => answer = exchange(again).await?,
                Prank::Half => answer.body.truncate(answer.body.len() / 2),
                Prank::OtherCertificate => swap_certificate(&mut answer.body),
            }
            if answer.body.len() > limit {
                Err(TransportError::TooLong { limit })
            } else {
                Ok(answer)
            }
        })
    }
}

async fn exchange(request: Request) -> Result<Response, TransportError> {
    let (answered, answer) = tokio::sync::oneshot::channel();
    // The simulated streams stay on their thread; dropping this future leaves the request on its way.
    let sending = tokio::task::spawn_local(async move {
        let answer = tokio::time::timeout(PATIENCE, try_exchange(request)).await;
        answered.send(answer.unwrap_or(Err(TransportError::Timeout))).ok();
    });
    drop(sending);
    answer.await.unwrap_or(Err(TransportError::Timeout))
}

async fn try_exchange(request: Request) -> Result<Response, TransportError> {
    let not_connected = |error: std::io::Error| TransportError::NotConnected(error.to_string());
    let cut_short = |error: hyper::Error| TransportError::CutShort(error.to_string());
    let bank: IpAddr = turmoil::lookup(HOST);
    let stream = turmoil::net::TcpStream::connect((bank, PORT)).await.map_err(not_connected)?;
    let stream = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(cut_short)?;
    tokio::task::spawn_local(connection);
    let uri: Uri = request.url.path().parse().unwrap();
    let mut sending = HttpRequest::new(Full::new(Bytes::from_owner(request.body)));
    (*sending.method_mut(), *sending.uri_mut()) = (request.method, uri);
    *sending.headers_mut() = request.headers;
    sending.headers_mut().insert(http::header::HOST, HOST.parse().unwrap());
    let answer = sender.send_request(sending).await.map_err(cut_short)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, 1 << 20).collect().await;
    let body = body.map_err(|error| TransportError::CutShort(error.to_string()))?;
    let (status, headers) = (head.status.as_u16(), head.headers);
    Ok(Response { status, headers, body: body.to_bytes().to_vec() })
}

fn swap_certificate(body: &mut Vec<u8>) {
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else { return };
    let Some(chain) = json.get_mut("chain") else { return };
    let other = pem::sections(TEMPLATE.stranger.certificate.as_bytes()).unwrap().remove(0);
    chain[0] = base64url::encode_standard(&other.der).into();
    *body = serde_json::to_vec(&json).unwrap();
}
