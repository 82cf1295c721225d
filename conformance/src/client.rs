//! The client's side of the suite: plays the bank, runs the client under test as a process through the adapter of SPEC.md
//! B.3, watches every request that it makes, misbehaves on purpose, kills it, starts it again, and looks at what it sends
//! and what it has.
//!
//! | | |
//! |---|---|
//! | what is played | `stage`: a bank, a customer, a client's folder; `bank`, `customer`, `other` |
//! | what is seen and done | `front`, `seen`, `deed`, `forge` |
//! | the client | `process`; `reference`, one that passes; `mutants`, many that must not |
//! | what is judged | `truth`, `plain`, and the cases, one file per section of SPEC.md |
//!
//! The played bank is the real one, koshin-server as a library, behind a front of the suite's own. Each case has a bank of
//! its own, so that cases may run at the same time, and a case begins with a client that is known to do the plain thing.

mod bank;
mod bent;
mod bent_store;
mod bent_tls;
mod customer;
mod deed;
mod fault;
mod forge;
mod front;
mod misdeed;
pub mod mutants;
mod other;
mod plain;
mod process;
pub mod reference;
mod seen;
mod stage;
mod truth;

mod s03_overview;
mod s04_encodings;
mod s04_urls;
mod s05_transport;
mod s06_certificates;
mod s07_resources;
mod s08_windows;
mod s09_sessions;
mod s11_errors;
mod s12_installing;
mod s12_keys;
mod s12_pairs;
mod s12_resuming;
mod s12_retrying;
mod s12_undoing;
mod s13_enrollment;
mod s15_profiles;

use std::sync::Arc;

pub use self::stage::Play;
use crate::case::{About, Case, Draft, Outcome, Side};
use crate::exchange::Log;
use crate::runner::Subject;

/// Every case for clients, in the order of SPEC.md.
pub fn cases() -> Vec<Case<Play>> {
    [
        s03_overview::cases(),
        s04_encodings::cases(),
        s04_urls::cases(),
        s05_transport::cases(),
        s06_certificates::cases(),
        s07_resources::cases(),
        s08_windows::cases(),
        s09_sessions::cases(),
        s11_errors::cases(),
        s12_keys::cases(),
        s12_resuming::cases(),
        s12_retrying::cases(),
        s12_installing::cases(),
        s12_pairs::cases(),
        s12_undoing::cases(),
        s13_enrollment::cases(),
        s15_profiles::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the cases for clients are, in the order of SPEC.md.
pub fn abouts() -> Vec<About> {
    cases().into_iter().map(|case| case.about).collect()
}

/// Begins a case.
fn case(slug: impl Into<String>, sentence: impl Into<String>) -> Draft {
    // How long a client takes says nothing: what hangs for ever is ended.
    Case::<Play>::new(Side::Client, slug, sentence).within(300)
}

/// The client under test.
#[derive(Clone)]
pub struct Client(Play);

impl Client {
    /// That one which this command starts.
    pub fn new(command: impl IntoIterator<Item = std::ffi::OsString>) -> Self {
        Self(Play::new(command))
    }
}

impl Subject for Client {
    type View = Play;

    async fn view(subject: &Arc<Self>, _: &About, log: &Log) -> Outcome<Play> {
        Ok(subject.0.recording(log.clone()))
    }
}
