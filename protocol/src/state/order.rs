//! The life of an order (SPEC.md 10.1).
//!
//! `processing` -> `valid` -> `completed`, and the ends `canceled`, `invalid`, `rolledBack`. The
//! store serialises the events; whoever comes second gets the refusal of the state that it finds.

use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, Use, Validity};
use super::{Step, Stepped, refused, stays, stepped};
pub use crate::order::StatusName as Status;
use crate::problem::Token;
use crate::time::{Period, Time};

/// One renewal or one enrollment, as the bank decides about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// Accepted; the certificate is not issued yet.
    Processing(Processing),
    /// The certificate is issued and stored; the new key has not confirmed it.
    Valid(Valid),
    /// The new key confirmed: the successor counts, the predecessor does not.
    Completed(Completed),
    /// Given up before confirmation. The predecessor is as it was.
    Canceled,
    /// Ended by something that nobody of this order asked for.
    Invalid(Invalid),
    /// Undone after confirmation: the successor is revoked, the predecessor current again.
    RolledBack,
}

/// What an order in `processing` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Processing {
    /// What the order is for.
    pub kind: Kind,
}

/// What an order in `valid` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Valid {
    /// What the order is for.
    pub kind: Kind,
}

/// What an order in `completed` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Completed {
    /// Whether it can still be undone.
    pub rollback: RollbackRight,
}

/// What an order in `invalid` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Invalid {
    /// Why it ended.
    pub cause: Cause,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// It replaces a certificate.
    Renewal,
    /// It follows from an enrollment code; no certificate is replaced, and it ends with its reissue.
    Enrollment,
}

/// Where a cancel finds the certificate that its order replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Predecessor {
    /// Not past its `notAfter`.
    Unexpired,
    /// Past its `notAfter`: a cancel would take the only certificate.
    Expired,
}

impl Predecessor {
    /// The predecessor at `now`; an order that replaces nothing has none that could be past its
    /// `not_after`.
    pub fn at(now: Time, not_after: Option<Time>) -> Self {
        match not_after {
            Some(not_after) if now > not_after => Self::Expired,
            Some(_) | None => Self::Unexpired,
        }
    }
}

/// Whether a completed order can be rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RollbackRight {
    /// Until this instant, inclusive. Once it has passed the right is over, as long as the clock says so.
    Until(Time),
    /// Not any more, whatever the clock says.
    Ended,
    /// Never: the bank's policy knows no rollback, or nothing was replaced.
    Disabled,
}

/// What policy grants to an order that is being completed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offer {
    /// The right to roll back until this instant: see [`Offer::at`].
    Until(Time),
    /// No rollback at this bank.
    Disabled,
}

impl Offer {
    /// What a bank grants at `now` that allows a rollback `within` so long, for the order whose
    /// predecessor ends with `not_after`: the earlier of both. After the predecessor's end that is an
    /// instant in the past: such a right is over from the beginning, and would exist if the clock
    /// turned out to have been wrong.
    pub fn at(now: Time, within: Option<Period>, not_after: Option<Time>) -> Self {
        match (within.and_then(|within| now.checked_add(within)), not_after) {
            (Some(until), Some(not_after)) => Self::Until(until.min(not_after)),
            (Some(_) | None, Some(_) | None) => Self::Disabled,
        }
    }
}

/// Why an order became `invalid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// The CA refused for good.
    IssueFailed,
    /// The certificate to be replaced was revoked.
    PredecessorRevoked,
    /// The new certificate was revoked before it was confirmed.
    SuccessorRevoked,
    /// For a renewal: a reissue of the subject was created or redeemed. For an enrollment: its reissue
    /// was canceled or voided.
    SubjectReissued,
}

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The CA's certificate is to be stored.
    Issued,
    /// The CA refused for good.
    IssueFailed,
    /// A session of the predecessor cancels.
    Cancel {
        /// Where the predecessor is then.
        predecessor: Predecessor,
    },
    /// The new key confirms.
    Confirm {
        /// The right to roll back is given up at once.
        finality: Finality,
        /// What policy grants if this completes the order.
        offer: Offer,
    },
    /// A logon with the new certificate.
    FirstUse {
        /// What policy grants if this completes the order.
        offer: Offer,
    },
    /// A recovery session of the predecessor rolls back.
    Rollback {
        /// The bank's time.
        now: Time,
    },
    /// The predecessor was revoked.
    PredecessorRevoked,
    /// An order was placed that replaces this order's certificate.
    SuccessorOrdered,
    /// This order's certificate was revoked, other than by this order itself.
    SuccessorRevoked,
    /// For a renewal: a reissue of the subject was created or redeemed. For an enrollment: its reissue
    /// was canceled or voided.
    SubjectReissued,
}

/// Whether a confirmation keeps the right to roll back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finality {
    /// `{}`
    Revertible,
    /// `{"final": true}`
    Final,
}

/// What the bank owes its other data when an order steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// [`Event::SuccessorOrdered`] for the completed order that brought the predecessor, if any.
    TellPredecessorsOrder,
    /// End every session of the predecessor (reason: order completed).
    EndSessionsOfPredecessor,
    /// The predecessor is superseded.
    SupersedePredecessor,
    /// The successor is current.
    ConfirmSuccessor,
    /// End every session of the successor (reason: rolled back).
    EndSessionsOfSuccessor,
    /// Revoke the successor.
    RevokeSuccessor,
    /// The predecessor is current again.
    RestorePredecessor,
    /// The reissue that the order came from is completed.
    CompleteReissue,
    /// The reissue that the order came from has failed.
    FailReissue,
    /// The certificate that came too late is revoked, and never handed out.
    RevokeLateCertificate,
    /// The CA's second answer is thrown away. It is not revoked: it may bear the serial of the stored one.
    DiscardSecondCertificate,
}

impl Order {
    /// A renewal of `predecessor`, which must be current and within its validity, or the token that
    /// refuses it.
    pub fn renewal(
        predecessor: Certificate,
        validity: Validity,
    ) -> Result<Stepped<Self, Effect>, Token> {
        predecessor.admits(Use::Renewal, validity)?;
        Ok(Stepped {
            state: Self::Processing(Processing { kind: Kind::Renewal }),
            effects: &[Effect::TellPredecessorsOrder],
        })
    }

    /// The order of a redeemed enrollment code.
    pub fn enrollment() -> Stepped<Self, Effect> {
        Stepped { state: Self::Processing(Processing { kind: Kind::Enrollment }), effects: &[] }
    }

    /// What the wire calls this state.
    pub fn status(&self) -> Status {
        match self {
            Self::Processing(_) => Status::Processing,
            Self::Valid(_) => Status::Valid,
            Self::Completed(_) => Status::Completed,
            Self::Canceled => Status::Canceled,
            Self::Invalid(_) => Status::Invalid,
            Self::RolledBack => Status::RolledBack,
        }
    }

    /// Whether the subject can have no other order beside this one: `processing` or `valid`.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Processing(_) | Self::Valid(_) => true,
            Self::Completed(_) | Self::Canceled | Self::Invalid(_) | Self::RolledBack => false,
        }
    }

    /// One event.
    pub fn step(self, event: Event) -> Step<Self, Effect> {
        match self {
            Self::Processing(processing) => processing.step(event),
            Self::Valid(valid) => valid.step(event),
            Self::Completed(completed) => completed.step(event),
            Self::Canceled => ended(self, event, Token::OrderCanceled),
            Self::Invalid(_) => ended(self, event, Token::OrderInvalid),
            Self::RolledBack => ended(self, event, Token::OrderRolledBack),
        }
    }
}

impl Processing {
    fn step(self, event: Event) -> Step<Order, Effect> {
        let same = Order::Processing(self);
        match event {
            Event::Issued => stepped(Order::Valid(Valid { kind: self.kind }), &[]),
            Event::IssueFailed => invalid(Cause::IssueFailed, self.kind.failing()),
            Event::Cancel { predecessor } => match self.kind.cancelable(predecessor) {
                Ok(()) => stepped(Order::Canceled, &[]),
                Err(token) => refused(same, token),
            },
            Event::Confirm { .. }
            | Event::FirstUse { .. }
            | Event::Rollback { .. }
            | Event::SuccessorOrdered
            | Event::SuccessorRevoked => refused(same, Token::OrderProcessing),
            Event::PredecessorRevoked => match self.kind {
                Kind::Renewal => invalid(Cause::PredecessorRevoked, &[]),
                Kind::Enrollment => stays(same),
            },
            Event::SubjectReissued => invalid(Cause::SubjectReissued, &[]),
        }
    }
}

impl Valid {
    fn step(self, event: Event) -> Step<Order, Effect> {
        let same = Order::Valid(self);
        match event {
            Event::Issued => stepped(same, &[Effect::DiscardSecondCertificate]),
            Event::IssueFailed => stays(same),
            Event::Cancel { predecessor } => match self.kind.cancelable(predecessor) {
                Ok(()) => stepped(Order::Canceled, &[Effect::RevokeSuccessor]),
                Err(token) => refused(same, token),
            },
            Event::Confirm { finality, offer } => self.complete(finality, offer),
            Event::FirstUse { offer } => self.complete(Finality::Revertible, offer),
            Event::Rollback { .. } | Event::SuccessorOrdered => {
                refused(same, Token::OrderNotCompleted)
            }
            Event::PredecessorRevoked => match self.kind {
                Kind::Renewal => invalid(Cause::PredecessorRevoked, &[Effect::RevokeSuccessor]),
                Kind::Enrollment => stays(same),
            },
            Event::SuccessorRevoked => invalid(Cause::SuccessorRevoked, self.kind.failing()),
            Event::SubjectReissued => invalid(Cause::SubjectReissued, &[Effect::RevokeSuccessor]),
        }
    }

    fn complete(self, finality: Finality, offer: Offer) -> Step<Order, Effect> {
        let rollback = match (self.kind, offer, finality) {
            (
                Kind::Enrollment,
                Offer::Until(_) | Offer::Disabled,
                Finality::Revertible | Finality::Final,
            )
            | (Kind::Renewal, Offer::Disabled, Finality::Revertible | Finality::Final) => {
                RollbackRight::Disabled
            }
            (Kind::Renewal, Offer::Until(until), Finality::Revertible) => {
                RollbackRight::Until(until)
            }
            (Kind::Renewal, Offer::Until(_), Finality::Final) => RollbackRight::Ended,
        };
        let effects: &'static [Effect] = match self.kind {
            Kind::Renewal => &[
                Effect::EndSessionsOfPredecessor,
                Effect::SupersedePredecessor,
                Effect::ConfirmSuccessor,
            ],
            Kind::Enrollment => &[Effect::CompleteReissue, Effect::ConfirmSuccessor],
        };
        stepped(Order::Completed(Completed { rollback }), effects)
    }
}

impl Completed {
    fn step(self, event: Event) -> Step<Order, Effect> {
        let same = Order::Completed(self);
        match event {
            Event::Issued => stepped(same, &[Effect::DiscardSecondCertificate]),
            Event::IssueFailed | Event::Confirm { finality: Finality::Revertible, .. } => {
                stays(same)
            }
            Event::Cancel { .. } => refused(same, Token::OrderCompleted),
            Event::Rollback { now } => match self.rollback {
                RollbackRight::Until(until) if now <= until => stepped(
                    Order::RolledBack,
                    &[
                        Effect::EndSessionsOfSuccessor,
                        Effect::RevokeSuccessor,
                        Effect::RestorePredecessor,
                    ],
                ),
                RollbackRight::Until(_) | RollbackRight::Ended => {
                    refused(same, Token::RollbackEnded)
                }
                RollbackRight::Disabled => refused(same, Token::RollbackDisabled),
            },
            Event::Confirm { finality: Finality::Final, .. }
            | Event::FirstUse { .. }
            | Event::PredecessorRevoked
            | Event::SuccessorOrdered
            | Event::SuccessorRevoked
            | Event::SubjectReissued => stays(Order::Completed(self.without_rollback())),
        }
    }

    fn without_rollback(self) -> Self {
        let rollback = match self.rollback {
            RollbackRight::Until(_) | RollbackRight::Ended => RollbackRight::Ended,
            RollbackRight::Disabled => RollbackRight::Disabled,
        };
        Self { rollback }
    }
}

impl Kind {
    /// Whether a cancel may end the open order.
    fn cancelable(self, predecessor: Predecessor) -> Result<(), Token> {
        match (self, predecessor) {
            (Self::Renewal, Predecessor::Unexpired) => Ok(()),
            // It would take the only certificate (CAN-03).
            (Self::Renewal, Predecessor::Expired) => Err(Token::PredecessorExpired),
            // Its reissue is canceled, by who made it (CAN-04).
            (Self::Enrollment, Predecessor::Unexpired | Predecessor::Expired) => {
                Err(Token::NotAuthorized)
            }
        }
    }

    fn failing(self) -> &'static [Effect] {
        match self {
            Self::Renewal => &[],
            Self::Enrollment => &[Effect::FailReissue],
        }
    }
}

/// The ends `canceled`, `invalid` and `rolledBack`: repeating what led there is answered, everything
/// else that somebody asks for is refused, and what merely happens around them changes nothing.
fn ended(same: Order, event: Event, token: Token) -> Step<Order, Effect> {
    match event {
        // The serial of a rolled back order's certificate is revoked already.
        Event::Issued if same == Order::RolledBack => {
            stepped(same, &[Effect::DiscardSecondCertificate])
        }
        Event::Issued => stepped(same, &[Effect::RevokeLateCertificate]),
        Event::Cancel { .. } if same == Order::Canceled => stays(same),
        Event::Rollback { .. } if same == Order::RolledBack => stays(same),
        Event::Cancel { .. }
        | Event::Confirm { .. }
        | Event::FirstUse { .. }
        | Event::Rollback { .. }
        | Event::SuccessorOrdered => refused(same, token),
        Event::IssueFailed
        | Event::PredecessorRevoked
        | Event::SuccessorRevoked
        | Event::SubjectReissued => stays(same),
    }
}

fn invalid(cause: Cause, effects: &'static [Effect]) -> Step<Order, Effect> {
    stepped(Order::Invalid(Invalid { cause }), effects)
}
