//! The bank's side of Koshin.
//!
//! | | |
//! |---|---|
//! | what the bank decided | [`config`], [`policy`], both read through [`settings`] |
//! | time and single use | [`clock`], [`nonce`] |
//! | the second factor | [`pin`] |
//! | certificates and CRLs | [`ca`] |
//! | the edge to the network | [`http`] |
//! | a request's way | [`service`], [`route`], [`request`], [`handler`], [`bank`], [`reply`], [`error`] |
//! | certificates and CRLs on their way out | [`issue`], [`publish`] |
//! | a new bank, and a running one | [`init`], [`start`], [`background`], [`operator`] |
//! | watching and testing | [`watch`], [`mischief`], [`provision`] |

pub mod config;
pub mod policy;
pub mod settings;

pub mod clock;
pub mod nonce;
pub mod pin;

pub mod ca;

pub mod http;

pub mod mischief;
pub mod watch;

pub mod audit;
pub mod store;

pub mod bank;
pub mod route;
pub mod urls;

pub mod request;

pub mod handler;
pub mod service;

pub mod issue;
pub mod publish;

pub mod error;
pub mod reply;
pub mod wire;

pub mod background;
pub mod init;
pub mod operator;
pub mod provision;
pub mod start;

mod keys;
