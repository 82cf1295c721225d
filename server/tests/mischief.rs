//! A bank that plays every prank it knows on its customers, who renew all the same, each once.

#![allow(missing_docs, reason = "a test names its rule, and nobody imports it")]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::{Class, Client, Outcome, Renewal, import};
use koshin_protocol::pin::Pin;
use koshin_server::audit;
use koshin_server::clock::{Clock, System};
use koshin_server::config::{Config, Origin};
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::provision::{Answer, Made};
use koshin_server::start::{Running, start};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

const CUSTOMERS: u32 = 8;
const PIN: &str = "481516";
const MISCHIEF: &str = "
[mischief]
seed = 2
rejectNonce = 12
dropResponse = 12
delay = 6
rateLimited = 6
unavailable = 6
processing = 12
longestDelay = 1
";

/// A test environment in the folder, full of mischief.
async fn bank(folder: &Path) -> Running {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let listen: SocketAddr = free.local_addr().expect("an address");
    drop(free);
    let origin = Origin::parse(&format!("https://localhost:{}", listen.port()));
    NewBank {
        organization: "Example Bank",
        origin: &origin.expect("an origin"),
        listen,
        transport: NewTransport::LoopbackTls,
        metrics: None,
        policy: "seed",
        testing: true,
        passphrase: None,
        now: System.now(),
    }
    .create(&folder.join("bank"))
    .expect("a bank");
    let path = folder.join("bank/koshin-server.toml");
    let text = fs::read_to_string(&path).expect("read");
    fs::write(&path, text + MISCHIEF).expect("written");
    start(Config::read(&path).expect("sound")).await.expect("started")
}

/// A subject with a certificate of another CA that expires in ten days.
async fn subject(bank: &Running) -> Made {
    let at = |days: i64| {
        let time = System.now().unix() + days * 86_400;
        koshin_protocol::time::Time::from_unix(time).expect("a time")
    };
    let request = json!({
        "role": "user", "issuer": "foreign", "pin": PIN,
        "notBefore": at(-300), "notAfter": at(10),
    });
    let request = serde_json::from_value(request).expect("a request");
    match bank.provision(&request).await.expect("provisioned") {
        Answer::Made(made) => *made,
        Answer::Cannot { cannot } => panic!("{cannot}"),
    }
}

/// The subject's machine, with its pair.
async fn client(bank: &Running, folder: &Path, made: &Made) -> Client {
    let root = PathBuf::from("../bank/root.pem");
    let settings = Settings {
        name: made.subject.clone(),
        directory: bank.directory_url().clone(),
        key_store: "file".to_owned(),
        trust: root.clone(),
        tls_trust: Some(root),
        tls_pins: Vec::new(),
    };
    let (files, keys) = (Arc::new(Real), Arc::new(FileStore::plain()));
    let identity = Identity::create(files, keys, &folder.join(&made.subject), settings);
    let identity = identity.expect("an identity");
    let pair = [made.certificate.as_bytes(), made.key.as_bytes()];
    let pair = import::read(&pair, None, System.now()).expect("a pair");
    identity.import(pair, System.now()).expect("imported");
    let consent = Unattended::new(Some(Pin::new(PIN.to_owned())));
    Client::builder(identity).consent(consent).build().await.expect("a client")
}

/// Renews, however often it has to be told to.
async fn renew(client: Client) {
    for _ in 0..50 {
        match client.renew(Renewal::default()).await {
            Ok(Outcome::Renewed(_)) => return,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert_eq!(error.class(), Class::RetryLater, "{error}"),
        }
    }
    panic!("fifty times are not enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_renew_once_each_through_every_kind_of_mischief() {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    let running = bank(folder.path()).await;
    let mut renewing = JoinSet::new();
    for _ in 0..CUSTOMERS {
        let made = subject(&running).await;
        let client = client(&running, folder.path(), &made).await;
        renewing.spawn(renew(client));
    }
    while let Some(renewed) = renewing.join_next().await {
        renewed.expect("no panic");
    }
    let metrics = running.bank().metrics.exposition();
    for prank in
        ["rejectNonce", "dropResponse", "delay", "rateLimited", "unavailable", "processing"]
    {
        assert!(metrics.contains(&format!("prank=\"{prank}\"")), "no {prank} in\n{metrics}");
    }
    audit::verify(&**running.bank().registry.store(), None).await.expect("the audit is sound");
    running.shutdown().await;
    let database = Connection::open(folder.path().join("bank/data/koshin.db")).expect("a file");
    let count =
        |query: &str| -> u32 { database.query_row(query, [], |row| row.get(0)).expect("a count") };
    assert_eq!(count("SELECT count(*) FROM orders"), CUSTOMERS, "one order each");
    assert_eq!(count("SELECT count(*) FROM orders WHERE state = 'completed'"), CUSTOMERS);
    assert_eq!(count("SELECT count(*) FROM certificate WHERE state = 'current'"), CUSTOMERS);
    assert_eq!(count("SELECT max(pin_attempts) FROM subject"), 0, "no PIN counts as wrong");
}
