//! The command `koshin`, run as its users run it, against a real bank in the test's process.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod agent;
mod bank;
mod customer;
mod doctor;
mod enroll;
mod export;
mod import;
mod languages;
#[cfg(target_os = "linux")]
mod memory;
mod renew;
mod schema;
mod service;
mod status;
mod terminal;
mod trust;
mod undo;
mod usage;
