//! Connections: TLS by the tester's roots, or in clear on a loopback address.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use koshin_protocol::url::Url;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// ALPN of HTTP/1.1.
pub const HTTP_1: &[u8] = b"http/1.1";

/// ALPN of HTTP/2.
pub const HTTP_2: &[u8] = b"h2";

/// After so long there is no connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Roots that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadTrust {
    /// No PEM.
    #[error("no certificates in PEM: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// There is none.
    #[error("no certificate in it")]
    Empty,
    /// Not a root.
    #[error("not a certificate that can be trusted: {0}")]
    Tls(#[from] rustls::Error),
    /// The host of the directory's URL.
    #[error("{0}: no host name or address")]
    Host(String),
}

/// Connects to one origin.
#[derive(Debug, Clone)]
pub struct Connector {
    host: String,
    port: u16,
    /// `None`: in clear.
    tls: Option<(RootCertStore, ServerName<'static>)>,
}

impl Connector {
    /// To the origin of this URL, trusting the certificates of this PEM file alone.
    pub fn new(url: &Url, trust: &[u8]) -> Result<Self, BadTrust> {
        let is_tls = url.as_str().starts_with("https:");
        let authority = url.authority();
        let default = if is_tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| BadTrust::Host(authority.to_owned()))?)
            }
            _ => (authority, default),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = is_tls.then(|| Ok::<_, BadTrust>((roots(trust)?, name(&host)?))).transpose()?;
        Ok(Self { host, port, tls })
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// A connection of TCP alone.
    pub async fn tcp(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A connection that speaks this protocol of ALPN; where the other side does not, it is an error for anything but HTTP/1.1.
    pub async fn connect(&self, protocol: &[u8]) -> io::Result<Stream> {
        let Some((roots, name)) = &self.tls else {
            return Ok(Stream::Clear(self.tcp().await?));
        };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let stream = tokio::time::timeout(PATIENCE, async {
            connector.connect(name.clone(), self.tcp().await?).await
        });
        let stream = stream.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let agreed = stream.get_ref().1.alpn_protocol();
        if agreed.is_none() && protocol != HTTP_1 {
            return Err(io::Error::other("the bank does not agree to this protocol (ALPN)"));
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, BadTrust> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err(BadTrust::Empty) } else { Ok(roots) }
}

fn name(host: &str) -> Result<ServerName<'static>, BadTrust> {
    ServerName::try_from(host.to_owned()).map_err(|_| BadTrust::Host(host.to_owned()))
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// By TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// In clear.
    Clear(TcpStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Clear(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
