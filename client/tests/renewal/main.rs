//! The client against the real bank.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod scene;

mod drops;
mod duties;
mod enroll;
mod full_disk;
mod interrupted;
mod losses;
mod misbehaviour;
mod reissue;
mod renew;
mod schedule;
mod session;
mod undo;
mod window;
