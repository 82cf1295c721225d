//! The bank that is played: the real one as a library, with its clock, its CA and its files in the case's hands.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use koshin_protocol::time::Time;
use koshin_server::background;
use koshin_server::bank::Bank;
use koshin_server::ca::{Fault, FaultyIssuer, Issuer};
use koshin_server::clock::{Clock, System};
use koshin_server::config::{Config, Origin};
use koshin_server::http::Trigger;
use koshin_server::init::{CONFIG_FILE, NewBank, NewTransport};
use koshin_server::policy::Policy;
use koshin_server::start::assemble;
use koshin_server::store::sqlite::Sqlite;
use koshin_server::watch::Metrics;

use crate::case::{Outcome, Stop};

/// What a case may change of the bank's policy.
pub(crate) type Alter = fn(&mut Policy);

/// How long its CA wants to be left alone while it is slow.
const CA_RETRY: Duration = Duration::from_secs(1);

/// Before this many days the bank's CA was made: subjects have certificates of the past.
const CA_AGE_DAYS: i64 = 1000;

/// The real bank, answering in this process.
pub(crate) struct PlayedBank {
    folder: PathBuf,
    alter: Alter,
    clock: Arc<Shifted>,
    open: Mutex<Arc<Open>>,
}

/// A bank whose store is open.
struct Open {
    bank: Arc<Bank>,
    store: Arc<Sqlite>,
    ca: Arc<FaultyIssuer>,
    trigger: Trigger,
}

/// The system's clock, after so many seconds more have passed; before, if negative.
#[derive(Debug, Default)]
pub(crate) struct Shifted(AtomicI64);

impl Clock for Shifted {
    fn now(&self) -> Time {
        let now = System.now().unix() + self.0.load(Ordering::SeqCst);
        Time::from_unix(now).unwrap_or(Time::MAX)
    }

    fn uptime(&self) -> Duration {
        let passed = u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or_default();
        System.uptime() + Duration::from_secs(passed)
    }
}

impl PlayedBank {
    /// Makes a bank in a new folder, which clients call `origin`.
    pub(crate) fn found(folder: &Path, origin: &str, policy: &str, alter: Alter) -> Outcome<Self> {
        let origin = Origin::parse(origin).ok_or_else(|| Stop::blocked("no origin"))?;
        let now = System.now().unix() - CA_AGE_DAYS * 86_400;
        let new = NewBank {
            organization: "Example Bank",
            origin: &origin,
            listen: ([127, 0, 0, 1], 0).into(),
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy,
            testing: true,
            passphrase: None,
            now: Time::from_unix(now).map_err(Stop::blocked)?,
        };
        new.create(folder).map_err(Stop::blocked)?;
        let clock = Arc::<Shifted>::default();
        let database = folder.join("data/koshin.db");
        let open = Mutex::new(Arc::new(Open::of(folder, &database, alter, &clock)?));
        Ok(Self { folder: folder.to_owned(), alter, clock, open })
    }

    /// The bank, as it is now.
    pub(crate) fn bank(&self) -> Arc<Bank> {
        Arc::clone(&self.opened().bank)
    }

    /// The bank's time.
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// From now on its clock is so many seconds ahead of this machine's.
    pub(crate) fn set_ahead(&self, seconds: i64) {
        self.clock.0.store(seconds, Ordering::SeqCst);
    }

    /// From now on its CA has this fault.
    pub(crate) fn set_ca(&self, fault: Fault) {
        self.opened().ca.set(fault);
    }

    /// The roots that clients are configured with.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Chain and key of its TLS.
    pub(crate) fn tls_files(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("tls/chain.pem"), self.folder.join("tls/key.pem"))
    }

    /// Keeps its database as it is now. Nobody asks the bank for anything meanwhile.
    pub(crate) fn back_up(&self) -> Outcome {
        copy_database(self.opened().store.path(), &self.folder.join("backup.db"))
    }

    /// Has the database again that was kept: what happened since then never did.
    pub(crate) fn restore(&self) -> Outcome {
        let restored = self.folder.join("restored.db");
        copy_database(&self.folder.join("backup.db"), &restored)?;
        let new = Arc::new(Open::of(&self.folder, &restored, self.alter, &self.clock)?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *open, new).close();
        Ok(())
    }

    fn opened(&self) -> Arc<Open> {
        Arc::clone(&self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for PlayedBank {
    fn drop(&mut self) {
        self.opened().close();
    }
}

impl Open {
    /// Opens the bank in `folder` with this database; within a runtime.
    fn of(folder: &Path, database: &Path, alter: Alter, clock: &Arc<Shifted>) -> Outcome<Self> {
        let mut config = Config::read(&folder.join(CONFIG_FILE)).map_err(Stop::blocked)?;
        if let Some(rules) = &mut config.policy.pin {
            // Hashing is not what is tested here.
            rules.cost.memory_kib = 64;
            rules.cost.passes = 1;
        }
        alter(&mut config.policy);
        let store = Arc::new(Sqlite::open(database).map_err(Stop::blocked)?);
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let metrics = Arc::new(Metrics::new());
        let mut bank = assemble(&config, &store, &metrics, clock).map_err(Stop::blocked)?;
        let ca = Arc::new(FaultyIssuer::new(Arc::clone(&bank.issuer), CA_RETRY));
        bank.issuer = Arc::clone(&ca) as Arc<dyn Issuer>;
        let bank = Arc::new(bank);
        let (trigger, shutdown) = Trigger::new();
        background::spawn(&bank, &shutdown);
        Ok(Self { bank, store, ca, trigger })
    }

    fn close(&self) {
        self.trigger.pull();
        self.store.close();
    }
}

/// A database that nobody writes to, with what of it is not in its main file yet.
fn copy_database(from: &Path, to: &Path) -> Outcome {
    fs::copy(from, to).map_err(Stop::blocked)?;
    let log = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        PathBuf::from(name)
    };
    if log(from).exists() {
        fs::copy(log(from), log(to)).map_err(Stop::blocked)?;
    }
    Ok(())
}
