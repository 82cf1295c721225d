//! Numbers of rows, taken from the store many at a time.

use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

/// As many are taken at once. What a crash leaves unused is never given.
const BLOCK: u32 = 1024;

/// The numbers that were taken and not given yet.
#[derive(Default)]
pub(super) struct Numbers(Mutex<std::ops::Range<u64>>);

impl Numbers {
    /// The next number.
    pub(super) async fn next(&self, store: &dyn Store) -> Result<u64, StoreError> {
        let mut taken = self.0.lock().await;
        if let Some(number) = taken.next() {
            return Ok(number);
        }
        let first = store.numbers(BLOCK).await?;
        *taken = first + 1..first + u64::from(BLOCK);
        Ok(first)
    }
}
