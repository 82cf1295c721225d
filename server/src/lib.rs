//! The bank's side of Koshin.

pub mod http;
pub mod mischief;
pub mod watch;

pub mod audit;
pub mod store;
