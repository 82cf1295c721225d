//! A bank on a loopback port, in this process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use koshin_client::clock::{Clock, SystemClock};
use koshin_protocol::time::Time;
use koshin_server::ca::FaultyIssuer;
use koshin_server::clock::System;
use koshin_server::config::Origin;
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::issue::RETRY_AFTER;
use koshin_server::provision::{Answer, Made};
use koshin_server::start::{Running, start_changed};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::customer::Customer;

pub const PIN: &str = "481516";
const DAY: i64 = 86_400;

pub struct Bank {
    pub folder: TempDir,
    pub running: Running,
    pub runtime: Runtime,
}

pub fn now() -> Time {
    SystemClock.now()
}

pub fn in_days(days: i64) -> Time {
    Time::from_unix(now().unix() + days * DAY).unwrap()
}

impl Bank {
    /// Behind plain HTTP.
    pub fn open() -> Self {
        Self::with("http://127.0.0.1:8080", NewTransport::Plain, |_| {})
    }

    /// With TLS, by a certificate of its own CA.
    pub fn open_tls() -> Self {
        Self::with("https://localhost:8443", NewTransport::LoopbackTls, |_| {})
    }

    /// Whose CA is as slow as it is told to be.
    pub fn open_slow() -> (Self, Arc<FaultyIssuer>) {
        let mut slow = None;
        let bank = Self::with("http://127.0.0.1:8080", NewTransport::Plain, |bank| {
            let issuer = Arc::new(FaultyIssuer::new(Arc::clone(&bank.issuer), RETRY_AFTER));
            bank.issuer = Arc::<FaultyIssuer>::clone(&issuer);
            slow = Some(issuer);
        });
        (bank, slow.unwrap())
    }

    fn with(
        origin: &str,
        transport: NewTransport<'_>,
        change: impl FnOnce(&mut koshin_server::bank::Bank),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let new = NewBank {
            organization: "Example Bank",
            origin: &Origin::parse(origin).unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            transport,
            metrics: Some("127.0.0.1:0".parse().unwrap()),
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
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(start_changed(config, Arc::new(System), change)).unwrap();
        Self { folder, running, runtime }
    }

    pub fn directory(&self) -> String {
        self.running.directory_url().to_string()
    }

    /// The roots that customers are configured with.
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join("bank/root.pem")
    }

    /// What the bank knows of somebody whose certificate ends at a time.
    pub fn makes(&self, role: &str, until: Time) -> Made {
        let request = serde_json::json!({
            "role": role,
            "contract": "c",
            "notBefore": in_days(-380),
            "notAfter": until,
            "pin": PIN,
        });
        let request = serde_json::from_value(request).unwrap();
        match self.runtime.block_on(self.running.provision(&request)).unwrap() {
            Answer::Made(made) => *made,
            Answer::Cannot { cannot } => panic!("{cannot}"),
        }
    }

    /// The requests that it had, by operation.
    pub fn requests(&self) -> BTreeMap<String, u32> {
        let mut stream = TcpStream::connect(self.running.metrics_address().unwrap()).unwrap();
        let get = b"GET /metrics HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n";
        stream.write_all(get).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut requests = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("koshin_requests_total{")) {
            let operation = line.split('"').nth(1).unwrap().to_owned();
            let count: u32 = line.rsplit(' ').next().unwrap().parse().unwrap();
            *requests.entry(operation).or_default() += count;
        }
        requests
    }

    /// Somebody with the files that the bank gave, and nothing imported.
    pub fn newcomer(&self, role: &str, days: i64) -> Customer {
        Customer::new(self, Some(&self.makes(role, in_days(days))))
    }

    /// Somebody whose certificate ends in so many days, imported.
    pub fn customer(&self, role: &str, days: i64) -> Customer {
        let customer = self.newcomer(role, days);
        customer.imports();
        customer
    }

    /// A user whose renewal window is open.
    pub fn user(&self) -> Customer {
        self.customer("user", 20)
    }
}
