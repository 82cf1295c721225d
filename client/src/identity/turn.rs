//! An identity's blocking work, called from asynchronous code: one piece at a time, in the order of the calls.

use std::sync::Arc;

use super::Identity;
use crate::blocking;

impl Identity {
    /// Does work on a thread that may block.
    ///
    /// Cancel-safe: dropped before the work has its turn, nothing happens; dropped later, the work goes on to its end, and the
    /// next piece waits for it. Whoever calls next finds either all of it done or none.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let turn = Arc::clone(&self.home.turn).lock_owned().await;
        let identity = self.clone();
        blocking::run(move || {
            let done = work(&identity);
            // The lock on the folder is given back by whoever has the identity, not by work that nobody waits for.
            drop(identity);
            drop(turn);
            done
        })
        .await
    }
}
