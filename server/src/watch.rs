//! Watching the bank: logs, metrics, health.

pub mod health;
pub mod log;
pub mod metrics;

pub use self::health::{Readiness, Watch};
pub use self::log::{Format, Log};
pub use self::metrics::{Metrics, rounded};
