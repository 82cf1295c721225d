//! `serve`

use clap::Args;
use koshin_server::http::Trigger;
use koshin_server::http::listener::Drained;
use koshin_server::start::{self, Ended};
use koshin_server::watch::Log;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Serves the bank until SIGTERM or SIGINT; requests under way are then finished. A second signal ends
it at once.

Where the disk is full, it refuses what it would have to store, says at /readyz that it is not ready,
and goes on by itself once there is room. Where the disk fails, it answers what is under way and ends
with exit code 5: a supervisor starts it anew, and everything that it acknowledged is there. Exit code
6 says that the database is damaged, where a new start does not help: restore a backup.

Prints one line with the directory's URL as soon as it answers. TLS files are read again when they
change and at SIGHUP. The other commands work beside a running bank: what they change counts from
its next request on.";

/// Serve the bank
#[derive(Debug, Args)]
#[command(long_about = LONG)]
pub(crate) struct Serve {}

impl Serve {
    pub(crate) fn run(global: &Global, output: Output) -> Result<(), Failure> {
        let config = global.configuration()?;
        Log::configured(&config.log).install().map_err(Failure::configuration)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Failure::fault)?;
        runtime.block_on(async {
            // Without this a hangup would end a bank that has no TLS files to read again.
            let _hangup = signal(SignalKind::hangup()).map_err(Failure::fault)?;
            let (trigger, stop) = Trigger::new();
            trigger.on_signals().map_err(Failure::fault)?;
            let testing = config.testing;
            let running = start::start(config).await?;
            let ready = json!({
                "directory": running.directory_url().as_str(),
                "address": running.address().to_string(),
                "metrics": running.metrics_address().map(|address| address.to_string()),
                "testing": testing,
            });
            let note = if testing { " (a test environment)" } else { "" };
            let directory = running.directory_url().as_str().to_owned();
            output
                .say(&ready, format_args!("serving {directory} on {}{note}", running.address()))?;
            match running.until(stop).await {
                Ended::Stopped(Drained::Whole) => tracing::info!("stopped"),
                Ended::Stopped(Drained::CutOff(open)) => {
                    tracing::warn!(open, "stopped with connections open");
                }
                Ended::StoreFailed(outage) => return Err(Failure::store(&outage)),
            }
            Ok(())
        })
    }
}
