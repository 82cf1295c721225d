//! A real bank in this process, and people with certificates of it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use koshin_client::clock::{Clock, SystemClock};
use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::transport::{Https, Request, Response, Transport, TransportError};
use koshin_client::{Client, Later, import};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::pin::Pin;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::provision::{Answer, Made};
use koshin_server::start::{Running, start};
use tempfile::TempDir;

pub(crate) const PIN: &str = "481516";
const DAY: i64 = 86_400;

/// A bank on a loopback port.
pub(crate) struct Bank {
    pub(crate) running: Running,
    folder: TempDir,
}

pub(crate) fn now() -> Time {
    SystemClock.now()
}

pub(crate) fn in_days(days: i64) -> Time {
    Time::from_unix(now().unix() + days * DAY).unwrap()
}

impl Bank {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let new = NewBank {
            organization: "Example Bank",
            origin: &Origin::parse("http://127.0.0.1:8080").unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            transport: NewTransport::Plain,
            metrics: None,
            policy: "seed",
            testing: true,
            passphrase: None,
            now: in_days(-1000),
        };
        let mut config = new.create(&folder.path().join("bank")).unwrap();
        if let Some(rules) = &mut config.policy.pin {
            rules.cost.memory_kib = 64;
            rules.cost.passes = 1;
        }
        Self { running: start(config).await.unwrap(), folder }
    }

    pub(crate) fn directory(&self) -> Url {
        self.running.directory_url().clone()
    }

    /// A subject whose certificate ends in so many days.
    pub(crate) async fn customer(&self, role: &str, contract: &str, days: i64) -> Made {
        let request = serde_json::json!({
            "role": role,
            "contract": contract,
            "notBefore": in_days(days - 400),
            "notAfter": in_days(days),
            "pin": PIN,
        });
        let request = serde_json::from_value(request).unwrap();
        match self.running.provision(&request).await.unwrap() {
            Answer::Made(made) => *made,
            Answer::Cannot { cannot } => panic!("{cannot}"),
        }
    }

    pub(crate) async fn user(&self) -> Person {
        let made = self.customer("user", "c", 20).await;
        self.person("user", Some(&made))
    }

    /// A person with a folder, in which the pair of `made` is, if any.
    pub(crate) fn person(&self, name: &str, made: Option<&Made>) -> Person {
        let number = std::fs::read_dir(self.folder.path()).unwrap().count();
        let folder = self.folder.path().join(format!("{name}-{number}"));
        let settings = Settings {
            name: name.to_owned(),
            directory: self.directory(),
            key_store: "file".to_owned(),
            trust: self.folder.path().join("bank/root.pem"),
            tls_trust: None,
            tls_pins: Vec::new(),
        };
        let keys = Arc::new(FileStore::plain());
        let identity = Identity::create(Arc::new(Real), keys, &folder, settings).unwrap();
        if let Some(made) = made {
            let files = [made.certificate.as_bytes(), made.key.as_bytes()];
            let imported = import::read(&files, None, now()).unwrap();
            identity.import(imported, now()).unwrap();
        }
        Person { folder, events: Arc::default() }
    }
}

/// Somebody with an identity in a folder.
pub(crate) struct Person {
    pub(crate) folder: PathBuf,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
}

impl Person {
    pub(crate) fn identity(&self) -> Identity {
        Identity::open(Arc::new(Real), Arc::new(FileStore::plain()), &self.folder).unwrap()
    }

    /// A client that asks the bank by `transport`.
    pub(crate) async fn by(&self, transport: impl Transport + 'static) -> Client {
        let events = Arc::clone(&self.events);
        Client::builder(self.identity())
            .consent(Unattended::new(Some(Pin::new(PIN.to_owned()))))
            .progress(move |event: &Event| events.lock().unwrap().push(event.clone()))
            .clock(Hasty)
            .transport(transport)
            .build()
            .await
            .unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        self.by(wire()).await
    }

    pub(crate) fn current(&self) -> CertId {
        CertId::of(&self.identity().current().unwrap().unwrap().certificate)
    }
}

pub(crate) fn wire() -> Wire {
    Wire { inner: Https::new(&[], Vec::new()).unwrap(), sent: Arc::default(), lose: Arc::default() }
}

/// Carries requests, counts them, and loses the answers that it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    inner: Https,
    pub(crate) sent: Arc<Mutex<Vec<String>>>,
    /// Ends of URLs whose next answer is lost.
    pub(crate) lose: Arc<Mutex<Vec<&'static str>>>,
}

impl Transport for Wire {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let url = request.url.as_str().to_owned();
            self.sent.lock().unwrap().push(url.clone());
            let answer = self.inner.send(request).await;
            let mut lose = self.lose.lock().unwrap();
            match lose.iter().position(|end| url.ends_with(end)) {
                Some(at) => {
                    lose.remove(at);
                    Err(TransportError::CutShort("lost by the test".to_owned()))
                }
                None => answer,
            }
        })
    }
}

/// The system's time; waits are over at once.
#[derive(Debug)]
pub(crate) struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Time {
        now()
    }

    fn sleep(&self, _: Duration) -> Later<'_, ()> {
        Box::pin(tokio::task::yield_now())
    }
}
