//! A bank in a folder of its own, with a clock that the test moves and a CA that it can break.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{HeaderMap, Method, Request};
use hyper::body::Bytes;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::chain::Chain;
use koshin_protocol::pin::Pin;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_protocol::verify::default_verifier;
use koshin_server::bank::{Bank as Server, ReceiptSigner};
use koshin_server::ca::{Embedded, Fault, FaultyIssuer, Issuer, NewAuthority, Passphrase};
use koshin_server::clock::{Clock, Fixed, Watched};
use koshin_server::config::Origin;
use koshin_server::http::{Rate, Rates, Service};
use koshin_server::nonce::Nonces;
use koshin_server::pin::Pins;
use koshin_server::policy::{Policy, SHIPPED};
use koshin_server::publish;
use koshin_server::route::Route;
use koshin_server::store::Store;
use koshin_server::store::change::{Actor, Import, ImportOutcome, NewContract, PinCheck};
use koshin_server::store::id::{ContractId, SubjectId};
use koshin_server::store::latest_crl::LatestCrl;
use koshin_server::store::row::Role;
use koshin_server::store::sqlite::{Restore, Source, Sqlite, restore};
use koshin_server::urls::Urls;
use koshin_server::watch::Metrics;
use tempfile::TempDir;

use crate::answer::Answer;
use crate::person::{Key, Pair, Person, Spec, former_ca, new_name};

pub const ORIGIN: &str = "https://bank.example";
pub const DAY: i64 = 86_400;
/// When every test begins.
pub const START: &str = "2026-11-02T03:00:00Z";

pub fn time(text: &str) -> Time {
    text.parse().expect("a time")
}

pub fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).expect("a time")
}

pub fn origin() -> Origin {
    Origin::parse(ORIGIN).expect("an origin")
}

/// Keys and certificates of the bank: made once, the same for all tests.
static AUTHORITY: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let new = NewAuthority {
        organization: "Example Bank",
        origin: &origin(),
        now: time("2026-01-01T00:00:00Z"),
        passphrase: None,
    };
    new.create(&folder.path().join("ca")).expect("an authority");
    folder
});

/// The policy of that name, with PIN hashes that cost nothing, edited.
pub fn policy(name: &str, edits: &[(&str, &str)]) -> Policy {
    let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name).expect("a policy");
    let mut text = text.replace("[pin]\n", "[pin]\nmemoryKiB = 64\npasses = 1\n");
    for (old, new) in edits {
        assert!(text.contains(old), "the policy {name} has no {old:?}");
        text = text.replace(old, new);
    }
    Policy::parse(name, &text).expect("a policy")
}

/// What a bank is made of.
pub struct Setup {
    pub policy: Policy,
    /// The CA does not sign at once.
    pub slow: bool,
    /// PINs that are hashed at once, and those that wait.
    pub pins: (usize, usize),
    /// How often one certificate may sign.
    pub rate: Option<Rate>,
    /// Subjects on one page of a contract.
    pub contract_page: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self { policy: policy("seed", &[]), slow: false, pins: (2, 1000), rate: None, contract_page: 200 }
    }
}

pub struct Bank {
    pub server: Arc<Server>,
    pub clock: Arc<Fixed>,
    pub store: Arc<Sqlite>,
    pub ca: Arc<FaultyIssuer>,
    pub root: Certificate,
    pub contract: ContractId,
    pub folder: TempDir,
}

impl Bank {
    /// A bank with the seed's policy.
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// A bank whose CA does not sign at once.
    pub async fn slow() -> Self {
        Self::with(Setup { slow: true, ..Setup::default() }).await
    }

    /// A bank with another policy.
    pub async fn of(policy: Policy) -> Self {
        Self::with(Setup { policy, ..Setup::default() }).await
    }

    pub async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Sqlite::open(folder.path().join("koshin.db")).expect("a store"));
        let clock = Arc::new(Fixed::at(time(START)));
        let contract = ContractId::random();
        let bank = Self::open(setup, folder, store, clock, contract);
        let new = NewContract { id: contract, name: "株式会社テスト".to_owned() };
        bank.store.add_contract(new, Actor::Bank, bank.now()).await.expect("a contract");
        bank
    }

    fn open(
        setup: Setup,
        folder: TempDir,
        store: Arc<Sqlite>,
        clock: Arc<Fixed>,
        contract: ContractId,
    ) -> Self {
        let none: Option<&Passphrase> = None;
        let authority = AUTHORITY.path().join("ca");
        let embedded = Arc::new(Embedded::load(&authority, none, &origin()).expect("a CA"));
        let receipt = Embedded::load(&authority, none, &origin()).expect("a CA");
        let root = embedded.authority().root().clone();
        let root_crl = Some((embedded.root_id(), Bytes::copy_from_slice(embedded.root_crl())));
        let ca = Arc::new(FaultyIssuer::new(embedded.clone(), Duration::from_secs(1)));
        let issuer: Arc<dyn Issuer> = if setup.slow { ca.clone() } else { embedded };
        let pins = setup.policy.pin.as_ref().map(|rules| {
            let (at_once, waiting) = setup.pins;
            Pins::new(rules.cost, at_once, waiting).expect("PINs")
        });
        let metrics = Arc::new(Metrics::new());
        let server = Server {
            urls: Urls::new(&origin()),
            watched: Watched::new(clock.clone(), Arc::clone(&metrics)),
            nonces: Arc::new(Nonces::new(clock.uptime()).expect("randomness")),
            clock: clock.clone(),
            store: store.clone(),
            issuer,
            receipts: receipts(receipt),
            pins,
            verifier: default_verifier(),
            #[allow(clippy::default_trait_access, reason = "the cache's type is the bank's own")]
            keys: Default::default(),
            contract_page: setup.contract_page,
            rates: setup.rate.map(Rates::new),
            metrics,
            root_crl,
            policy: setup.policy,
        };
        Self { server: Arc::new(server), clock, store, ca, root, contract, folder }
    }

    /// The same bank after its process ended and began anew.
    pub fn restarted(self, setup: Setup) -> Self {
        let Self { server, clock, store, contract, folder, .. } = self;
        store.close();
        drop((server, store));
        let store = Arc::new(Sqlite::open(folder.path().join("koshin.db")).expect("a store"));
        Self::open(setup, folder, store, clock, contract)
    }

    /// The same bank after a restore from a backup, with its newest CRL and heads.
    pub async fn restored(self, setup: Setup, backup: &Path) -> Self {
        let crl = publish::newest(&self.server).await.expect("a CRL");
        let issuing = self.server.issuer.authority().certificate();
        let crl = LatestCrl::from_der(&crl, issuing, default_verifier()).expect("a CRL");
        let heads = self.store.audit_export(self.now()).await.expect("heads");
        let Self { server, clock, store, contract, folder, .. } = self;
        store.close();
        drop((server, store));
        let target = folder.path().join("restored.db");
        restore(&Restore {
            backup: &Source::open(backup, &target, None).expect("a backup"),
            target: &target,
            crls: &[crl],
            heads: Some(&heads),
            loss_accepted_by: Some("sato"),
            now: clock.now(),
        })
        .expect("restored");
        let store = Arc::new(Sqlite::open(target).expect("a store"));
        Self::open(setup, folder, store, clock, contract)
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    pub fn set(&self, time: Time) {
        self.clock.set(time);
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    /// Somebody sets the clock: later by so many seconds, or earlier if negative, while no time passes.
    pub fn jump(&self, seconds: i64) {
        self.clock.jump(seconds);
    }

    pub fn fault(&self, fault: Fault) {
        self.ca.set(fault);
    }

    pub fn url(&self, route: &Route) -> Url {
        self.server.urls.of(route)
    }

    pub fn nonce(&self) -> String {
        self.server.nonce()
    }

    /// Sends a request as it stands.
    pub async fn send(&self, request: Request<Bytes>) -> Answer {
        let signed = request.method() == Method::POST;
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000));
        Answer::of(self.server.call(request, peer).await, signed)
    }

    pub async fn get(&self, url: &Url) -> Answer {
        self.ask(Method::GET, url.path(), HeaderMap::new()).await
    }

    pub async fn ask(&self, method: Method, path: &str, headers: HeaderMap) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        *request.headers_mut().expect("a request") = headers;
        self.send(request.body(Bytes::new()).expect("a request")).await
    }

    /// Another contract.
    pub async fn new_contract(&self, name: &str) -> ContractId {
        let new = NewContract { id: ContractId::random(), name: name.to_owned() };
        let id = new.id;
        self.store.add_contract(new, Actor::Bank, self.now()).await.expect("a contract");
        id
    }

    /// A person of the bank's contract, whose certificate of the former CA is valid for 20 more days.
    pub fn spec(&self, role: Role) -> Spec {
        let now = self.now().unix();
        Spec {
            contract: self.contract,
            role,
            algorithm: Algorithm::Es256,
            not_before: at(now - 345 * DAY),
            not_after: at(now + 20 * DAY),
            pin: None,
        }
    }

    pub async fn user(&self) -> Person {
        self.person(self.spec(Role::User)).await
    }

    pub async fn administrator(&self) -> Person {
        self.person(self.spec(Role::Administrator)).await
    }

    pub async fn person(&self, spec: Spec) -> Person {
        self.person_called(new_name(), spec).await
    }

    pub async fn person_called(&self, name: Name, spec: Spec) -> Person {
        let key = Key::of(spec.algorithm);
        let validity = (spec.not_before, spec.not_after);
        let certificate = former_ca().issue(&name, key.public(), validity);
        let subject = SubjectId::random();
        let import = Import {
            certificate: certificate.clone(),
            contract: spec.contract,
            subject,
            role: spec.role,
        };
        let outcomes = self
            .store
            .import_certificates(vec![import], false, Actor::Bank, self.now())
            .await
            .expect("imported");
        assert_eq!(outcomes, [ImportOutcome::Imported { subject, subject_created: true }]);
        let pair = Pair { key, certificate };
        let person = Person { subject, role: spec.role, name, pair };
        if let Some(pin) = spec.pin {
            self.set_pin(&person, pin).await;
        }
        person
    }

    /// Gives the person a PIN, as an operator would.
    pub async fn set_pin(&self, person: &Person, pin: &str) {
        let pins = self.server.pins.as_ref().expect("the bank has PINs");
        let hash = pins.hash(Pin::new(pin.to_owned())).await.expect("a hash");
        let hash = hash.as_phc().to_owned();
        self.store
            .set_pin_hash(person.subject, hash, PinCheck::NotAsked, Actor::Bank, self.now())
            .await
            .expect("set");
    }

    /// A second connection, for SQL that the store does not offer.
    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.store.path()).expect("a connection")
    }

    /// The registry's word for a certificate.
    pub fn state_of(&self, pair: &Pair) -> String {
        self.sql()
            .query_row(
                "SELECT state FROM certificate WHERE cert_id = ?1",
                [pair.cert_id().as_str()],
                |row| row.get(0),
            )
            .expect("a certificate")
    }
}

fn receipts(embedded: Embedded) -> ReceiptSigner {
    struct Owner(Embedded);
    impl koshin_protocol::sign::Signer for Owner {
        fn algorithm(&self) -> Algorithm {
            self.0.receipts().signer().algorithm()
        }
        fn public_key(&self) -> &koshin_protocol::jwk::PublicKey {
            self.0.receipts().signer().public_key()
        }
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, koshin_protocol::sign::SignError> {
            self.0.receipts().signer().sign(message)
        }
    }
    let chain = embedded.receipts().chain().iter().map(|one| one.der().into()).collect();
    let chain = Chain::new(chain).expect("a chain");
    ReceiptSigner { signer: Box::new(Owner(embedded)), chain }
}
