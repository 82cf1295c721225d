//! The pipeline of a signed request, as types in the order of SPEC.md 5.7:
//! [`Parsed`] (stages `http` to `key`) -> [`Fresh`] (`nonce`) -> [`Authenticated`] (`signature`, `signer`).
//!
//! Each step consumes the one before and has no other constructor, so that a handler, which takes an
//! [`Authenticated`], cannot be called with less.

mod admission;
mod authenticated;
mod fresh;
mod parsed;

pub use authenticated::{Authenticated, Reader};
pub use fresh::Fresh;
pub(crate) use fresh::key_of;
pub use parsed::{Arrival, Parsed};
