//! A bank of one test: an edge in front of a service that does as the path says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Bytes;
use koshin_server::http::listener::Drained;
use koshin_server::http::{
    Authorities, Edge, Hangup, Limits, Listener, Service, Shutdown, Tls, Trigger,
};
use koshin_server::watch::Metrics;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// The name that every bank here answers to.
pub(crate) const NAME: &str = "bank.test";

/// Longest wait for anything; a test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the service saw, and the door that `/wait` waits at.
#[derive(Clone, Default)]
pub(crate) struct Doings {
    /// Requests that reached the service.
    pub(crate) begun: Arc<AtomicUsize>,
    door: Arc<Door>,
}

struct Door(Semaphore);

impl Default for Door {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Doings {
    /// Requests that reached the service so far.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Lets so many requests to `/wait` go on.
    pub(crate) fn open_door(&self, count: usize) {
        self.door.0.add_permits(count);
    }

    /// Waits until so many requests reached the service.
    pub(crate) async fn until_begun(&self, count: usize) {
        until(|| self.begun() >= count).await;
    }
}

impl Service for Doings {
    async fn call(&self, request: Request<Bytes>, _: SocketAddr) -> Response<Bytes> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        match request.uri().path() {
            "/wait" => self.door.0.acquire().await.expect("the door stays").forget(),
            "/big" => return Response::new(Bytes::from(vec![b'x'; 4 << 20])),
            "/hangup" => {
                let mut response = Response::new(Bytes::new());
                response.extensions_mut().insert(Hangup);
                return response;
            }
            _ => {}
        }
        let told =
            format!("{} {} {}", request.method(), request.uri().path(), request.body().len());
        Response::new(told.into())
    }
}

/// A running edge.
pub(crate) struct Bank {
    pub(crate) address: SocketAddr,
    pub(crate) doings: Doings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trigger: Trigger,
    pub(crate) served: JoinHandle<Drained>,
    pub(crate) files: Option<Files>,
}

/// Certificate and key of a bank over TLS.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) tls: Tls,
}

impl Files {
    pub(crate) fn certificate(&self) -> std::path::PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> std::path::PathBuf {
        self.folder.path().join("key.pem")
    }
}

/// Writes a fresh self-signed pair and returns the certificate.
pub(crate) fn write_pair(certificate: &Path, key: &Path) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a pair");
    std::fs::write(certificate, pair.cert.pem()).expect("a writable folder");
    std::fs::write(key, pair.signing_key.serialize_pem()).expect("a writable folder");
    pair.cert.der().clone()
}

/// Limits at which nothing happens within a test unless the test changes them.
pub(crate) fn limits() -> Limits {
    Limits::default()
}

impl Bank {
    pub(crate) async fn plain(limits: Limits) -> Self {
        let listener = Listener::plain(([127, 0, 0, 1], 0).into()).await.expect("a port");
        Self::start(listener, None, Doings::default(), |doings| doings, limits)
    }

    pub(crate) async fn over_tls(limits: Limits) -> Self {
        let folder = TempDir::new().expect("a folder");
        let (certificate, key) =
            (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        write_pair(&certificate, &key);
        let tls = Tls::load(&certificate, &key).expect("the pair just written");
        let listener =
            Listener::tls(([127, 0, 0, 1], 0).into(), tls.clone()).await.expect("a port");
        let files = Some(Files { folder, tls });
        Self::start(listener, files, Doings::default(), |doings| doings, limits)
    }

    /// The same bank in clear and over TLS.
    pub(crate) async fn both(limits: Limits) -> [Self; 2] {
        [Self::plain(limits.clone()).await, Self::over_tls(limits).await]
    }

    pub(crate) fn start<S: Service>(
        listener: Listener,
        files: Option<Files>,
        doings: Doings,
        wrap: impl FnOnce(Doings) -> S,
        limits: Limits,
    ) -> Self {
        let address = listener.address().expect("a bound socket");
        let metrics = Arc::new(Metrics::new());
        let origin = if files.is_some() { "https://bank.test" } else { "http://bank.test" };
        let authorities = Authorities::of(origin).expect("an origin");
        let edge = Edge::new(wrap(doings.clone()), authorities, limits, Arc::clone(&metrics));
        let (trigger, shutdown) = Trigger::new();
        let served = tokio::spawn(edge.serve(listener, shutdown));
        Self { address, doings, metrics, trigger, served, files }
    }

    /// A connection for HTTP/1.1, through TLS if this bank has it.
    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let stream: Box<dyn Stream> = match &self.files {
            None => Box::new(stream),
            Some(_) => Box::new(self.handshake(stream, b"http/1.1").await),
        };
        Connection { stream, read: Vec::new() }
    }

    /// TLS toward this bank, offering one protocol.
    pub(crate) async fn handshake(
        &self,
        stream: TcpStream,
        alpn: &[u8],
    ) -> tokio_rustls::client::TlsStream<TcpStream> {
        let files = self.files.as_ref().expect("a bank over TLS");
        let pem = std::fs::read(files.certificate()).expect("the certificate");
        tls_client(&pem, stream, alpn).await.expect("a handshake")
    }

    /// Sends `bytes` on a connection of their own and reads the one answer.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect().await;
        connection.send(bytes).await;
        connection.answer().await
    }

    /// Waits until no connection is open.
    pub(crate) async fn until_closed(&self) {
        until(|| self.metrics.exposition().contains("koshin_connections_open 0\n")).await;
    }
}

/// Connects as somebody who trusts just the certificates in `pem`.
pub(crate) async fn tls_client(
    pem: &[u8],
    stream: TcpStream,
    alpn: &[u8],
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    use rustls::pki_types::pem::PemObject;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of the provider")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from(NAME).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A client that sees every byte.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    read: Vec<u8>,
}

/// One answer of HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the edge reads");
        self.stream.flush().await.expect("the edge reads");
    }

    /// Reads the next answer; panics if the connection ends before.
    pub(crate) async fn answer(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.parsed() {
                return answer;
            }
            let more = self.more().await.expect("an answer, not an error");
            assert!(more > 0, "closed after {}", self.read.escape_ascii());
        }
    }

    /// Asserts that the edge closes, and that nothing more is answered before.
    pub(crate) async fn assert_closed(&mut self) {
        while self.more().await.unwrap_or(0) > 0 {}
        assert!(self.read.is_empty(), "answered {}", self.read.escape_ascii());
    }

    async fn more(&mut self) -> std::io::Result<usize> {
        tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read))
            .await
            .expect("neither an answer nor an end within patience")
    }

    fn parsed(&mut self) -> Option<Answer> {
        let end = self.read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.read[..end].to_vec()).expect("an ASCII head");
        let status = head.split(' ').nth(1)?.parse().expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        if self.read.len() < end + length {
            return None;
        }
        answer.body = self.read[end..end + length].to_vec();
        self.read.drain(..end + length);
        Some(answer)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Asserts a problem document with this token, after which the connection ends.
    pub(crate) fn assert_refused(&self, status: u16, token: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_problem(&self.body, status, token);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("connection"), Some("close"));
        assert!(self.header("date").is_some(), "{self:?}");
    }

    pub(crate) fn assert_told(&self, told: &str) {
        assert_eq!((self.status, String::from_utf8_lossy(&self.body).as_ref()), (200, told));
    }
}

pub(crate) fn assert_problem(body: &[u8], status: u16, token: &str) {
    let problem: serde_json::Value = serde_json::from_slice(body).expect("a problem document");
    assert_eq!(problem["type"], format!("urn:koshin:error:{token}"));
    assert_eq!(problem["status"], status);
    assert!(problem["remedy"]["action"].is_string(), "{problem}");
    assert!(problem["serverTime"].as_str().is_some_and(|time| time.len() == 20), "{problem}");
}

/// Waits until `so`.
pub(crate) async fn until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it came to be within patience");
}

/// A shutdown that nobody asks for.
pub(crate) fn never() -> (Trigger, Shutdown) {
    Trigger::new()
}
