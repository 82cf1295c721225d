//! The bank against SPEC.md: each test's name states the rule, the comment above it the requirements that it shows.
//!
//! Requests go to [`koshin_server::bank::Bank`] itself, with no socket between: what the edge adds has its tests in
//! `edge`.

#![allow(clippy::unused_self, reason = "what customers do reads as done at a bank")]
#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]

mod answer;
mod bank;
mod deeds;
mod person;
mod request;

mod cancel;
mod confirm;
mod order;
mod renewal;
mod rollback;
mod session;

mod enrollment;
mod pin;
mod reissue;
mod revocation;

mod checks;
mod clock;
mod contract;
mod directory;
mod headers;
mod issue;
mod mischief;
mod name;
mod rate;
mod renewal_info;
mod restore;

mod attack;
mod concurrency;
mod foreign;
mod wrong_clock;

#[path = "../stored/mod.rs"]
mod stored;
