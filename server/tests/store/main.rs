//! The store as its callers see it: transitions, refusals, races, crashes, the audit.

#![allow(missing_docs, unreachable_pub, reason = "a test names its rule, and nobody imports it")]

mod bank;
mod orders;
