//! The process that serves our bank for a test.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use koshin_server::background;
use koshin_server::bank::Bank;
use koshin_server::clock::System;
use koshin_server::config::Config;
use koshin_server::http::{Authorities, Edge, Limits, Listener, Trigger};
use koshin_server::start::{assemble, start_changed};
use koshin_server::store::sqlite::Sqlite;
use koshin_server::watch::Metrics;

use super::ca::Controlled;
use super::{KoshinError, MUTANT, config, error};
use crate::server::bent::{self, Bend, Bent, Wrong};

/// Serves the bank of a folder until SIGTERM.
pub fn serve(folder: &Path) -> Result<(), KoshinError> {
    let config = config(folder)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|why| error("threads", why))?;
    match fs::read_to_string(folder.join(MUTANT)) {
        Ok(slug) => {
            let wrong = bent::named(&slug).ok_or_else(|| error("mutant", slug))?;
            runtime.block_on(bent(folder, &config, wrong))
        }
        Err(_) => runtime.block_on(straight(folder, config)),
    }
}

async fn straight(folder: &Path, config: Config) -> Result<(), KoshinError> {
    let (trigger, stop) = Trigger::new();
    trigger.on_signals().map_err(|why| error("signals", why))?;
    let running = start_changed(config, Arc::new(System), |bank| control(bank, folder)).await;
    running.map_err(|why| error("the bank", why))?.until(stop).await;
    Ok(())
}

fn control(bank: &mut Bank, folder: &Path) {
    bank.issuer = Arc::new(Controlled::new(Arc::clone(&bank.issuer), folder));
}

/// The same with something bent in it.
async fn bent(folder: &Path, config: &Config, wrong: Wrong) -> Result<(), KoshinError> {
    let (trigger, stop) = Trigger::new();
    trigger.on_signals().map_err(|why| error("signals", why))?;
    let listener = Listener::configured(config, stop.clone()).await;
    let listener = listener.map_err(|why| error("the listener", why))?;
    let store = Sqlite::open(config.database()).map_err(|why| error("the database", why))?;
    let metrics = Arc::new(Metrics::new());
    let mut bank = assemble(config, &Arc::new(store), &metrics, Arc::new(System))
        .map_err(|why| error("the bank", why))?;
    control(&mut bank, folder);
    let mut limits = Limits::configured(&config.limits);
    match wrong.bend {
        Bend::Bank(bend) => bend(&mut bank),
        Bend::Limits(bend) => bend(&mut limits),
        Bend::Memory(lapse) => bank.store = bent::forgetful(&bank.store, lapse),
        Bend::Accepts(..) | Bend::Answers(_) | Bend::Hears(_) | Bend::Replays => {}
    }
    let bank = Arc::new(bank);
    let authorities = Authorities::of(config.public_origin.as_str());
    let authorities = authorities.map_err(|why| error("the origin", why))?;
    let tasks = background::spawn(&bank, &stop);
    Edge::new(Bent::new(bank, wrong.bend), authorities, limits, metrics)
        .serve(listener, stop)
        .await;
    for task in tasks {
        task.await.map_err(|why| error("a background task", why))?;
    }
    Ok(())
}
