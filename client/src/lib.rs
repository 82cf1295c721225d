//! The user's side of Koshin: renews a bank customer's certificate, and loses it at no instant.
//!
//! An [`identity::Identity`] is a folder with one customer's keys and certificates; a [`Client`] is an identity at its bank.
//! [`Client::renew`] does everything there is to do, from whatever the folder says: it begins, goes on after a crash, or finds
//! out what became of a request whose answer was lost.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use koshin_client::consent::Unattended;
//! use koshin_client::files::Real;
//! use koshin_client::identity::Identity;
//! use koshin_client::keystore::FileStore;
//! use koshin_client::progress::Event;
//! use koshin_client::{Client, Outcome, Renewal};
//! use koshin_protocol::pin::Pin;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = Arc::new(FileStore::plain());
//! let identity = Identity::open(Arc::new(Real), keys, "identities/hanako".as_ref())?;
//! let client = Client::builder(identity)
//!     .consent(Unattended::new(Some(Pin::new("481516".to_owned()))))
//!     .progress(|event: &Event| println!("{event:?}"))
//!     .build()
//!     .await?;
//! match client.renew(Renewal::default()).await {
//!     Ok(Outcome::Renewed(new)) => println!("valid until {}", new.certificate.not_after()),
//!     Ok(other) => println!("{other:?}"),
//!     // Every error says who acts next: retry later, act, or have it reissued.
//!     Err(error) => println!("{error}: {:?}, {:?}", error.class(), error.remedy()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An identity is made once, with [`identity::Identity::create`], and gets its first pair by [`import`] or by
//! [`Client::enroll`]. The examples embed the client in a desktop program with prompts of its own, in a daemon, and with a key
//! store of its own.
//!
//! | | |
//! |---|---|
//! | all of it | [`Client::renew`], [`Client::resume`], [`Client::defer`], [`Client::cancel`], [`Client::rollback`], [`Client::enroll`], [`Client::revoke`], [`Client::status`] |
//! | for administrators | [`Client::contract`], [`Client::reissue`], [`Client::unlock`], [`Client::revoke_of_user`] ([`administrator`]) |
//! | the steps singly | [`bank::Bank`], [`session::Session`], [`order::Order`], whose calls are the protocol's |
//! | where programs differ | [`keystore::KeyStore`], [`transport::Transport`], [`consent::Consent`], [`progress::Progress`], [`clock::Clock`] |
//! | what is on disk | [`identity`], [`journal`], [`keystore`], [`files`] |
//!
//! Futures may be dropped at any await: what is on disk says how far it came, and the same call takes it up. Nothing prints,
//! nothing is global, and no text or size from outside makes this crate panic. It runs on tokio.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::future::Future;
use std::pin::Pin;

pub mod client;
pub mod renew;

pub mod flow;
mod logon;
pub mod undo;

mod renewal_info;
pub mod schedule;

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
