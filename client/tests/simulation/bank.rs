//! The real bank with its real database, behind HTTP on the simulated network.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::bank::Bank;
use koshin_server::ca::{Fault, FaultyIssuer};
use koshin_server::config::{Config, Origin};
use koshin_server::http::Service;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::issue;
use koshin_server::provision::{Answer, Made, provision};
use koshin_server::route::Route;
use koshin_server::start::assemble;
use koshin_server::store::sqlite::Sqlite;
use koshin_server::watch::Metrics;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::chance::Chance;
use crate::time::{Elapsed, START, TICK};
use crate::trace::Trace;

pub(crate) const HOST: &str = "bank";
pub(crate) const PORT: u16 = 443;
const ORIGIN: &str = "https://localhost:8443";
pub(crate) const PIN: &str = "481516";
const DAY: i64 = 86_400;

/// A bank that has one customer, made once: every simulation begins with a copy of its database.
pub(crate) struct Template {
    folder: TempDir,
    config: Config,
    pub(crate) directory: Url,
    /// The customer's pair, and a pair of somebody else.
    pub(crate) customer: Made,
    pub(crate) stranger: Made,
}

pub(crate) static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::make);

fn at(seconds: i64) -> Time {
    Time::from_unix(seconds).unwrap()
}

impl Template {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let new = NewBank {
            organization: "Example Bank",
            origin: &Origin::parse(ORIGIN).unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy: "seed",
            testing: true,
            passphrase: None,
            now: at(START - 1000 * DAY),
        };
        let mut config = new.create(&folder.path().join("bank")).unwrap();
        if let Some(rules) = &mut config.policy.pin {
            rules.cost.memory_kib = 64;
            rules.cost.passes = 1;
        }
        let store = Arc::new(Sqlite::open(config.database()).unwrap());
        let clock = Arc::new(Elapsed::default());
        let bank = assemble(&config, &store, &Arc::new(Metrics::new()), clock).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let make = || runtime.block_on(customer(&bank));
        let (customer, stranger) = (make(), make());
        let directory = bank.urls.of(&Route::Directory);
        drop((bank, store));
        Self { folder, config, directory, customer, stranger }
    }

    pub(crate) fn root(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("bank/root.pem")).unwrap()
    }
}

/// A user whose certificate ends in 20 days.
async fn customer(bank: &Bank) -> Made {
    let request = serde_json::json!({
        "role": "user",
        "notBefore": at(START - 345 * DAY),
        "notAfter": at(START + 20 * DAY),
        "pin": PIN,
    });
    let request = serde_json::from_value(request).unwrap();
    match provision(bank, &request).await.unwrap() {
        Answer::Made(made) => *made,
        Answer::Cannot { cannot } => panic!("{cannot}"),
    }
}

/// What of a bank outlives its process, and how it is started again.
pub(crate) struct House {
    folder: TempDir,
    elapsed: Elapsed,
    trace: Trace,
    /// The CA signs later, after so many questions, rather than at once.
    pub(crate) slow: Option<u32>,
    /// Decides how long the bank takes.
    chance: Cell<u64>,
    pub(crate) requests: Cell<u64>,
}

impl House {
    pub(crate) fn new(chance: &mut Chance, elapsed: &Elapsed, trace: &Trace) -> Self {
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.unwrap();
        let database = TEMPLATE.config.database();
        for entry in std::fs::read_dir(database.parent().unwrap()).unwrap() {
            // The file and its log, as a killed process leaves them.
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("koshin.db") {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        let slow = chance.once_in(5).then(|| u32::try_from(chance.below(4)).unwrap());
        let (elapsed, trace) = (elapsed.clone(), trace.clone());
        let (chance, requests) = (Cell::new(chance.next()), Cell::default());
        Self { folder, elapsed, trace, slow, chance, requests }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("koshin.db")
    }

    /// A process of the bank, from what its predecessor left.
    fn open(&self) -> Bank {
        let store = Arc::new(Sqlite::open(self.database()).unwrap());
        let (metrics, clock) = (Arc::new(Metrics::new()), Arc::new(self.elapsed.clone()));
        let mut bank = assemble(&TEMPLATE.config, &store, &metrics, clock).unwrap();
        // They count by the machine's clock, of which a simulated year takes a moment.
        bank.rates = None;
        if let Some(questions) = self.slow {
            let slow = FaultyIssuer::new(Arc::clone(&bank.issuer), issue::RETRY_AFTER);
            slow.set(Fault::Slow { questions });
            bank.issuer = Arc::new(slow);
        }
        bank
    }

    /// Some steps, in which the bank may be killed.
    async fn pause(&self) {
        let mut chance = Chance::new(self.chance.get());
        let steps = chance.one_of(&[0, 0, 1, 4]);
        self.chance.set(chance.next());
        tokio::time::sleep(TICK * steps).await;
    }

    /// Serves until it is killed.
    pub(crate) async fn serve(self: Rc<Self>) -> turmoil::Result {
        let bank = Rc::new(self.open());
        let listener = turmoil::net::TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT));
        let listener = listener.await?;
        tokio::task::spawn_local(background(Rc::clone(&bank)));
        loop {
            let (stream, peer) = listener.accept().await?;
            let (house, bank) = (Rc::clone(&self), Rc::clone(&bank));
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| answer(&house, &bank, request, peer));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // Peers break off all the time.
                connection.await.ok();
            });
        }
    }
}

/// One request. It is carried out at one instant, since it commits once at most, and the bank may be killed before that
/// and after it.
async fn answer(
    house: &House,
    bank: &Bank,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A request that is cut short has no end, and its connection neither.
    let Ok(body) = body.collect().await else { return std::future::pending().await };
    house.pause().await;
    let asked = kind(head.uri.path());
    let request = Request::from_parts(head, body.to_bytes());
    let mut response = at_once(bank.call(request, peer));
    house.requests.set(house.requests.get() + 1);
    house.trace.line(format_args!(
        "bank: {asked} by {}: {}",
        peer.ip(),
        response.status().as_u16()
    ));
    let date =
        std::time::UNIX_EPOCH + Duration::from_secs(house.elapsed.now().unix().unsigned_abs());
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(date)).unwrap();
    response.headers_mut().insert(http::header::DATE, date);
    house.pause().await;
    Ok(response.map(Full::new))
}

/// A path without its identifiers.
fn kind(path: &str) -> String {
    let parts = path.split('/').filter(|part| part.len() < 20);
    parts.collect::<Vec<_>>().join("/")
}

/// What the bank does while nobody asks.
async fn background(bank: Rc<Bank>) {
    loop {
        tokio::time::sleep(TICK * 10).await;
        at_once(issue::take_up(&bank)).unwrap();
        at_once(bank.store.tidy_up(100, bank.clock.now())).unwrap();
    }
}

/// Waits for what other threads do, while simulated time stands still. Tasks that are spawned meanwhile are theirs: this
/// thread's own would wait for it.
fn at_once<F: Future>(future: F) -> F::Output {
    static OTHERS: LazyLock<Runtime> = LazyLock::new(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    });
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let _theirs = OTHERS.enter();
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
