//! What a bank does while nobody asks: the clock is watched, orders of a slow CA are taken up,
//! sessions that are long over are forgotten, the CRL is kept fresh.
//!
//! Nothing that a request is answered depends on these: they only make sure that it happens without
//! a request, too.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::bank::Bank;
use crate::error::Error;
use crate::http::Shutdown;
use crate::{issue, publish};

const LOOK_AT_CLOCK_EVERY: Duration = Duration::from_secs(1);
const TAKE_UP_EVERY: Duration = Duration::from_secs(1);
const TIDY_UP_EVERY: Duration = Duration::from_mins(1);
/// A revocation reaches whoever asks for the CRL at once, since it is made anew for them; this is
/// for the backups and for half of its life.
const PUBLISH_EVERY: Duration = Duration::from_mins(1);

/// How many sessions are forgotten in one transaction.
const BATCH: u32 = 500;

/// Begins to, until shutdown is asked for.
pub fn spawn(bank: &Arc<Bank>, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
    let bank = || Arc::clone(bank);
    vec![
        tokio::spawn(every(LOOK_AT_CLOCK_EVERY, shutdown.clone(), bank(), look_at_clock)),
        tokio::spawn(every(TAKE_UP_EVERY, shutdown.clone(), bank(), take_up)),
        tokio::spawn(every(TIDY_UP_EVERY, shutdown.clone(), bank(), tidy_up)),
        tokio::spawn(every(PUBLISH_EVERY, shutdown.clone(), bank(), publish)),
    ]
}

async fn every(
    pause: Duration,
    mut shutdown: Shutdown,
    bank: Arc<Bank>,
    work: impl AsyncFn(&Bank),
) {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.asked() => return,
            _ = ticks.tick() => {}
        }
        // Not within the select: work that began is finished.
        work(&bank).await;
    }
}

async fn look_at_clock(bank: &Bank) {
    if let Err(error) = bank.watched.look(&*bank.store).await {
        Error::from(error).report(format_args!("the clock cannot be compared with the audit"));
    }
}

async fn take_up(bank: &Bank) {
    if let Err(error) = issue::take_up(bank).await {
        error.report(format_args!("orders in processing cannot be taken up"));
    }
}

/// Writes down when sessions were last used, and forgets those that are long over: while the clock is steady, since one
/// that is ahead for a while ends no session.
pub async fn tidy_up(bank: &Bank) {
    let longest = bank.policy.session.absolute;
    loop {
        let steady = bank.watched.steady_for() > longest.to_duration();
        let longest = steady.then_some(longest);
        match bank.store.tidy_up(BATCH, longest, bank.clock.now()).await {
            Ok(sessions) if sessions >= BATCH => tracing::debug!(sessions, "forgotten, more wait"),
            Ok(_) => return,
            Err(error) => {
                let error = Error::from(error);
                return error.report(format_args!("old sessions cannot be forgotten"));
            }
        }
    }
}

async fn publish(bank: &Bank) {
    if let Err(error) = publish::newest(bank).await {
        error.report(format_args!("the CRL cannot be published"));
    }
}
