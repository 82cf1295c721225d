//! The played bank's edge: TLS and HTTP/1.1 on a loopback port. It records each request and does to it what the case says.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

use http::header::{CONTENT_LENGTH, DATE, HOST};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use koshin_server::http::Service;
use koshin_server::mischief::Mischief;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::bank::PlayedBank;
use super::deed::{Deed, Rule};
use super::process::Victims;
use super::seen::{Made, Seen};
use crate::case::{Outcome, Stop};
use crate::exchange::Log;

/// Listens, records and misbehaves.
pub(crate) struct Front {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What every connection shares.
pub(crate) struct Shared {
    bank: Arc<PlayedBank>,
    scheme_and_authority: String,
    /// Requests in the order in which they arrived.
    seen: Mutex<Vec<Seen>>,
    rules: Mutex<Vec<Rule>>,
    /// What happens to requests that no rule is about.
    mischief: Mutex<Option<Mischief>>,
    /// Clients that are running.
    pub(crate) victims: Victims,
    /// How far `Date` is ahead of the bank's clock.
    date_ahead: AtomicI64,
    log: Log,
}

/// Binds a loopback port of that address.
pub(crate) async fn bind(last_octet: u8) -> Outcome<TcpListener> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last_octet)), 0);
    TcpListener::bind(address).await.map_err(Stop::blocked)
}

impl Front {
    /// Serves the bank at `origin` with these TLS files.
    pub(crate) fn open(
        listener: TcpListener,
        bank: &Arc<PlayedBank>,
        origin: &str,
        tls: (&Path, &Path),
        log: Log,
    ) -> Outcome<Self> {
        let shared = Arc::new(Shared {
            bank: Arc::clone(bank),
            scheme_and_authority: origin.to_owned(),
            seen: Mutex::default(),
            rules: Mutex::default(),
            mischief: Mutex::default(),
            victims: Victims::default(),
            date_ahead: AtomicI64::new(0),
            log,
        });
        let acceptor = TlsAcceptor::from(Arc::new(config(tls.0, tls.1)?));
        let serving = tokio::spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Ok(Self { shared, serving })
    }

    /// What every connection shares.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// Every request so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on something is done to requests that fit; earlier rules come first.
    pub(crate) fn rule(&self, rule: Rule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// From now on the bank's own mischief happens, by its seed.
    pub(crate) fn set_mischief(&self, mischief: Mischief) {
        *self.mischief.lock().unwrap_or_else(PoisonError::into_inner) = Some(mischief);
    }

    /// From now on nothing is done to any.
    pub(crate) fn behave(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.mischief.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.date_ahead.store(0, Ordering::SeqCst);
    }

    /// From now on `Date` is so many seconds ahead of the bank's clock.
    pub(crate) fn set_date_ahead(&self, seconds: i64) {
        self.date_ahead.store(seconds, Ordering::SeqCst);
    }

    /// The `Date` of an answer now, and so many seconds later.
    pub(crate) fn date_in(&self, seconds: i64) -> String {
        let now = self.bank.now().unix() + self.date_ahead.load(Ordering::SeqCst) + seconds;
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap_or(0)))
    }

    fn record(&self, seen: &Seen) -> usize {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen.clone());
        all.len() - 1
    }

    fn answered(&self, number: usize, seen: &Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)[number] = seen.clone();
        self.log.push(seen.exchange());
    }

    fn deed(&self, seen: &Seen) -> Deed {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mischief = self.mischief.lock().unwrap_or_else(PoisonError::into_inner);
        let prank =
            || mischief.as_ref().and_then(Mischief::next).map(|prank| Deed::of(prank, seen));
        rules.iter_mut().find_map(|rule| rule.meets(seen)).or_else(prank).unwrap_or(Deed::Nothing)
    }

    /// Answers a request, or breaks the connection.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Piece>> {
        let broken = || io::Error::from(io::ErrorKind::ConnectionReset);
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| broken())?.to_bytes();
        let authority = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let scheme = self.scheme_and_authority.split("://").next().unwrap_or_default();
        let url = format!("{scheme}://{}{}", authority.unwrap_or_default(), head.uri);
        let mut came = Seen::new(head.method.clone(), url, head.headers.clone(), body.clone());
        let deed = self.deed(&came);
        came.deed = deed.name();
        let number = self.record(&came);
        let made = match &deed {
            Deed::KillBefore => {
                self.victims.kill();
                None
            }
            Deed::LoseRequest => None,
            Deed::Answer(instead) => {
                let mut made = instead(&came);
                if made.header("replay-nonce").is_none() {
                    made.set_header("replay-nonce", &self.bank.bank().nonce());
                }
                Some(made)
            }
            _ => Some(self.ask_the_bank(Request::from_parts(head, body)).await),
        };
        let Some(mut made) = made else {
            self.answered(number, &came);
            return Err(broken());
        };
        let date = HeaderValue::from_str(&self.date_in(0)).expect("a date is visible text");
        made.headers.entry(DATE).or_insert(date);
        match &deed {
            Deed::KillAfter => self.victims.kill(),
            Deed::Delay(time) => tokio::time::sleep(*time).await,
            Deed::Change(change) => change(&came, &mut made),
            _ => {}
        }
        let cut = matches!(deed, Deed::Truncate);
        came.answer = Some(made.clone());
        self.answered(number, &came);
        if matches!(deed, Deed::KillAfter | Deed::LoseAnswer) {
            return Err(broken());
        }
        Ok(respond(made, cut))
    }

    async fn ask_the_bank(&self, request: Request<Bytes>) -> Made {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let bank = self.bank.bank();
        let (parts, body) = bank.call(request, peer).await.into_parts();
        Made { status: parts.status.as_u16(), headers: parts.headers, body: body.to_vec() }
    }
}

/// A response whose body may break off in its middle.
fn respond(made: Made, cut: bool) -> Response<Piece> {
    let length = made.body.len();
    let mut bytes = Bytes::from(made.body);
    if cut {
        bytes.truncate(length / 2);
    }
    let mut response = Response::new(Piece { bytes: Some(bytes), cut, length });
    *response.status_mut() = made.status.try_into().unwrap_or_default();
    *response.headers_mut() = made.headers;
    if length > 0 {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// A body, or the first part of one.
struct Piece {
    bytes: Option<Bytes>,
    cut: bool,
    length: usize,
}

impl Body for Piece {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.bytes.take() {
            Some(bytes) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
            _ if self.cut => Some(Err(io::ErrorKind::ConnectionReset.into())),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.length).unwrap_or(u64::MAX))
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move { connection(stream, acceptor, shared).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    shared: Arc<Shared>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(|request| shared.answer(request));
    // Connections that break are what much of this is about.
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
    Ok(())
}

fn config(certificate: &Path, key: &Path) -> Outcome<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).map_err(Stop::blocked)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(Stop::blocked)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(Stop::blocked)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Stop::blocked)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(Stop::blocked)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A place where nobody should come: counts whoever connects.
pub(crate) struct Trap {
    /// `host:port`.
    pub(crate) authority: String,
    came: Arc<Mutex<usize>>,
    listening: JoinHandle<Infallible>,
}

impl Trap {
    /// Sets it up.
    pub(crate) async fn set() -> Outcome<Self> {
        let listener = bind(1).await?;
        let port = listener.local_addr().map_err(Stop::blocked)?.port();
        let came = Arc::<Mutex<usize>>::default();
        let count = Arc::clone(&came);
        let listening = tokio::spawn(async move {
            loop {
                if listener.accept().await.is_ok() {
                    *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                }
            }
        });
        Ok(Self { authority: format!("localhost:{port}"), came, listening })
    }

    /// How many came.
    pub(crate) fn caught(&self) -> usize {
        *self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
