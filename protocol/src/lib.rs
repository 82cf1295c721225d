//! The Koshin protocol: wire objects, signatures and state machines, without I/O and without a clock.

pub mod problem;
pub mod remedy;
