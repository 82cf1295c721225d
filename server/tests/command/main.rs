//! The program `koshin-server`, run as its operators run it.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]

mod audit;
mod backup;
mod bank;
mod beside;
mod customer;
mod operators;
mod registry;
mod reissue;
mod secrets;
mod setup;
mod usage;
