//! The user's side of Koshin.

pub mod identity;
pub mod import;
pub mod journal;
pub mod keystore;

pub mod files;
pub mod pem;
