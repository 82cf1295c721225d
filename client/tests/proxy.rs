//! A proxy of the environment, between the client and the bank's TLS, that cuts connections after so many bytes.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use koshin_client::clock::{Clock, SystemClock};
use koshin_client::consent::Unattended;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::{Client, Error, Later, Outcome, Renewal, import};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::provision::{Answer, Made};
use koshin_server::start::{Running, start};

/// Tells the test's second process that it is one: it finds the proxy in its environment.
const PROXIED: &str = "KOSHIN_TEST_PROXIED";

/// Bytes of the bank after which a connection is cut: within the handshake, the directory, the session, the order, the
/// confirmation.
const CUTS: [u64; 12] = [0, 1, 900, 1500, 2200, 3000, 4000, 5500, 7000, 8500, 9500, 11_000];

/// Carries tunnels (`CONNECT`) to loopback; each second one, of the first so many, is cut.
struct Proxy {
    port: u16,
    tunnels: Arc<AtomicU64>,
}

impl Proxy {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, tunnels) = (listener.local_addr().unwrap().port(), Arc::<AtomicU64>::default());
        let count = Arc::clone(&tunnels);
        thread::spawn(move || {
            for client in listener.incoming() {
                let number = usize::try_from(count.fetch_add(1, Ordering::SeqCst)).unwrap();
                let cut = if number % 2 == 0 { CUTS.get(number / 2).copied() } else { None };
                let client = client.unwrap();
                thread::spawn(move || tunnel(client, cut));
            }
        });
        Self { port, tunnels }
    }
}

/// Carries one tunnel; whoever ends it ends both ways.
fn tunnel(mut client: TcpStream, cut: Option<u64>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT localhost:")?;
    let port: u16 = target.split(' ').next()?.parse().ok()?;
    let bank = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from_client, mut to_bank) = (client.try_clone().ok()?, bank.try_clone().ok()?);
    thread::spawn(move || {
        std::io::copy(&mut from_client, &mut to_bank).ok();
        to_bank.shutdown(Shutdown::Both).ok();
    });
    std::io::copy(&mut (&bank).take(cut.unwrap_or(u64::MAX)), &mut client).ok();
    client.shutdown(Shutdown::Both).ok();
    bank.shutdown(Shutdown::Both).ok()
}

// [CLI-30] [CLI-31] [HTP-02]
#[test]
fn through_a_proxy_that_cuts_tls_after_any_bytes_a_renewal_ends_with_one_order() {
    if std::env::var_os(PROXIED).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(renewals());
    }
    let proxy = Proxy::open();
    // The environment is a process's own, and a test must not change that of its neighbours.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["through_a_proxy", "--nocapture"])
        .env(PROXIED, "1")
        .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .env_remove("https_proxy")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let tunnels = proxy.tunnels.load(Ordering::SeqCst);
    let cut = u64::try_from(CUTS.len()).unwrap();
    assert!(tunnels >= 2 * cut, "{tunnels} tunnels were asked for; {text}");
}

/// Renews once for each cut.
async fn renewals() {
    let (bank, folder) = bank().await;
    for number in 0..CUTS.len() {
        let made = user(&bank).await;
        let path = folder.path().join(format!("user-{number}"));
        let client = client(&bank, folder.path(), &path, &made).await;
        let old = CertId::of(&client.identity().current().unwrap().unwrap().certificate);
        let new = renewed(&client).await;
        assert_eq!(new.replaced, Some(old), "renewal {number}");
        assert_eq!(new.generation, 2, "renewal {number}: one key, one order");
        // A connection of its own for each client: the next tunnel.
        drop(client);
    }
    bank.shutdown().await;
}

/// The renewal, begun again where it was given up.
async fn renewed(client: &Client) -> koshin_client::renew::Renewed {
    for _ in 0..5 {
        match client.renew(Renewal::default()).await {
            Ok(Outcome::Renewed(new)) => return *new,
            Err(Error::NoAnswer { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("it came to no end")
}

async fn bank() -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let new = NewBank {
        organization: "Example Bank",
        origin: &Origin::parse("https://localhost:8443").unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        transport: NewTransport::LoopbackTls,
        metrics: None,
        policy: "core",
        testing: true,
        passphrase: None,
        now: in_days(-1000),
    };
    let config = new.create(&folder.path().join("bank")).unwrap();
    (start(config).await.unwrap(), folder)
}

fn in_days(days: i64) -> Time {
    Time::from_unix(SystemClock.now().unix() + days * 86_400).unwrap()
}

async fn user(bank: &Running) -> Made {
    let request = serde_json::json!({
        "role": "user",
        "notBefore": in_days(-380),
        "notAfter": in_days(20),
    });
    match bank.provision(&serde_json::from_value(request).unwrap()).await.unwrap() {
        Answer::Made(made) => *made,
        Answer::Cannot { cannot } => panic!("{cannot}"),
    }
}

async fn client(
    bank: &Running,
    folder: &std::path::Path,
    path: &std::path::Path,
    made: &Made,
) -> Client {
    let root = folder.join("bank/root.pem");
    let settings = Settings {
        name: "user".to_owned(),
        directory: bank.directory_url().clone(),
        key_store: "file".to_owned(),
        trust: root.clone(),
        tls_trust: Some(root),
        tls_pins: Vec::new(),
    };
    let keys = Arc::new(FileStore::plain());
    let identity = Identity::create(Arc::new(Real), keys, path, settings).unwrap();
    let files = [made.certificate.as_bytes(), made.key.as_bytes()];
    let now = SystemClock.now();
    identity.import(import::read(&files, None, now).unwrap(), now).unwrap();
    let builder = Client::builder(identity).consent(Unattended::default()).clock(Hasty);
    builder.build().await.unwrap()
}

/// The system's time; waits are over at once.
#[derive(Debug)]
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Time {
        SystemClock.now()
    }

    fn sleep(&self, _: std::time::Duration) -> Later<'_, ()> {
        Box::pin(tokio::task::yield_now())
    }
}
