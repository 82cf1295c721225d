//! The process that serves our bank for a test.

use std::path::Path;
use std::sync::Arc;

use koshin_server::clock::System;
use koshin_server::http::Trigger;
use koshin_server::start::start_changed;

use super::ca::Controlled;
use super::{KoshinError, config, error};

/// Serves the bank of a folder until SIGTERM.
pub fn serve(folder: &Path) -> Result<(), KoshinError> {
    let config = config(folder)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|why| error("threads", why))?;
    runtime.block_on(async {
        let (trigger, stop) = Trigger::new();
        trigger.on_signals().map_err(|why| error("signals", why))?;
        let running = start_changed(config, Arc::new(System), |bank| {
            bank.issuer = Arc::new(Controlled::new(Arc::clone(&bank.issuer), folder));
        });
        let running = running.await.map_err(|why| error("the bank", why))?;
        running.until(stop).await;
        Ok(())
    })
}
