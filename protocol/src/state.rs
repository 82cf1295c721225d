//! The state machines of certificates, orders, sessions and reissues (SPEC.md 10).
//!
//! A machine is plain data: its state holds what its next decision needs and nothing else, so that a
//! bank makes it from the columns of a row, steps it, and writes it back, all in one transaction. The
//! step consumes the state. It answers either [`Stepped`], the new state with what the bank owes the
//! rest of its data for it, or [`Refused`], the state as it now is with the problem's token.
//!
//! Nothing here reads a clock: an event that depends on the time carries it. And no state says that a
//! time has passed (SPEC.md 10.5): who asks at another time is answered by that time, so that a clock
//! that was wrong and is right again has changed nothing.
//!
//! ```
//! use koshin_protocol::state::certificate::{Certificate, Validity};
//! use koshin_protocol::state::order::{Effect, Event, Order, Predecessor, Status};
//!
//! let predecessor = Certificate::Current;
//! let placed = Order::renewal(predecessor, Validity::Within).expect("a current certificate may be replaced");
//! let issued = placed.state.step(Event::Issued).expect("the certificate arrived");
//! let canceled = issued.state.step(Event::Cancel { predecessor: Predecessor::Unexpired }).expect("nothing is confirmed yet");
//! assert_eq!(canceled.state.status(), Status::Canceled);
//! assert_eq!(canceled.effects, [Effect::RevokeSuccessor]);
//! ```

pub mod certificate;
pub mod order;
pub mod reissue;
pub mod session;

use thiserror::Error;

use crate::problem::Token;

/// A transition that took place: the new state and what the bank does in the same transaction.
///
/// Effects are listed in the order in which they are to be applied: whatever stops counting does so
/// before something else starts to, so that at no point two certificates of a subject are current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the new state is to be stored and its effects applied"]
pub struct Stepped<S, E: 'static> {
    /// The new state. It may equal the old one: a repeated request is answered, not refused.
    pub state: S,
    /// What the bank owes to its other data in the same transaction, in this order.
    pub effects: &'static [E],
}

/// An event that the state refuses, with the token of the problem that the requester is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("refused: {}", token.as_str())]
pub struct Refused<S> {
    /// The state, as it was.
    pub state: S,
    /// The problem's token (SPEC.md 11.2). In a cell that SPEC.md marks with `-`, an event that cannot
    /// happen, it is the one that fits best; such a refusal is a fault of the bank and never answered.
    pub token: Token,
}

/// The outcome of a step.
pub type Step<S, E> = Result<Stepped<S, E>, Refused<S>>;

#[expect(clippy::unnecessary_wraps, reason = "the end of a match whose arms are all steps")]
fn stepped<S, E>(state: S, effects: &'static [E]) -> Step<S, E> {
    Ok(Stepped { state, effects })
}

#[expect(clippy::unnecessary_wraps, reason = "the end of a match whose arms are all steps")]
fn stays<S, E>(state: S) -> Step<S, E> {
    Ok(Stepped { state, effects: &[] })
}

fn refused<S, E>(state: S, token: Token) -> Step<S, E> {
    Err(Refused { state, token })
}
