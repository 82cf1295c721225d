//! A machine of the customer: a disk, a clock, and a program that renews, cancels and rolls back.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::files::durable::{self, Entry};
use koshin_client::files::{Access, Files};
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::{Later, import};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;

use crate::bank::{PIN, TEMPLATE};
use crate::chance::Chance;
use crate::design::{Design, Outcome};
use crate::disk::Disk;
use crate::network::{Network, Pranks};
use crate::time::{Elapsed, Watch};
use crate::trace::Trace;

pub(crate) const FOLDER: &str = "/id";

/// A disk with the customer's pair, all of it durable.
static PREPARED: LazyLock<Disk> = LazyLock::new(|| {
    let disk = Disk::new();
    let settings = Settings {
        name: "taro".to_owned(),
        directory: TEMPLATE.directory.clone(),
        key_store: "file".to_owned(),
        trust: "trust.pem".into(),
        tls_trust: None,
        tls_pins: Vec::new(),
    };
    let (files, keys) = (Arc::new(disk.clone()), Arc::new(FileStore::plain()));
    let identity = Identity::create(files, keys, Path::new(FOLDER), settings).unwrap();
    let root = TEMPLATE.root();
    let trust = Entry { name: "trust.pem", content: root.as_bytes(), access: Access::Public };
    durable::put(&disk, Path::new(FOLDER), &[trust]).unwrap();
    let made = &TEMPLATE.customer;
    let now = Elapsed::default().now();
    let files = [made.certificate.as_bytes(), made.key.as_bytes()];
    identity.import(import::read(&files, None, now).unwrap(), now).unwrap();
    drop(identity);
    disk.sync_folder(Path::new("/")).unwrap();
    disk.lose_power(0);
    disk
});

/// What a program is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Renew,
    StartOver,
    Final,
    Resume,
    Cancel,
    RollBack,
}

/// How a machine ends up once nothing goes wrong any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has the pair that counts.
    Renewed,
    /// It was told that another machine has it.
    Elsewhere,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) disk: Disk,
    pub(crate) ahead: Arc<AtomicI64>,
    design: Design,
    /// State of the source of chance that decides about deeds and answers.
    chance: AtomicU64,
    pranks: Arc<Mutex<Option<Pranks>>>,
    mended: AtomicBool,
    end: Mutex<Option<End>>,
    elapsed: Elapsed,
    pub(crate) trace: Trace,
}

impl Machine {
    pub(crate) fn new(
        name: &'static str,
        design: Design,
        chance: &mut Chance,
        elapsed: &Elapsed,
        trace: &Trace,
    ) -> Self {
        Self {
            name,
            disk: PREPARED.copy(),
            ahead: Arc::default(),
            design,
            chance: AtomicU64::new(chance.next()),
            pranks: Arc::new(Mutex::new(Some(Pranks(chance.fork())))),
            mended: AtomicBool::new(false),
            end: Mutex::default(),
            elapsed: elapsed.clone(),
            trace: trace.clone(),
        }
    }

    /// From now on nothing goes wrong, and the program only renews.
    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
        *self.pranks.lock().unwrap() = None;
    }

    pub(crate) fn end(&self) -> Option<End> {
        *self.end.lock().unwrap()
    }

    /// A life of the program.
    pub(crate) async fn live(self: Arc<Self>) -> turmoil::Result {
        let mut renewed = false;
        loop {
            let deed = self.next_deed(renewed);
            let outcome = self.design.attempt(&self, deed).await;
            if self.disk.is_stopped() {
                std::future::pending::<()>().await;
            }
            self.trace.line(format_args!("{}: {deed:?}: {outcome}", self.name));
            renewed = matches!(outcome, Outcome::Over(End::Renewed, _));
            if self.mended.load(Ordering::SeqCst)
                && let Outcome::Over(end, _) = outcome
            {
                *self.end.lock().unwrap() = Some(end);
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(self.draw(|chance| chance.between(1, 8)))).await;
        }
    }

    fn next_deed(&self, renewed: bool) -> Deed {
        if self.mended.load(Ordering::SeqCst) {
            return Deed::Renew;
        }
        self.draw(|chance| match chance.below(16) {
            0..=11 if renewed => Deed::RollBack,
            0..=8 => Deed::Renew,
            9 => Deed::StartOver,
            10 => Deed::Final,
            11 => Deed::Resume,
            12 | 13 => Deed::Cancel,
            _ => Deed::RollBack,
        })
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        let mut chance = Chance::new(self.chance.load(Ordering::SeqCst));
        let drawn = draw(&mut chance);
        self.chance.store(chance.next(), Ordering::SeqCst);
        drawn
    }

    pub(crate) fn network(&self) -> Network {
        Network {
            machine: self.name,
            disk: self.disk.clone(),
            trace: self.trace.clone(),
            pranks: Arc::clone(&self.pranks),
        }
    }

    pub(crate) fn watch(&self) -> Watch {
        let (elapsed, ahead, disk) =
            (self.elapsed.clone(), Arc::clone(&self.ahead), self.disk.clone());
        Watch { elapsed, ahead, disk }
    }

    /// A user who sometimes does not want to install what was ordered.
    pub(crate) fn user(&self) -> User {
        let installs =
            self.mended.load(Ordering::SeqCst) || !self.draw(|chance| chance.once_in(10));
        User { installs }
    }
}

#[derive(Debug)]
pub(crate) struct User {
    installs: bool,
}

impl Consent for User {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { Some(Pin::new(PIN.to_owned())) })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { Choice::Renew })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { self.installs })
    }

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { true })
    }
}
