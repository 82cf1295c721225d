//! The Koshin protocol: wire objects, signatures and state machines, without I/O and without a clock.

mod text;

pub mod base64url;
pub mod json;
pub mod time;
pub mod url;

pub mod algorithm;
pub mod cert_id;
pub mod jwk;
pub mod sign;
pub mod verify;

pub mod jws;
pub mod operation;

pub mod certificate;
pub mod csr;

pub mod problem;
pub mod remedy;
pub mod state;
