//! TLS of the bank, with certificate and key files that may change under it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

use super::shutdown::Shutdown;
use super::tickets::Tickets;

/// How often the files are looked at by default.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The bank's TLS: HTTP/2 and HTTP/1.1 by ALPN, TLS 1.3 and 1.2, no client certificates (the
/// protocol signs its requests and so survives a proxy that ends TLS).
#[derive(Clone, Debug)]
pub struct Tls {
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// Why certificate and key cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The certificate file has no certificate in PEM form.
    #[error("{path} holds no certificate in PEM form", path = .0.display())]
    NoCertificate(PathBuf),
    /// The key file has no private key in PEM form.
    #[error("{path} holds no private key in PEM form (PKCS#8, SEC1 or PKCS#1)", path = .0.display())]
    NoKey(PathBuf),
    /// The two do not belong together, or the key is of no usable kind.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(rustls::Error),
}

/// What a look at the files brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The files are the ones in use.
    Same,
    /// New files are in use from the next handshake on.
    Renewed,
}

impl Tls {
    /// Reads certificate chain (leaf first) and private key, both PEM.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let seen = files.stamp();
        let pair = files.read(&provider)?;
        let current = Arc::new(Current {
            files,
            provider: Arc::clone(&provider),
            state: RwLock::new(State { pair, seen }),
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Arc::new(Tickets::new().map_err(TlsError::Unusable)?);
        config.send_tls13_tickets = 1;
        Ok(Self { current, config: Arc::new(config) })
    }

    /// Reads the files again if they changed since the last look, or in any case with `force`. Files
    /// that cannot be used change nothing.
    pub fn look(&self, force: bool) -> Result<Look, TlsError> {
        self.current.look(force)
    }

    /// Looks at the files `every` so often and at each SIGHUP, until shutdown. Outcomes are logged.
    ///
    /// # Errors
    /// The system refuses the signal handler.
    pub fn keep_fresh(&self, every: Duration, mut shutdown: Shutdown) -> std::io::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let tls = self.clone();
        tokio::spawn(async move {
            loop {
                let force = tokio::select! {
                    () = shutdown.asked() => return,
                    _ = hangup.recv() => true,
                    () = tokio::time::sleep(every) => false,
                };
                let current = Arc::clone(&tls.current);
                // Two small files, but possibly on a network.
                match tokio::task::spawn_blocking(move || current.look(force)).await {
                    Ok(Ok(Look::Same)) => {}
                    Ok(Ok(Look::Renewed)) => tracing::info!("serving with the new TLS certificate"),
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the new TLS files cannot be used; keeping the old ones");
                    }
                    Err(error) => tracing::error!(%error, "looking at the TLS files failed"),
                }
            }
        });
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

#[derive(Debug)]
struct Current {
    files: Files,
    provider: Arc<CryptoProvider>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    pair: Arc<CertifiedKey>,
    /// The files as they were when last looked at, usable or not: a broken file is reported once.
    seen: Stamp,
}

impl Current {
    fn look(&self, force: bool) -> Result<Look, TlsError> {
        let seen = self.files.stamp();
        if !force
            && self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner).seen == seen
        {
            return Ok(Look::Same);
        }
        let pair = self.files.read(&self.provider);
        let mut state = self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.seen = seen;
        let pair = pair?;
        if pair.cert == state.pair.cert {
            return Ok(Look::Same);
        }
        state.pair = pair;
        Ok(Look::Renewed)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Some(Arc::clone(&state.pair))
    }
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// Time and length of both files; nothing for one that is not there.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Files {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let about = fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        })
    }

    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&contents(&self.certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|_| TlsError::NoCertificate(self.certificate.clone()))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate.clone()));
        }
        let pem = zeroize::Zeroizing::new(contents(&self.key)?);
        let key =
            PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(TlsError::Unusable)
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_owned(), error })
}
