//! The Koshin protocol: wire objects, signatures and state machines, without I/O and without a clock.
//!
//! Koshin (更新) renews certificates of bank customers by signed JSON requests over HTTPS; `SPEC.md`
//! is the protocol, and this crate is what bank and client share of it. Nothing here opens a
//! connection, reads a clock or makes a random number: these come in as values.
//!
//! A client signs a request with the key of its certificate, of its session's certificate, or with
//! a bare key; the bank parses it, spends the nonce, verifies it, and only then reads the payload:
//!
//! ```
//! use koshin_protocol::jws::{By, Parsed, Request};
//! use koshin_protocol::{operation::Operation, sign::Es256Key, url::Url, verify::default_verifier};
//!
//! let key = Es256Key::from_random(&[7; 48]); // 48 bytes of the system's randomness in earnest
//! let url = Url::parse("https://bank.example/koshin/find-order")?;
//! let nonce = "oFvnlFP1wIhRlYS2jTaXbA".parse()?; // from the bank's last `Replay-Nonce`
//! let by = By::Key(Box::new(koshin_protocol::sign::Signer::public_key(&key).clone()));
//! let body = Request { operation: Operation::FindOrder, url: &url, nonce: &nonce, by: &by, payload: b"{}" }
//!     .sign(&key)?;
//!
//! let verified = Parsed::from_slice(&body)?.verify_by_own_key(default_verifier())?;
//! assert_eq!((verified.operation(), verified.payload()), (Operation::FindOrder, &b"{}"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From here: [`jws`] and [`operation`] for requests, [`csr`] and [`certificate`] for what is
//! ordered, [`order`], [`session`] and their neighbours for the objects on the wire, [`problem`]
//! and [`remedy`] for refusals, [`state`] for what may follow upon what.
//!
//! # Features
//!
//! - `aws-lc-rs`: a verifier for all algorithms, RSA included, about five times faster than the one
//!   in pure Rust, and a signer for the other algorithms.
//!
//! # Other crates' types in this one's signatures
//!
//! `der::asn1::ObjectIdentifier` (extended key usages), `jose_jwk::Key` (conversions of keys),
//! `jiff::Timestamp` (conversions of times), `serde_json::Error` (why JSON was refused),
//! `zeroize::Zeroizing` (what is wiped).

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
