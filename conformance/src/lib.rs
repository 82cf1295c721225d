//! Tells whether a bank or a client follows SPEC.md, and which requirement each piece of evidence shows.
//!
//! A [`case`](case::Case) shows requirements; [`server`] and [`client`] have the cases of each side. [`runner`] runs those that
//! were [`select`]ed, [`report`] says what it found, with each [`exchange`], and [`divergence`] what the tester knew before.
//! [`mutant`] is how the suite is tested itself.
//! [`target`] is the bank under test: [`provision`] and [`control`] are the tester's commands.
//!
//! [`requirements`] extracts the requirements of SPEC.md, [`annotation`] finds the tests that name one, [`evidence`] knows what
//! can show one (a vector, a case, a test, a type, a review) and whether it ran, [`coverage`] joins the two.

#![allow(
    clippy::type_complexity,
    clippy::semicolon_if_nothing_returned,
    reason = "families of cases are tables whose rows have closures, each an expression"
)]
#![allow(clippy::large_futures, reason = "a case is boxed where it is run")]

pub mod case;
pub mod divergence;
pub mod exchange;
pub mod report;
pub mod runner;
pub mod select;
pub mod verdict;

pub mod adapter;
pub mod control;
pub mod provision;

pub mod client;
pub mod http;
pub mod mutant;
pub mod server;
pub mod target;

pub mod koshin;

pub mod command;

pub mod requirements;

pub mod evidence;

pub mod annotation;

pub mod coverage;
