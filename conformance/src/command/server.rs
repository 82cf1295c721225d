//! `server`

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use koshin_protocol::url::Url;

use super::{Failure, Progress, RunOptions};
use crate::adapter::Command;
use crate::case::Side;
use crate::control::Control;
use crate::provision::Provision;
use crate::report::{Report, Run};
use crate::runner::{Quiet, Runner, Watcher};
use crate::server;
use crate::target::{Target, here};

/// Adapters are processes: so many run at once.
const ADAPTERS_AT_ONCE: usize = 4;

const LONG: &str = "\
Tests a bank over HTTPS, as a black box. Use a bank of its own for this: subjects are made, renewed, reissued and revoked.

The commands of --provision and --control are run by `sh -c`, once for each call: one JSON object on standard input, one on
standard output (SPEC.md, annex B). Without --provision only what needs no certificate is tested.

Example, with this project's own bank:
  koshin-conformance server --directory https://localhost:8443/koshin/directory --trust bank/root.pem \\
      --provision 'koshin-server provision --config bank/koshin-server.toml'";

/// Test a bank
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(super) struct Server {
    /// URL of the bank's directory.
    #[arg(long, value_name = "URL")]
    directory: String,
    /// Command that makes subjects and certificates.
    #[arg(long, value_name = "CMD")]
    provision: Option<String>,
    /// Command that has power over the bank.
    #[arg(long, value_name = "CMD")]
    control: Option<String>,
    /// Roots in PEM that the bank's TLS and its certificates lead to.
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    options: RunOptions,
}

impl Server {
    pub(super) fn run(self) -> Result<(), Failure> {
        let options = &self.options;
        let all = server::cases();
        let divergences = options.known(all.iter().map(|case| &case.about))?;
        let cases = options.choose(all)?;
        let target = Arc::new(self.target()?);
        let runtime = tokio::runtime::Runtime::new()
            .map_err(|error| Failure::Impossible(error.to_string()))?;
        let watcher: Arc<dyn Watcher> =
            if options.quiet { Arc::new(Quiet) } else { Arc::new(Progress::new(cases.len())) };
        let runner = Runner { jobs: usize::from(options.jobs), divergences };
        let (began, clock) = (here(), Instant::now());
        let results = runtime.block_on(async {
            target.http.connector().tcp().await.map_err(|error| {
                Failure::Impossible(format!("{}: no connection: {error}", target.directory_url))
            })?;
            Ok::<_, Failure>(runner.run(&target, cases, &watcher).await)
        })?;
        drop(watcher);
        let run = Run {
            side: Side::Server,
            target: target.directory_url.to_string(),
            began: began.to_string(),
            milliseconds: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
            seed: options.seed,
            strict: options.strict,
        };
        options.tell(&Report::new(run, results))
    }

    fn target(&self) -> Result<Target, Failure> {
        let url = Url::parse(&self.directory)
            .map_err(|why| Failure::Usage(format!("--directory {}: {why}", self.directory)))?;
        let trust = fs::read(&self.trust)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.trust.display())))?;
        let command = |line: &String| Arc::new(Command::new(line.as_str(), ADAPTERS_AT_ONCE));
        let provision = self.provision.as_ref().map(|line| command(line) as Arc<dyn Provision>);
        let control = self.control.as_ref().map(|line| command(line) as Arc<dyn Control>);
        Target::new(url, &trust, provision, control, self.options.seed)
            .map_err(|why| Failure::Usage(format!("{}: {why}", self.trust.display())))
    }
}
