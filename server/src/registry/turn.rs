//! Who changes a subject does so in turn, within this process: a commit that would find another version is not begun.
//!
//! Nothing depends on it: the store compares versions, and other processes take no turns.

use tokio::sync::{Mutex, MutexGuard};

/// Enough that two subjects seldom share one.
const LANES: usize = 1024;

/// Turns for all subjects.
pub(super) struct Turns(Box<[Mutex<()>]>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }
}

impl Turns {
    /// Waits for the turn to change the subject in this row; it is over when the answer is dropped.
    pub(super) async fn take(&self, subject: u64) -> MutexGuard<'_, ()> {
        let lane = usize::try_from(subject).unwrap_or(0) % LANES;
        self.0[lane].lock().await
    }
}
