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

pub mod chain;
pub mod embedded_jws;
pub mod empty;
pub mod page_url;
pub mod unverified_csr;

pub mod binding;
pub mod certificate_entry;
pub mod contract;
pub mod directory;
pub mod enrollment;
pub mod enrollment_code;
pub mod environment;
pub mod key_store;
pub mod notice;
pub mod order;
pub mod pin;
pub mod problem;
pub mod receipt;
pub mod reissue;
pub mod remedy;
pub mod renewal_info;
pub mod revocation;
pub mod session;
pub mod state;
pub mod subject;
pub mod ticket;
