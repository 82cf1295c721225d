//! Work that blocks, away from the threads that must not.

use std::future::pending;
use std::panic::resume_unwind;

/// Runs work on a thread that may block. Dropping the future lets the work finish by itself.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is going down, and with it whoever waits here.
            Err(_) => pending().await,
        },
    }
}
