//! `serve`

use clap::Args;
use koshin_server::http::Trigger;
use koshin_server::http::listener::Drained;
use koshin_server::start;
use koshin_server::watch::Log;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Global;
use super::failure::Failure;
use super::output::Output;

const LONG: &str = "\
Serves the bank until SIGTERM or SIGINT; requests under way are then finished. A second signal ends
it at once.

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
                Drained::Whole => tracing::info!("stopped"),
                Drained::CutOff(open) => tracing::warn!(open, "stopped with connections open"),
            }
            Ok(())
        })
    }
}
