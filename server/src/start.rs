//! A bank made of its configuration and started: what the command `serve` does, and what tests and
//! demonstrations do in their own process.
//!
//! ```no_run
//! # async fn demonstration() -> Result<(), Box<dyn std::error::Error>> {
//! let config = koshin_server::config::Config::read("bank/koshin-server.toml".as_ref())?;
//! let running = koshin_server::start::start(config).await?;
//! println!("{}", running.directory_url());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::body::Bytes;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::chain::{Chain, InvalidChain};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::{SignError, Signer};
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;
use tokio::task::JoinHandle;

use crate::background;
use crate::bank::{Bank, ReceiptSigner};
use crate::ca::{Embedded, FileError, Passphrase};
use crate::clock::{Clock, System, Watched};
use crate::config::Config;
use crate::http::authority::BadOrigin;
use crate::http::listener::{Drained, ListenError};
use crate::http::{Authorities, Edge, Limits, Listener, Rate, Rates, Shutdown, Trigger};
use crate::keys::Keys;
use crate::mischief::{Mischief, Mischievous, Reluctant};
use crate::nonce::Nonces;
use crate::pin::{PinError, Pins};
use crate::provision::{self, Answer, ProvisionError, Request};
use crate::route::Route;
use crate::store::StoreError;
use crate::store::outage::{Condition, Outage};
use crate::store::sqlite::Sqlite;
use crate::urls::Urls;
use crate::watch::{Metrics, Readiness, Watch};

/// Why a bank does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process serves from the same data.
    #[error("another bank serves from {}", .0.display())]
    Running(PathBuf),
    /// A file or folder of the data cannot be used.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The CA's files cannot be used.
    #[error(transparent)]
    Authority(#[from] FileError),
    /// The chain of the receipt certificate is longer than the protocol allows.
    #[error("the chain of the receipt certificate is longer than the protocol allows")]
    ReceiptChain(#[from] InvalidChain),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// PINs cannot be checked.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The configured addresses or TLS files cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The public origin does not fit.
    #[error(transparent)]
    Origin(#[from] BadOrigin),
    /// The system refuses what a server needs.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Starts the bank of a configuration, by the system's clock.
///
/// It listens, and answers, when this returns. With port 0 the system chooses one, and the public
/// origin takes it over.
pub async fn start(config: Config) -> Result<Running, StartError> {
    start_by(config, Arc::new(System)).await
}

/// The same, by another clock.
pub async fn start_by(config: Config, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    start_changed(config, clock, |_| {}).await
}

/// The same, with parts of the bank replaced before it serves: for tests of those who test banks.
pub async fn start_changed(
    mut config: Config,
    clock: Arc<dyn Clock>,
    change: impl FnOnce(&mut Bank),
) -> Result<Running, StartError> {
    let lock = Lock::take(&config)?;
    let (trigger, shutdown) = Trigger::new();
    let listener = Listener::configured(&config, shutdown.clone()).await?;
    let address = listener.address()?;
    if config.listen.port() == 0
        && let Some(origin) = config.public_origin.at_port(address.port())
    {
        config.public_origin = origin;
    }
    let store = Arc::new(Sqlite::open_to_serve(config.database())?);
    let metrics = Arc::new(Metrics::new());
    let mut bank = assemble(&config, &store, &metrics, clock)?;
    change(&mut bank);
    let mischief = config.mischief.as_ref().map(Mischief::configured);
    if mischief.is_some() {
        bank.issuer = Arc::new(Reluctant::new(bank.issuer));
    }
    let bank = Arc::new(bank);
    let authorities = Authorities::of(config.public_origin.as_str())?;
    let limits = Limits::configured(&config.limits);
    let (nonces, clock) = (Arc::clone(&bank.nonces), Arc::clone(&bank.clock));
    let service =
        Mischievous::new(Arc::clone(&bank), mischief, nonces, clock, Arc::clone(&metrics));
    let edge = Edge::new(service, authorities, limits, Arc::clone(&metrics));
    let readiness = Readiness::of(store.condition().clone());
    let watching = watch(&config, &metrics, &readiness, &shutdown).await?;
    let background = background::spawn(&bank, &shutdown);
    let counting = tokio::spawn(count_outages(store.condition().clone(), metrics));
    let serving = tokio::spawn(edge.serve(listener, shutdown));
    readiness.set(true);
    let directory_url = bank.urls.of(&Route::Directory);
    Ok(Running {
        address,
        directory_url,
        bank,
        store,
        trigger,
        readiness,
        testing: config.testing,
        watching,
        serving,
        background,
        counting,
        _lock: lock,
    })
}

/// A bank that serves.
pub struct Running {
    address: SocketAddr,
    directory_url: Url,
    bank: Arc<Bank>,
    store: Arc<Sqlite>,
    trigger: Trigger,
    readiness: Readiness,
    testing: bool,
    watching: Option<(SocketAddr, JoinHandle<()>)>,
    serving: JoinHandle<Drained>,
    background: Vec<JoinHandle<()>>,
    counting: JoinHandle<()>,
    _lock: Lock,
}

/// How a bank came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
    Stopped(Drained),
    /// Its store failed, and only a new start reads the file anew.
    StoreFailed(Outage),
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are, if configured.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.watching.as_ref().map(|(address, _)| *address)
    }

    /// Where clients begin.
    pub fn directory_url(&self) -> &Url {
        &self.directory_url
    }

    /// The bank itself: its store, its CA, its clock.
    pub fn bank(&self) -> &Arc<Bank> {
        &self.bank
    }

    /// Makes a subject and its certificate, if the bank is a test environment (SPEC.md B.1).
    pub async fn provision(&self, request: &Request) -> Result<Answer, ProvisionError> {
        if !self.testing {
            return Err(ProvisionError::NotTesting);
        }
        provision::provision(&self.bank, request).await
    }

    /// Ready once the store has failed, so that the bank has to be started anew. Cancel-safe.
    pub async fn store_failed(&self) -> Outage {
        self.store.condition().failed().await
    }

    /// Serves until `stop` is asked for or the store has failed, and returns when everything that was taken on is finished.
    pub async fn until(self, mut stop: Shutdown) -> Ended {
        tokio::select! {
            () = stop.asked() => {}
            _outage = self.store_failed() => {}
        }
        let condition = self.store.condition().clone();
        let drained = self.shutdown().await;
        condition.failure().map_or(Ended::Stopped(drained), Ended::StoreFailed)
    }

    /// Stops accepting, finishes the requests under way, closes the database.
    pub async fn shutdown(self) -> Drained {
        self.readiness.set(false);
        self.trigger.pull();
        let drained = self.serving.await.unwrap_or(Drained::CutOff(0));
        for task in self.background {
            if let Err(error) = task.await {
                tracing::error!(%error, "a background task failed");
            }
        }
        let store = self.store;
        // Waits for the last commit: not on a thread that others need.
        if let Err(error) = tokio::task::spawn_blocking(move || store.close()).await {
            tracing::error!(%error, "closing the database failed");
        }
        if let Some((_, watching)) = self.watching {
            watching.abort();
        }
        self.counting.abort();
        drained
    }
}

/// Makes the bank of a configuration, which serves nobody yet.
pub fn assemble(
    config: &Config,
    store: &Arc<Sqlite>,
    metrics: &Arc<Metrics>,
    clock: Arc<dyn Clock>,
) -> Result<Bank, StartError> {
    let embedded = Arc::new(authority(config)?);
    let receipts = embedded.receipts();
    let chain = receipts.chain().iter().map(|certificate| certificate.der().into()).collect();
    let signer = Box::new(ReceiptKey(Arc::clone(&embedded)));
    let receipts = ReceiptSigner { signer, chain: Chain::new(chain)? };
    let limits = &config.limits;
    let pins = match &config.policy.pin {
        Some(rules) => Some(Pins::new(rules.cost, limits.pins_at_once, limits.pins_waiting)?),
        None => None,
    };
    let root_crl = Bytes::copy_from_slice(embedded.root_crl());
    Ok(Bank {
        policy: config.policy.clone(),
        urls: Urls::new(&config.public_origin),
        watched: Watched::new(Arc::clone(&clock), Arc::clone(metrics)),
        nonces: Arc::new(Nonces::new(clock.uptime())?),
        clock,
        store: Arc::clone(store) as _,
        root_crl: Some((embedded.root_id(), root_crl)),
        issuer: embedded,
        receipts,
        pins,
        verifier: default_verifier(),
        keys: Keys::default(),
        contract_page: limits.contract_page,
        rates: Rate::configured(limits.requests_per_certificate).map(Rates::new),
        metrics: Arc::clone(metrics),
    })
}

/// Reads the CA of a configuration.
pub fn authority(config: &Config) -> Result<Embedded, FileError> {
    let passphrase = config.ca_passphrase.as_deref().map(Passphrase::read).transpose()?;
    Embedded::load(&config.authority(), passphrase.as_ref(), &config.public_origin)
}

async fn watch(
    config: &Config,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
    shutdown: &Shutdown,
) -> Result<Option<(SocketAddr, JoinHandle<()>)>, StartError> {
    let Some(address) = config.metrics else { return Ok(None) };
    let watch = Watch::bind(address, Arc::clone(metrics), readiness.clone())
        .await
        .map_err(|error| ListenError::Bind { address, error })?;
    let bound = watch.address()?;
    Ok(Some((bound, tokio::spawn(watch.serve(shutdown.clone())))))
}

/// Tells the metrics of the store's outages, as long as the bank is there.
async fn count_outages(condition: Condition, metrics: Arc<Metrics>) {
    let mut changes = condition.changes();
    while changes.changed().await.is_ok() {
        metrics.store_outage(changes.borrow_and_update().as_ref().map(Outage::cause));
    }
}

/// The receipt key of the CA.
struct ReceiptKey(Arc<Embedded>);

impl Signer for ReceiptKey {
    fn algorithm(&self) -> Algorithm {
        self.0.receipts().signer().algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.receipts().signer().public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.receipts().signer().sign(message)
    }
}

/// Held by the one process that serves from a data folder: nonces and last uses of sessions are in
/// its memory. Commands do not need it, since all that they change is in the database.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the file is held, not read")] File);

impl Lock {
    /// Takes it, or says that another process has it. It ends with the process.
    pub fn take(config: &Config) -> Result<Self, StartError> {
        let path = config.data.join("serving.lock");
        let failed = |error| StartError::File { path: path.clone(), error };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StartError::Running(config.data.clone())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
