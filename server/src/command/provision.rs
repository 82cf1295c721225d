//! `provision`

use std::io::{self, Read};

use clap::Args;
use koshin_protocol::json::{self, MAX_DOCUMENT};
use koshin_server::provision::{ProvisionError, Request, provision};

use super::Global;
use super::bank;
use super::failure::Failure;
use super::output::print;

const LONG: &str = "\
Makes a subject and its certificate, of any validity, for conformance runs: one JSON object on
standard input, one on standard output (SPEC.md, annex B.1). Refused unless the configuration says
testing = true.

Example:
  echo '{\"role\":\"user\",\"notBefore\":\"2026-01-01T00:00:00Z\",\"notAfter\":\"2026-12-31T23:59:59Z\"}' |
      koshin-server provision --config bank/koshin-server.toml";

/// Make a subject and certificate for a test
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Provision {}

impl Provision {
    pub(crate) fn run(global: &Global) -> Result<(), Failure> {
        let config = global.configuration()?;
        if !config.testing {
            return Err(Failure::refused(ProvisionError::NotTesting));
        }
        let mut text = Vec::new();
        let limit = u64::try_from(MAX_DOCUMENT).unwrap_or(u64::MAX) + 1;
        io::stdin().lock().take(limit).read_to_end(&mut text).map_err(Failure::fault)?;
        let request: Request = json::parse(&text)
            .map_err(|error| Failure::usage(format!("standard input: {error}")))?;
        let bank = bank::whole(&config)?;
        let answer = bank::block_on(async {
            provision(&bank, &request).await.map_err(|error| match error {
                ProvisionError::Store(failure) => failure.into(),
                ProvisionError::NotTesting | ProvisionError::Key | ProvisionError::Authority(_) => {
                    Failure::fault(error)
                }
            })
        })?;
        print(&serde_json::to_string(&answer).map_err(Failure::fault)?)
    }
}
