//! Ways to renew, each a process: the command, and what is broken on purpose.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::bank::PIN;
use crate::broken;
use crate::customer::Customer;
use crate::recording::Call;

/// Who renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// The command `koshin`.
    Koshin,
    /// The client's library on files that it never syncs.
    NoSync,
    /// Generations, syncs, everything, but `current` is switched first, and the pair checked then.
    SwitchBeforeCheck,
}

/// How a life ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// Whether the fault came.
    pub is_met: bool,
    /// What it said.
    pub said: String,
}

impl Design {
    /// Renews, or takes up what was begun.
    fn command(self, customer: &Customer, word: &str) -> Command {
        let mut command = customer.command(&[word, "--yes"]);
        if self != Self::Koshin {
            let own = std::env::current_exe().unwrap();
            command = Command::new(own);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            broken::ask_for(self, &mut command, &identity(customer));
        }
        command.env("KOSHIN_PIN", PIN);
        command
    }

    /// A life without faults.
    pub fn live(self, customer: &Customer, word: &str) -> Ended {
        ended(self.command(customer, word).output().unwrap(), false)
    }

    /// A life that strace writes down.
    pub fn recorded(self, customer: &Customer) -> (Ended, String) {
        recorded(customer, &self.command(customer, "renew"))
    }

    /// A life with a fault at one call.
    pub fn disturbed(self, customer: &Customer, call: &Call, fault: &str) -> Ended {
        disturbed(customer, &self.command(customer, "renew"), call, fault)
    }
}

/// A life that strace writes down.
pub fn recorded(customer: &Customer, command: &Command) -> (Ended, String) {
    let trace = trace_file(customer);
    let output = under_strace(command, &trace, &["-y"]);
    let text = fs::read_to_string(&trace).unwrap();
    (ended(output, false), text)
}

/// A life with a fault at one call.
pub fn disturbed(customer: &Customer, command: &Command, call: &Call, fault: &str) -> Ended {
    let trace = trace_file(customer);
    let only = format!("--trace={}", call.name);
    let inject = format!("--inject={}:{fault}:when={}", call.name, call.number);
    let output = under_strace(command, &trace, &[&only, &inject]);
    let text = fs::read_to_string(&trace).unwrap();
    let is_met = output.status.signal().is_some() || text.contains("(INJECTED)");
    ended(output, is_met)
}

/// The folder of the customer's only identity.
pub fn identity(customer: &Customer) -> PathBuf {
    customer.path("home/default")
}

/// Beside the customer's folder, whose power may be cut.
fn trace_file(customer: &Customer) -> PathBuf {
    customer.roots.with_file_name(format!(
        "trace-{}",
        customer.folder.path().file_name().unwrap().to_str().unwrap()
    ))
}

fn under_strace(command: &Command, trace: &Path, options: &[&str]) -> Output {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "16", "-o"]).arg(trace).args(options).arg("--");
    strace.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        strace.current_dir(folder);
    }
    strace.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    strace.stdin(Stdio::null()).output().unwrap()
}

fn ended(output: Output, is_met: bool) -> Ended {
    let text = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&text).trim().to_owned();
    Ended { code: output.status.code(), is_met, said }
}
