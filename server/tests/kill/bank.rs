//! A bank in a folder, and the program that serves it until it is killed.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use koshin_protocol::time::Time;
use koshin_server::config::{Config, Origin};
use koshin_server::init::{CONFIG_FILE, NewBank, NewTransport};
use koshin_server::policy::SHIPPED;
use koshin_server::store::sqlite::Sqlite;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

pub struct Bank {
    folder: TempDir,
}

pub fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Time::from_unix(since.as_secs().try_into().expect("a time")).expect("a time")
}

impl Bank {
    /// Certificates may renew at any time, and end a day after their predecessor, so that one subject renews hundreds of
    /// times; PINs cost little; the CA plays slow now and then.
    pub fn new() -> Self {
        let bank = Self { folder: tempfile::tempdir().expect("a folder") };
        NewBank {
            organization: "Example Bank",
            origin: &Origin::parse("https://localhost").expect("an origin"),
            listen: ([127, 0, 0, 1], 0).into(),
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy: "seed",
            testing: true,
            passphrase: None,
            now: now(),
        }
        .create(&bank.home())
        .expect("a bank");
        let (_, policy) = SHIPPED.iter().find(|(name, _)| *name == "seed").expect("it is shipped");
        let policy = replaced(policy, "days = 30", "days = 366");
        let policy = replaced(&policy, "years = 1", "days = 1");
        let policy =
            replaced(&policy, "required = true", "required = true\nmemoryKiB = 64\npasses = 1");
        fs::write(bank.home().join("policy.toml"), policy).expect("written");
        let config = fs::read_to_string(bank.config()).expect("a configuration");
        let config = replaced(&config, "policy = \"seed\"", "policy = \"policy.toml\"");
        let config = format!("{config}\n[mischief]\nseed = 1\nprocessing = 5\n");
        fs::write(bank.config(), config).expect("written");
        bank
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("bank")
    }

    fn config(&self) -> PathBuf {
        self.home().join(CONFIG_FILE)
    }

    fn database(&self) -> PathBuf {
        Config::read(&self.config()).expect("sound").database()
    }

    pub fn sql(&self) -> Connection {
        let connection = Connection::open(self.database()).expect("a database");
        // All that is read is of one moment, whatever the program does meanwhile.
        connection.execute_batch("PRAGMA query_only = ON; BEGIN").expect("a transaction");
        connection
    }

    /// Beside the program, as the operators' commands use it.
    pub fn store(&self) -> Arc<Sqlite> {
        Arc::new(Sqlite::open(self.database()).expect("it opens"))
    }

    /// What all its processes logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("a log")
    }

    fn log_file(&self) -> PathBuf {
        self.home().join("log")
    }

    /// Starts the program, and does not wait for it.
    pub fn spawn(&self) -> Process {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file());
        let child = Command::new(env!("CARGO_BIN_EXE_koshin-server"))
            .args(["serve", "--json", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the program");
        Process { child, origin: None, killed: Arc::default() }
    }

    /// Starts the program; it serves when this returns.
    pub fn start(&self) -> Process {
        let mut process = self.spawn();
        let mut line = String::new();
        let stdout = process.child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the line that says ready");
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}\n{}", self.log()));
        let directory = ready["directory"].as_str().expect("a URL");
        let origin = directory.strip_suffix("/koshin/directory").expect("a directory");
        process.origin = Some(Origin::parse(origin).expect("an origin"));
        process
    }

    pub fn root(&self) -> PathBuf {
        self.home().join("root.pem")
    }
}

fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "no {old:?} in {text}");
    text.replacen(old, new, 1)
}

/// The program, of this bank.
pub struct Process {
    child: Child,
    origin: Option<Origin>,
    killed: Arc<AtomicBool>,
}

impl Process {
    pub fn origin(&self) -> &Origin {
        self.origin.as_ref().expect("it serves")
    }

    /// Turns true before it is killed.
    pub fn killed(&self) -> Arc<AtomicBool> {
        self.killed.clone()
    }

    /// SIGKILL. By itself it has not ended.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended by itself: {ended:?}");
        self.killed.store(true, Ordering::SeqCst);
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it ended");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed assertion; else it was killed and waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
