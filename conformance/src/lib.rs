//! Tells whether a bank or a client follows SPEC.md, and which requirement each piece of evidence shows.
//!
//! [`requirements`] extracts the requirements of SPEC.md, [`annotation`] finds the tests that name one, [`evidence`] knows what can show one (a vector, a case, a test,
//! a type, a review) and whether it ran, [`coverage`] joins the two.

pub mod requirements;

pub mod evidence;

pub mod annotation;

pub mod coverage;
