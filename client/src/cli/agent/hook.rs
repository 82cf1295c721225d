//! Hooks: the administrator's commands, before and after a renewal, with a limit of time.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// How long a hook that is told to end may take for it.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is between the agent and its service manager, and none of the hook's business.
const NOT_FOR_HOOKS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How a hook failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// There was no running it.
    #[error("it could not be started: {0}")]
    Start(#[from] io::Error),
    /// It said so.
    #[error("{0}")]
    Status(ExitStatus),
    /// It took too long, and was ended.
    #[error("it did not end within {} seconds", .0.as_secs())]
    Timeout(Duration),
}

/// Runs a command by the shell, with these variables, in a process group of its own; its output goes to standard error.
///
/// Dropped before its end, the hook is killed, with what it started.
pub(crate) async fn run(
    command: &str,
    variables: &[(&'static str, OsString)],
    limit: Duration,
) -> Result<(), HookError> {
    let output = io::stderr().as_fd().try_clone_to_owned()?;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).process_group(0).kill_on_drop(true);
    shell
        .stdin(Stdio::null())
        .stdout(output)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    for name in NOT_FOR_HOOKS {
        shell.env_remove(name);
    }
    let mut running = Running::of(shell.spawn()?);
    if let Ok(status) = tokio::time::timeout(limit, running.child.wait()).await {
        let status = status?;
        running.group = None;
        return if status.success() { Ok(()) } else { Err(HookError::Status(status)) };
    }
    running.signal(Signal::TERM);
    // Whether it went or not, the rest of its group is killed with `running`.
    drop(tokio::time::timeout(FAREWELL, running.child.wait()).await);
    Err(HookError::Timeout(limit))
}

/// A hook's process and its group, killed when this is dropped.
struct Running {
    child: Child,
    /// `None` once the hook has ended by itself: what it left behind on purpose is left alone.
    group: Option<Pid>,
}

impl Running {
    fn of(child: Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, group }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may be gone already.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
