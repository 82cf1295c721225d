//! The real program while its clock is set under it, by libfaketime: it says so, goes on serving, and tells the right time
//! as soon as the clock does.
//!
//! Without Debian's package faketime the test is reported as ignored; with `KOSHIN_REQUIRE_ALL=1` it fails instead.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

const NAME: &str = "a_clock_that_is_set_is_told_of_and_what_it_decided_is_right_again_with_it";
const DAY: u64 = 86_400;

fn main() -> ExitCode {
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let library = library();
    let ignored = library.is_none() && !required;
    let trial = Trial::test(NAME, move || set_and_set_right(library.as_deref()));
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(ignored)]).exit_code()
}

/// What the command faketime has the loader load.
fn library() -> Option<String> {
    let told = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let told = String::from_utf8(told.ok()?.stdout).ok()?;
    Some(told.trim().to_owned()).filter(|library| !library.is_empty())
}

fn set_and_set_right(library: Option<&str>) -> Result<(), Failed> {
    let library = library.ok_or("the package faketime is not installed")?;
    let bank = Bank::serve(library);
    bank.provision();
    assert_eq!(bank.days_ahead(), 0);
    bank.set_clock("+10d");
    bank.until_told("the clock jumped 10 days ahead");
    assert_eq!(bank.days_ahead(), 10);
    bank.provision();
    bank.set_clock("+0");
    bank.until_told("the clock jumped 10 days back, to where it should be");
    bank.until_told("the clock is 10 days behind the newest audit record");
    assert_eq!(bank.days_ahead(), 0, "in `Date`");
    let health = get(&bank.metrics, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    assert!(health.contains("warning: the clock is 10 days behind the newest audit record\n"));
    assert!(get(&bank.metrics, "/readyz").starts_with("HTTP/1.1 200 "));
    let metrics = get(&bank.metrics, "/metrics");
    assert!(metrics.contains("koshin_clock_jumps_total 2\n"), "{metrics}");
    Ok(())
}

struct Bank {
    folder: TempDir,
    library: String,
    child: Child,
    address: String,
    metrics: String,
}

impl Bank {
    fn serve(library: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("offset"), "+0").unwrap();
        let init = [
            "init",
            "bank",
            "--plain-http",
            "--testing",
            "--origin",
            "http://localhost:1",
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
        ];
        let status = command(&folder, library).args(init).stdout(Stdio::null()).status();
        assert!(status.unwrap().success());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut child = command(&folder, library)
            .args(["serve", "--config", "bank/koshin-server.toml", "--json"])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let named = |name: &str| ready[name].as_str().unwrap().to_owned();
        let (address, metrics) = (named("address"), named("metrics"));
        Self { folder, library: library.to_owned(), child, address, metrics }
    }

    /// So much is added to the clock of the bank and its commands.
    fn set_clock(&self, offset: &str) {
        fs::write(self.folder.path().join("offset"), offset).unwrap();
    }

    /// Something that the audit records, by the clock as it is.
    fn provision(&self) {
        let request = json!({
            "role": "user",
            "notBefore": "2026-01-01T00:00:00Z",
            "notAfter": "2046-01-01T00:00:00Z",
        });
        let mut child = command(&self.folder, &self.library)
            .args(["provision", "--config", "bank/koshin-server.toml"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// How many days the bank's answers are ahead of the present.
    fn days_ahead(&self) -> u64 {
        let answer = get(&self.address, "/koshin/directory");
        let date = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("date").then_some(value)
        });
        let date = httpdate::parse_http_date(date.expect("HDR-01")).unwrap();
        // A minute for a slow machine.
        let ahead = date + Duration::from_mins(1);
        ahead.duration_since(SystemTime::now()).unwrap().as_secs() / DAY
    }

    fn until_told(&self, what: &str) {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            if log.contains(what) {
                return;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "no {what:?} in\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The program by the clock of the folder.
fn command(folder: &TempDir, library: &str) -> Command {
    let folder: &Path = folder.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_koshin-server"));
    command
        .current_dir(folder)
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", folder.join("offset"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
