//! `client`

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use super::{Failure, Progress, RunOptions};
use crate::case::Side;
use crate::client;
use crate::report::{Report, Run};
use crate::runner::{Quiet, Runner, Watcher};
use crate::target::here;

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
        let options = &self.options;
        let all = client::cases();
        let divergences = options.known(all.iter().map(|case| &case.about))?;
        let cases = options.choose(all)?;
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::Impossible(error.to_string()))?;
        let watcher: Arc<dyn Watcher> =
            if options.quiet { Arc::new(Quiet) } else { Arc::new(Progress::new(cases.len())) };
        let runner = Runner { jobs: usize::from(options.jobs), divergences };
        let (began, clock) = (here(), Instant::now());
        let subject = Arc::new(client::Client::new(self.command.clone()));
        let results = runtime.block_on(runner.run(&subject, cases, &watcher));
        drop(watcher);
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        let run = Run {
            side: Side::Client,
            target: words.join(" "),
            began: began.to_string(),
            milliseconds: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            seed: options.seed,
            strict: options.strict,
        };
        options.tell(&Report::new(run, results))
    }
}
