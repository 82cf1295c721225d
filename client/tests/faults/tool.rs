//! The programs that the harness works with, and what there is instead of them.

use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

/// Why tests cannot run here.
#[derive(Clone, Debug)]
pub enum Missing {
    /// A program of a Debian package.
    Package(&'static str),
    /// Something that no package brings: rights, or the kernel.
    Machine(String),
}

impl Missing {
    pub fn is_a_package(&self) -> bool {
        matches!(self, Self::Package(_))
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(name) => write!(f, "not installed: {name}"),
            Self::Machine(why) => write!(f, "not on this machine: {why}"),
        }
    }
}

/// Runs a program to its end; what it says is the error if it fails.
pub fn run(package: &'static str, program: &str, arguments: &[&str]) -> Result<Output, Missing> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|_| Missing::Package(package))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Missing::Machine(format!("{program} {}: {}", arguments.join(" "), said.trim())))
}

/// Whether strace is there, and may trace.
pub fn strace() -> Result<(), Missing> {
    run("strace", "strace", &["-f", "-o", "/dev/null", "true"]).map(drop)
}

/// Goes on in a mount namespace of its own, where there may be one: what is mounted in it is gone with the process, however
/// that ends.
pub fn in_own_mount_namespace() {
    const INSIDE: &str = "KOSHIN_FAULTS_INSIDE";
    let namespace = ["--mount", "--propagation", "private", "--"];
    let is_inside = std::env::var_os(INSIDE).is_some();
    if is_inside || run("util-linux", "unshare", &[&namespace[..], &["true"]].concat()).is_err() {
        return;
    }
    let Ok(own) = std::env::current_exe() else { return };
    // It returns only if it fails, and then the tests run here.
    drop(
        Command::new("unshare")
            .args(namespace)
            .arg(own)
            .args(std::env::args_os().skip(1))
            .env(INSIDE, "1")
            .exec(),
    );
}
