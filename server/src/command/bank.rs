//! A bank for one command: its store and what goes with it, beside the bank that serves, or without
//! one.
//!
//! Commands write into the database themselves, rather than ask the serving bank over a socket: they
//! then work as well while it is stopped, and there is one way, not two. The database's write lock makes
//! each transition of either process atomic against the other's, and the serving bank decides each
//! request on what the database holds at that moment; it keeps nothing in memory that a command may
//! change. So a command takes effect at its next request.

use std::future::Future;
use std::sync::Arc;

use koshin_server::bank::Bank;
use koshin_server::clock::System;
use koshin_server::config::Config;
use koshin_server::registry::Registry;
use koshin_server::start;
use koshin_server::store::sqlite::Sqlite;
use koshin_server::watch::Metrics;

use super::failure::Failure;

/// The registry in the database, which must be there.
pub(crate) fn registry(config: &Config) -> Result<Registry, Failure> {
    Ok(Registry::new(store(config)?))
}

fn store(config: &Config) -> Result<Arc<Sqlite>, Failure> {
    let path = config.database();
    if !path.is_file() {
        return Err(Failure::configuration(format!(
            "{}: there is no database; was this bank made by `koshin-server init`?",
            path.display()
        )));
    }
    Ok(Arc::new(Sqlite::open(path)?))
}

/// The bank with its CA, which serves nobody.
pub(crate) fn whole(config: &Config) -> Result<Bank, Failure> {
    let store = store(config)?;
    Ok(start::assemble(config, &store, &Arc::new(Metrics::new()), Arc::new(System))?)
}

/// Runs a command to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::fault)?;
    runtime.block_on(work)
}
