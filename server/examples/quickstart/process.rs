//! The client's process, as the tour sees it.

use std::io::{self, BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::Failure;
use crate::client::Action;

/// What SIGKILL is to `wait`.
const SIGKILL: i32 = 9;

/// A running client. Dropped, it is ended.
pub(crate) struct Process {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    told: ChildStdin,
}

impl Process {
    /// Starts this program again, as the client of an identity.
    pub(crate) fn start(identity: &Path, action: Action) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--action", &action.to_string(), "--as-client"])
            .arg(identity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(out), Some(told)) = (child.stdout.take(), child.stdin.take()) else {
            return Err("a pipe was asked for".into());
        };
        Ok(Self { child, said: BufReader::new(out).lines(), told })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it tells next; it waits for [`Self::answer`] then. `None` once it has ended.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Failure> {
        let Some(line) = self.said.next() else { return Ok(None) };
        let said: Value = serde_json::from_str(&line?)?;
        match said.get("failed") {
            Some(why) => Err(format!("the client failed: {why}").into()),
            None => Ok(Some(said)),
        }
    }

    pub(crate) fn answer(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.told, "{text}")
    }

    /// Kills it with SIGKILL, which no process can catch, delay or clean up after.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.child.kill()?;
        let status = self.child.wait()?;
        if status.signal() == Some(SIGKILL) {
            Ok(())
        } else {
            Err(format!("the client was to be killed and ended otherwise: {status}").into())
        }
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; both calls are then harmless.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
