//! What a bank does while nobody asks: orders of a slow CA are taken up, sessions that are long over
//! are forgotten, the CRL is kept fresh.
//!
//! Nothing that a request is answered depends on these: they only make sure that it happens without
//! a request, too.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::bank::Bank;
use crate::http::Shutdown;
use crate::{issue, publish};

const TAKE_UP_EVERY: Duration = Duration::from_secs(1);
/// A revocation reaches whoever asks for the CRL at once, since it is made anew for them; this is
/// for the backups and for half of its life.
const PUBLISH_EVERY: Duration = Duration::from_mins(1);

/// Begins to, until shutdown is asked for.
pub fn spawn(bank: &Arc<Bank>, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
    let bank = || Arc::clone(bank);
    vec![
        tokio::spawn(every(TAKE_UP_EVERY, shutdown.clone(), bank(), take_up)),
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

async fn take_up(bank: &Bank) {
    if let Err(error) = issue::take_up(bank).await {
        tracing::error!(?error, "orders in processing cannot be taken up");
    }
}

async fn publish(bank: &Bank) {
    if let Err(error) = publish::newest(bank).await {
        tracing::error!(?error, "the CRL cannot be published");
    }
}
