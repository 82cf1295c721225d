//! `client`

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::{Failure, RunOptions};
use crate::case::Side;
use crate::client;

const LONG: &str = "\
Tests a client: plays the bank on a loopback port, and runs the client under test as a process, which it watches, misleads,
kills and starts again.

The command after `--` is started for one action at a time, as annex B.3 of SPEC.md says: the environment variables
KOSHIN_DIRECTORY, KOSHIN_TRUST, KOSHIN_STATE, KOSHIN_ACTION and, where there are such, KOSHIN_PIN and KOSHIN_TICKET say what
it is to do; its exit code says how that ended, and result.json in KOSHIN_STATE names the pair that it holds for current.

Example, with this project's own client and the adapter for it:
  KOSHIN=target/debug/koshin koshin-conformance client -- conformance/adapter/koshin";

/// Test a client
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct Client {
    #[command(flatten)]
    options: RunOptions,
    /// The command that starts the client.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Client {
    pub(super) fn run(self) -> Result<(), Failure> {
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        self.options.run(Side::Client, &words.join(" "), client::cases(), |_| {
            let program = &self.command[0];
            if can_be_started(program) {
                return Ok(Arc::new(client::Client::new(self.command.clone())));
            }
            Err(Failure::Impossible(format!("{}: there is no such program", program.display())))
        })
    }
}

/// Whether there is such a file: at this path, or in a folder of PATH where it is a name alone.
fn can_be_started(program: &OsStr) -> bool {
    let named = Path::new(program);
    if named.components().count() > 1 {
        return named.is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(named).is_file())
}
