//! The Koshin protocol: wire objects, signatures and state machines, without I/O and without a clock.

mod text;
pub mod time;

pub mod problem;
pub mod remedy;
pub mod state;
