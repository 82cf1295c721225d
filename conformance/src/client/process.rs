//! The client under test as a process, by the adapter of SPEC.md B.3.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::case::{Outcome, Stop};

/// A client that takes longer for one action is killed.
const LONGEST: Duration = Duration::from_mins(2);

/// The command that starts the client under test.
#[derive(Clone, Debug)]
pub(crate) struct Adapter(pub(crate) Arc<[OsString]>);

/// One start of it.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// What it is to do.
    pub(crate) action: &'static str,
    /// The directory's URL.
    pub(crate) directory: &'a str,
    /// The roots.
    pub(crate) trust: &'a Path,
    /// The client's folder.
    pub(crate) state: &'a Path,
    /// The PIN, if there is one.
    pub(crate) pin: Option<&'a str>,
    /// The ticket, if there is one.
    pub(crate) ticket: Option<&'a str>,
    /// Whether it can write to no file.
    pub(crate) full_disk: bool,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if it was killed.
    pub(crate) code: Option<i32>,
    /// Whether it was killed because it did not end by itself.
    pub(crate) hung: bool,
    /// What it wrote to standard output and standard error.
    pub(crate) shown: String,
}

impl Ended {
    /// For reports.
    pub(crate) fn how(&self) -> String {
        match (self.code, self.hung) {
            (Some(code), _) => format!("exit code {code}"),
            (None, true) => format!("no end within {} s", LONGEST.as_secs()),
            (None, false) => "killed".to_owned(),
        }
    }
}

/// The process groups of clients that are running.
#[derive(Clone, Debug, Default)]
pub(crate) struct Victims(Arc<Mutex<Vec<Pid>>>);

impl Victims {
    /// Kills them all, with their children, and returns when nothing of them runs any more.
    pub(crate) fn kill(&self) {
        for group in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // It may have ended just now.
            kill_process_group(*group, Signal::KILL).ok();
        }
    }

    fn add(&self, group: Pid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(group);
    }

    fn remove(&self, group: Pid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != group);
    }
}

impl Adapter {
    /// Starts the client, and waits until it has ended with all its children.
    pub(crate) async fn run(&self, start: &Start<'_>, victims: &Victims) -> Outcome<Ended> {
        let mut child = self.command(start)?.spawn().map_err(|error| {
            Stop::blocked(format_args!("{} cannot be started: {error}", self.0[0].display()))
        })?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let group = id.ok_or_else(|| Stop::blocked("the client's process has no id"))?;
        victims.add(group);
        let ended = end(&mut child, group).await;
        victims.remove(group);
        ended
    }

    fn command(&self, start: &Start<'_>) -> Outcome<Command> {
        let (program, arguments) =
            self.0.split_first().ok_or_else(|| Stop::blocked("no command of a client"))?;
        let mut command = if start.full_disk {
            let mut shell = Command::new("sh");
            shell.args(["-c", "ulimit -f 0; trap '' XFSZ; exec \"$@\"", "sh"]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .env("KOSHIN_DIRECTORY", start.directory)
            .env("KOSHIN_TRUST", start.trust)
            .env("KOSHIN_STATE", start.state)
            .env("KOSHIN_ACTION", start.action)
            .env("NO_PROXY", "localhost,127.0.0.0/8")
            .env_remove("KOSHIN_PIN")
            .env_remove("KOSHIN_TICKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(pin) = start.pin {
            command.env("KOSHIN_PIN", pin);
        }
        if let Some(ticket) = start.ticket {
            command.env("KOSHIN_TICKET", ticket);
        }
        Ok(command)
    }
}

async fn end(child: &mut Child, group: Pid) -> Outcome<Ended> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut shown, mut errors) = (Vec::new(), Vec::new());
    let reading = async {
        let out = async {
            if let Some(out) = &mut out {
                out.read_to_end(&mut shown).await.ok();
            }
        };
        let err = async {
            if let Some(err) = &mut err {
                err.read_to_end(&mut errors).await.ok();
            }
        };
        tokio::join!(out, err);
    };
    let whole = async { tokio::join!(reading, child.wait()).1 };
    let ended = tokio::time::timeout(LONGEST, whole).await;
    let hung = ended.is_err();
    kill_process_group(group, Signal::KILL).ok();
    let status = match ended {
        Ok(status) => status,
        Err(_) => child.wait().await,
    };
    gone(group).await;
    shown.extend(errors);
    let code = status.map_err(Stop::blocked)?.code();
    Ok(Ended { code, hung, shown: String::from_utf8_lossy(&shown).into_owned() })
}

/// Waits until no process of the group is left, so that its locks are free.
async fn gone(group: Pid) {
    let began = Instant::now();
    while test_kill_process_group(group).is_ok() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A path that `result.json` names, from the client's folder on.
pub(crate) fn within(state: &Path, path: &str) -> PathBuf {
    state.join(path)
}
