//! The user's side of Koshin.

use std::future::Future;
use std::pin::Pin;

pub mod client;
pub mod renew;

pub mod flow;
mod logon;
pub mod undo;

pub mod administrator;
pub mod enroll;
pub mod status;

pub mod bank;
pub mod order;
pub mod session;

pub mod clock;
pub mod consent;
pub mod environment;
pub mod progress;
pub mod transport;

pub mod retry;
pub mod trust;
pub mod window;

pub mod identity;
pub mod import;
pub mod journal;
pub mod keystore;

pub mod files;
pub mod pem;

pub mod error;

mod blocking;

pub use self::client::Client;
pub use self::error::{Class, Error};
pub use self::renew::{Outcome, Renewal};

/// A future that a trait's method returns.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
