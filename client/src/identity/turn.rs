//! An identity's blocking work, called from asynchronous code: one piece at a time, in the order of the calls.

use std::sync::Arc;

use super::Identity;
use crate::blocking;

impl Identity {
    /// For programs of one thread that have nothing else to do meanwhile: files are worked with and requests signed on the
    /// caller's thread.
    pub fn on_callers_thread(mut self) -> Self {
        self.is_here = true;
        self
    }

    /// Whether work is done on the caller's thread.
    pub fn is_on_callers_thread(&self) -> bool {
        self.is_here
    }

    /// Does work on a thread that may block; on the caller's after [`Self::on_callers_thread`].
    ///
    /// Cancel-safe: dropped before the work has its turn, nothing happens; dropped later, the work goes on to its end, and the
    /// next piece waits for it. Whoever calls next finds either all of it done or none.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let turn = Arc::clone(&self.home.turn).lock_owned().await;
        if self.is_here {
            return work(self);
        }
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
