//! The user's side of Koshin.

pub mod files;
