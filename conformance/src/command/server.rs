//! `server`

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use koshin_protocol::url::Url;

use super::{Failure, RunOptions};
use crate::adapter::Command;
use crate::case::Side;
use crate::control::Control;
use crate::provision::Provision;
use crate::server;
use crate::target::Target;

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
        self.options.run(Side::Server, &self.directory, server::cases(), |runtime| {
            let target = self.target()?;
            runtime.block_on(target.http.connector().tcp()).map_err(|error| {
                Failure::Impossible(format!("{}: no connection: {error}", target.directory_url))
            })?;
            Ok(Arc::new(target))
        })
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
