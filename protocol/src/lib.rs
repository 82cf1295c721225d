//! The Koshin protocol: wire objects, signatures and state machines, without I/O and without a clock.
