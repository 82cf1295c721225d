//! Cases for clients.

use crate::case::About;

/// What the cases for clients are, in the order of SPEC.md.
pub fn abouts() -> Vec<About> {
    Vec::new()
}
