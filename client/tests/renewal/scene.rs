//! A real bank in this process, and people with certificates of it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use koshin_client::clock::{Clock, SystemClock};
use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::renew::Renewed;
use koshin_client::transport::{Https, Request, Response, Transport, TransportError};
use koshin_client::{Client, Error, Later, Outcome, Renewal, import};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;
use koshin_protocol::revocation::Reason;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::clock::System;
use koshin_server::config::{Config, Origin};
use koshin_server::init::{CONFIG_FILE, NewBank, NewTransport};
use koshin_server::provision::{Answer, Made};
use koshin_server::start::{Running, start_by};
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
        Self::open_by(Arc::new(System)).await
    }

    /// A bank with a clock of its own.
    pub(crate) async fn open_by(clock: Arc<dyn koshin_server::clock::Clock>) -> Self {
        Self::open_as(clock, |_| {}).await
    }

    /// A bank whose configuration is changed before it starts.
    pub(crate) async fn open_as(
        clock: Arc<dyn koshin_server::clock::Clock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
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
        new.create(&folder.path().join("bank")).unwrap();
        let mut config = config(folder.path());
        change(&mut config);
        Self { running: start_by(config, clock).await.unwrap(), folder }
    }

    /// The bank after its process ended and began anew, on files that may have been changed in between.
    pub(crate) async fn again(self, between: impl FnOnce(&Path)) -> Self {
        let Self { running, folder } = self;
        let mut config = config(folder.path());
        config.listen = running.address();
        config.public_origin = config.public_origin.at_port(config.listen.port()).unwrap();
        running.shutdown().await;
        between(&config.data);
        Self { running: start_by(config, Arc::new(System)).await.unwrap(), folder }
    }

    /// The file with the root that its customers trust.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("bank/root.pem")
    }

    pub(crate) fn directory(&self) -> Url {
        self.running.directory_url().clone()
    }

    /// A subject whose certificate ends in so many days.
    pub(crate) async fn customer(&self, role: &str, contract: &str, days: i64) -> Made {
        self.customer_until(role, contract, in_days(days)).await
    }

    /// A user whose certificate ends so soon.
    pub(crate) async fn user_for(&self, left: Duration) -> Person {
        let until = now().unix() + i64::try_from(left.as_secs()).unwrap();
        let made = self.customer_until("user", "c", Time::from_unix(until).unwrap()).await;
        self.person("user", Some(&made))
    }

    async fn customer_until(&self, role: &str, contract: &str, until: Time) -> Made {
        let request = serde_json::json!({
            "role": role,
            "contract": contract,
            "notBefore": in_days(-380),
            "notAfter": until,
            "pin": PIN,
        });
        self.provision(request).await
    }

    /// A user with a certificate of another kind.
    pub(crate) async fn user_of(&self, member: &str, value: &str) -> Person {
        let mut request = serde_json::json!({
            "role": "user",
            "notBefore": in_days(-380),
            "notAfter": in_days(20),
            "pin": PIN,
        });
        request[member] = value.into();
        let made = self.provision(request).await;
        self.person("user", Some(&made))
    }

    pub(crate) async fn user_without_pin(&self) -> Person {
        let request = serde_json::json!({
            "role": "user",
            "notBefore": in_days(-380),
            "notAfter": in_days(20),
        });
        let made = self.provision(request).await;
        self.person("user", Some(&made))
    }

    async fn provision(&self, request: serde_json::Value) -> Made {
        let request = serde_json::from_value(request).unwrap();
        match self.running.provision(&request).await.unwrap() {
            Answer::Made(made) => *made,
            Answer::Cannot { cannot } => panic!("{cannot}"),
        }
    }

    pub(crate) async fn user(&self) -> Person {
        self.known_user().await.1
    }

    /// A user, and what the bank knows of it.
    pub(crate) async fn known_user(&self) -> (Made, Person) {
        let made = self.customer("user", "c", 20).await;
        let person = self.person("user", Some(&made));
        (made, person)
    }

    pub(crate) async fn administrator(&self) -> Person {
        let made = self.customer("administrator", "c", 300).await;
        self.person("administrator", Some(&made))
    }

    /// A ticket for a user, whose key was lost.
    pub(crate) async fn ticket(&self, administrator: &Client, subject: &str) -> Ticket {
        let contract = administrator.contract().await.unwrap();
        let entry = contract.subjects.iter().find(|one| one.id.as_str() == subject).unwrap();
        let (id, name) = (entry.id.clone(), entry.name.clone());
        administrator.reissue(id, name, Reason::KeyLost).await.unwrap().ticket
    }

    /// A person with a folder, in which the pair of `made` is, if any.
    pub(crate) fn person(&self, name: &str, made: Option<&Made>) -> Person {
        let number = std::fs::read_dir(self.folder.path()).unwrap().count();
        let folder = self.folder.path().join(format!("{name}-{number}"));
        let settings = Settings {
            name: name.to_owned(),
            directory: self.directory(),
            key_store: "file".to_owned(),
            trust: self.root(),
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
        Person { folder, events: Arc::default(), slept: Arc::default() }
    }
}

/// The configuration of the bank in a folder, with PIN hashes that cost nothing.
fn config(folder: &Path) -> Config {
    let mut config = Config::read(&folder.join("bank").join(CONFIG_FILE)).unwrap();
    if let Some(rules) = &mut config.policy.pin {
        rules.cost.memory_kib = 64;
        rules.cost.passes = 1;
    }
    config
}

/// What a renewal must have come to.
pub(crate) fn renewed(outcome: Result<Outcome, Error>) -> Renewed {
    match outcome {
        Ok(Outcome::Renewed(renewed)) => *renewed,
        other => panic!("{other:?}"),
    }
}

/// Somebody with an identity in a folder.
pub(crate) struct Person {
    pub(crate) folder: PathBuf,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    /// How long its clients waited, each time.
    pub(crate) slept: Arc<Mutex<Vec<Duration>>>,
}

impl Person {
    pub(crate) fn identity(&self) -> Identity {
        Identity::open(Arc::new(Real), Arc::new(FileStore::plain()), &self.folder).unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        self.by(wire()).await
    }

    /// A client that asks the bank by `transport`.
    pub(crate) async fn by(&self, transport: impl Transport + 'static) -> Client {
        self.with(transport, Answers::default()).await
    }

    /// A client whose user answers so.
    pub(crate) async fn answering(&self, answers: Answers) -> Client {
        self.with(wire(), answers).await
    }

    pub(crate) async fn with(
        &self,
        transport: impl Transport + 'static,
        answers: Answers,
    ) -> Client {
        self.on(self.identity(), transport, answers).await
    }

    /// The same, on an identity that was opened by other means.
    pub(crate) async fn on(
        &self,
        identity: Identity,
        transport: impl Transport + 'static,
        answers: Answers,
    ) -> Client {
        let events = Arc::clone(&self.events);
        Client::builder(identity)
            .consent(User { pins: Mutex::new(answers.pins.clone()), answers })
            .progress(move |event: &Event| events.lock().unwrap().push(event.clone()))
            .clock(Hasty { slept: Arc::clone(&self.slept) })
            .patience(Duration::from_hours(1))
            .transport(transport)
            .build()
            .await
            .unwrap()
    }

    /// Orders a renewal, and stops before the certificate is installed.
    pub(crate) async fn begin(&self) {
        let answers = Answers { install: false, ..Answers::default() };
        let error = self.answering(answers).await.renew(Renewal::default()).await.unwrap_err();
        assert!(matches!(error, Error::Declined(_)), "{error:?}");
    }

    pub(crate) fn current(&self) -> CertId {
        CertId::of(&self.identity().current().unwrap().unwrap().certificate)
    }

    /// The different orders that this client was told of.
    pub(crate) fn orders(&self) -> BTreeSet<String> {
        let events = self.events.lock().unwrap();
        let orders = events.iter().filter_map(|event| match event {
            Event::Ordered { order } | Event::Confirmed { order, .. } => Some(order.to_string()),
            _ => None,
        });
        orders.collect()
    }
}

/// What a user answers.
#[derive(Clone)]
pub(crate) struct Answers {
    pub(crate) pins: Vec<&'static str>,
    pub(crate) defer: bool,
    pub(crate) make_key: bool,
    pub(crate) install: bool,
}

impl Default for Answers {
    fn default() -> Self {
        Self { pins: vec![PIN], defer: false, make_key: true, install: true }
    }
}

struct User {
    answers: Answers,
    /// The last one is given again and again.
    pins: Mutex<Vec<&'static str>>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User")
    }
}

impl Consent for User {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async {
            let mut pins = self.pins.lock().unwrap();
            let pin = if pins.len() > 1 { pins.remove(0) } else { pins[0] };
            Some(Pin::new(pin.to_owned()))
        })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        let choice = if self.answers.defer { Choice::Defer } else { Choice::Renew };
        Box::pin(async move { choice })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { self.answers.make_key })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { self.answers.install })
    }

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { true })
    }
}

pub(crate) fn wire() -> Wire {
    Wire { inner: Https::new(&[], Vec::new()).unwrap(), state: Arc::default() }
}

/// What stands in for an answer, or changes one: given the request, and the answer if there is one already.
pub(crate) type Tamper = Box<dyn FnMut(&Request, Option<&mut Response>) -> Option<Response> + Send>;

/// Carries requests, counts them, and loses what it is told to.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    inner: Https,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tamper: Option<Tamper>,
    sent: Vec<String>,
    /// Ends of URLs whose answers are lost, and how many.
    answers: Vec<(&'static str, usize)>,
    /// Ends of URLs whose requests are lost, and how many.
    requests: Vec<(&'static str, usize)>,
    /// The end of the URL after whose request nothing goes through any more.
    cut: Option<&'static str>,
    is_cut: bool,
}

impl Wire {
    pub(crate) fn sent(&self) -> Vec<String> {
        self.state.lock().unwrap().sent.clone()
    }

    /// Loses so many answers from URLs with this end: the bank has acted.
    pub(crate) fn lose(&self, end: &'static str, times: usize) {
        self.state.lock().unwrap().answers.push((end, times));
    }

    /// Loses so many requests to URLs with this end: the bank has not acted.
    pub(crate) fn drop_before(&self, end: &'static str, times: usize) {
        self.state.lock().unwrap().requests.push((end, times));
    }

    /// Answers in the bank's place, or changes its answers.
    pub(crate) fn tamper(
        &self,
        tamper: impl FnMut(&Request, Option<&mut Response>) -> Option<Response> + Send + 'static,
    ) {
        self.state.lock().unwrap().tamper = Some(Box::new(tamper));
    }

    /// Breaks for good once a request to a URL with this end has reached the bank.
    pub(crate) fn cut_after(&self, end: &'static str) {
        self.state.lock().unwrap().cut = Some(end);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl State {
    /// What the test answers in the bank's place.
    fn instead(&mut self, request: &Request) -> Option<Response> {
        self.tamper.as_mut().and_then(|tamper| tamper(request, None))
    }

    fn change(&mut self, request: &Request, response: &mut Response) {
        if let Some(tamper) = &mut self.tamper {
            tamper(request, Some(response));
        }
    }

    fn is_lost(list: &mut [(&'static str, usize)], url: &str) -> bool {
        let found = list.iter_mut().find(|(end, times)| url.ends_with(end) && *times > 0);
        found.map(|(_, times)| *times -= 1).is_some()
    }
}

impl Transport for Wire {
    fn send(&self, request: Request) -> Later<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let lost = || Err(TransportError::CutShort("lost by the test".to_owned()));
            let url = request.url.as_str().to_owned();
            {
                let mut state = self.state.lock().unwrap();
                state.sent.push(url.clone());
                if state.is_cut || State::is_lost(&mut state.requests, &url) {
                    return lost();
                }
                if let Some(response) = state.instead(&request) {
                    return Ok(response);
                }
            }
            let mut answer = self.inner.send(request.clone()).await;
            let mut state = self.state.lock().unwrap();
            if let Ok(response) = &mut answer {
                state.change(&request, response);
            }
            if state.cut.is_some_and(|end| url.ends_with(end)) {
                state.is_cut = true;
                return lost();
            }
            if State::is_lost(&mut state.answers, &url) { lost() } else { answer }
        })
    }
}

/// The system's time; waits are over at once.
#[derive(Debug)]
pub(crate) struct Hasty {
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl Clock for Hasty {
    fn now(&self) -> Time {
        now()
    }

    fn sleep(&self, duration: Duration) -> Later<'_, ()> {
        self.slept.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }
}
