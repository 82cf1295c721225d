//! A disk that fails under a serving bank, as a library that is loaded before the C library makes it (`fault.c`).

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::process::Command;

use koshin_protocol::url::Url;
use rusqlite::Connection;

use crate::Case;
use crate::bank::{Bank, Served, text};
use crate::customer::Customer;

pub const CASES: &[Case] = &[
    ("a_failed_flush_ends_the_bank_and_a_new_start_has_all_that_it_acknowledged", &["cc"], flush),
    ("a_failed_write_ends_the_bank", &["cc"], write),
    ("a_file_that_is_not_flushed_any_more_ends_the_bank", &["cc"], checkpoint),
    ("a_bank_that_ends_is_not_ready_from_the_failure_on", &["cc"], readiness),
    ("a_full_disk_is_waited_out", &["cc"], full),
    ("a_damaged_database_ends_the_bank_and_is_not_served_from", &["cc"], damaged),
];

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A bank on a disk that can be told to fail.
struct Faulty {
    bank: Bank,
    served: Served,
    customers: [Customer; 2],
}

impl Faulty {
    fn new() -> Self {
        let bank = Bank::with(&["--plain-http", "--testing", "--metrics", "127.0.0.1:0"]);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/system/fault.c");
        let library = bank.path("fault.so");
        let arguments = ["-shared", "-fPIC", "-o"];
        let made = Command::new("cc").args(arguments).arg(&library).arg(source).status();
        assert!(made.expect("a compiler").success());
        let customers = [Customer::of(&bank, None), Customer::of(&bank, None)];
        let variables = [("LD_PRELOAD", library), ("KOSHIN_FAULT", bank.path("fault"))];
        let served = bank.serve_with(&variables, "log");
        let faulty = Self { bank, served, customers };
        // Then it has nothing to store for a minute but what it is asked for.
        while !faulty.log().contains("CRL published") {
            std::thread::yield_now();
        }
        faulty
    }

    /// From now on calls of this kind fail on the file whose name ends so.
    fn fail(&self, call: &str, suffix: &str, errno: i32) {
        // At once: half a line is no fault.
        let path = self.bank.path("fault");
        fs::write(path.with_extension("new"), format!("{call} {suffix} {errno}\n")).expect("told");
        fs::rename(path.with_extension("new"), path).expect("told");
    }

    fn heal(&self) {
        fs::remove_file(self.bank.path("fault")).expect("told");
    }

    /// Logs on; the answer is the session.
    fn log_on(&self) -> Url {
        let answer = self.customers[0].log_on(&self.served, None);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.location()
    }

    /// The other one tries to log on and is told to come again.
    fn is_unavailable(&self) {
        let answer = self.customers[1].log_on(&self.served, None);
        assert_eq!((answer.status, &*answer.token()), (503, "unavailable"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }

    fn watch(&self, path: &str) -> String {
        let mut stream =
            TcpStream::connect(text(&self.served.ready["metrics"])).expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn log(&self) -> String {
        fs::read_to_string(self.bank.path("log")).expect("a log")
    }

    fn errors(&self) -> Vec<String> {
        self.log().lines().filter(|line| line.contains("ERROR")).map(ToOwned::to_owned).collect()
    }

    /// It ends by itself with the exit code of a failed store, and has said so once. The session that it acknowledged is
    /// there when it is started again on a sound disk.
    fn ends_and_starts_again(mut self, session: &Url) {
        assert_eq!(self.served.ended(), Some(5));
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].contains("the disk failed"), "{errors:?}");
        self.served = self.bank.serve();
        let again = rebased(session, &self.served);
        assert_eq!(self.customers[0].read(&self.served, &again).token(), "ok");
        self.log_on();
        // A table of another's making is what `audit verify` is there to find.
        let database = Connection::open(self.bank.path("bank/data/koshin.db")).expect("opened");
        database.execute_batch("DROP TABLE IF EXISTS filler").expect("dropped");
        drop(database);
        let checked = self.bank.run(&["audit", "verify"]);
        assert_eq!(checked.code, 0, "{checked:?}");
        assert_eq!(self.served.stop(), Some(0));
    }
}

/// The same resource of a bank that listens at another port now.
fn rebased(url: &Url, bank: &Served) -> Url {
    let name = url.as_str().split_once("/koshin/").expect("a resource").1;
    bank.url(name)
}

fn flush() {
    let faulty = Faulty::new();
    let session = faulty.log_on();
    faulty.fail("fsync", "koshin.db-wal", EIO);
    faulty.is_unavailable();
    faulty.ends_and_starts_again(&session);
}

fn write() {
    let faulty = Faulty::new();
    let session = faulty.log_on();
    faulty.fail("write", "koshin.db-wal", EIO);
    faulty.is_unavailable();
    faulty.ends_and_starts_again(&session);
}

/// The log is sound, so that everything is acknowledged; only the file does not take it in.
fn checkpoint() {
    let faulty = Faulty::new();
    let filler = Connection::open(faulty.bank.path("bank/data/koshin.db")).expect("opened");
    filler
        .execute_batch(
            "PRAGMA busy_timeout = 10000; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE filler (x BLOB); INSERT INTO filler VALUES (zeroblob(20000000))",
        )
        .expect("a long log");
    faulty.fail("fsync", "koshin.db", EIO);
    let session = faulty.log_on();
    drop(filler);
    faulty.ends_and_starts_again(&session);
}

/// A request that is not whole keeps the bank from ending before this has looked.
fn readiness() {
    let faulty = Faulty::new();
    let session = faulty.log_on();
    assert!(faulty.watch("/readyz").starts_with("HTTP/1.1 200"));
    let mut under_way = TcpStream::connect(faulty.served.address()).expect("connected");
    under_way.write_all(b"GET /koshin/directory HTTP/1.1\r\nHost: localhost").expect("sent");
    faulty.fail("fsync", "koshin.db-wal", EIO);
    faulty.is_unavailable();
    let answer = faulty.watch("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(faulty.watch("/healthz").starts_with("HTTP/1.1 200"));
    let metrics = faulty.watch("/metrics");
    assert!(metrics.contains("koshin_store_failed 1\n"), "{metrics}");
    assert!(metrics.contains("koshin_store_outages_total{cause=\"disk\"} 1\n"), "{metrics}");
    let address = faulty.served.address();
    let port = address.rsplit(':').next().expect("a port");
    write!(under_way, ":{port}\r\n\r\n").expect("sent");
    let mut answer = String::new();
    under_way.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "what was under way is answered: {answer}");
    faulty.ends_and_starts_again(&session);
}

fn full() {
    let faulty = Faulty::new();
    faulty.log_on();
    faulty.fail("write", "koshin.db-wal", ENOSPC);
    for _ in 0..5 {
        faulty.is_unavailable();
    }
    let answer = faulty.watch("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("the disk is full"), "{answer}");
    let metrics = faulty.watch("/metrics");
    assert!(metrics.contains("koshin_store_failed 1\n"), "{metrics}");
    assert_eq!(faulty.errors().len(), 1, "once, and not for each request: {:#?}", faulty.errors());
    faulty.heal();
    // Nobody has to ask for that: a balancer sends nothing to a bank that is not ready.
    while !faulty.watch("/readyz").starts_with("HTTP/1.1 200") {
        std::thread::yield_now();
    }
    faulty.log_on();
    assert!(faulty.watch("/metrics").contains("koshin_store_failed 0\n"));
    assert_eq!(faulty.served.stop(), Some(0));
}

fn damaged() {
    let mut faulty = Faulty::new();
    let file = fs::OpenOptions::new().write(true).open(faulty.bank.path("bank/data/koshin.db"));
    let file = file.expect("the database");
    let rest = usize::try_from(file.metadata().expect("a length").len()).expect("short") - 4096;
    file.write_all_at(&vec![0x55; rest], 4096).expect("damaged");
    faulty.is_unavailable();
    assert_eq!(faulty.served.ended(), Some(6));
    assert_eq!(faulty.errors().len(), 1, "{:#?}", faulty.errors());
    file.write_all_at(b"no database", 0).expect("damaged");
    faulty.bank.cannot_serve().failed(6, "the database is damaged");
    faulty.bank.run(&["operator", "list"]).failed(6, "the database is damaged");
}
