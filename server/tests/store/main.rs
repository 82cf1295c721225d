//! The store as its callers see it: transitions, refusals, races, crashes, the audit.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]

mod audit;
mod bank;
mod crash;
mod invariants;
mod orders;
mod pin;
mod race;
mod random;
mod registry;
mod reissue;

#[path = "../stored/mod.rs"]
mod stored;
