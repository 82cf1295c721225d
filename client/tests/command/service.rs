//! The agent as a service: its lines, what it tells the service manager, and signals.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::customer::Customer;

/// What does not come by then does not come.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Service {
    child: Child,
    lines: Receiver<String>,
    manager: UnixDatagram,
}

/// Waits for something to become true.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it did not come");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Service {
    pub fn start(customer: &Customer, arguments: &[&str]) -> Self {
        let arguments = [&["agent", "--json"], arguments].concat();
        Self::of(customer, customer.command(&arguments))
    }

    /// A service whose manager misses it after so many microseconds.
    pub fn watched(customer: &Customer, microseconds: &str) -> Self {
        let mut command = customer.command(&["agent", "--json"]);
        command.env("WATCHDOG_USEC", microseconds);
        Self::of(customer, command)
    }

    fn of(customer: &Customer, mut command: Command) -> Self {
        let socket = customer.path("notify");
        drop(std::fs::remove_file(&socket));
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = command.env("NOTIFY_SOCKET", &socket).spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        Self { child, lines, manager }
    }

    /// The next event of this name.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no {name}, but {before:#?}");
            };
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == name {
                return event;
            }
            before.push(line);
        }
    }

    /// Waits until the service manager was told this.
    #[track_caller]
    pub fn hears(&self, told: &str) {
        let mut message = [0; 4096];
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "no {told}");
            let length = self.manager.recv(&mut message).unwrap_or_else(|_| panic!("no {told}"));
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if text.lines().any(|line| line.starts_with(told)) {
                return;
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; its exit code, if it was not killed.
    #[track_caller]
    pub fn ended(mut self) -> Option<i32> {
        let mut status = None;
        until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
