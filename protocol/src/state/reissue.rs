//! The life of a reissue, the permission to enroll anew (SPEC.md 10.4, 10.5).

use serde::{Deserialize, Serialize};

use super::{Step, Stepped, refused, stays, stepped};
use crate::problem::Token;
pub use crate::reissue::StatusName as Status;
use crate::time::Time;

/// One enrollment code and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reissue {
    /// The code waits to be redeemed.
    Pending(Pending),
    /// The code was redeemed; its order runs.
    Redeemed(Redeemed),
    /// The enrolled certificate is confirmed.
    Completed,
    /// Its order became invalid.
    Failed,
    /// The administrator, or the operators, took it back.
    Canceled,
    /// A newer code took its place.
    Voided,
}

/// What a pending reissue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pending {
    /// The last second in which the code may be redeemed.
    pub expires: Time,
    /// When the subject's other certificates go.
    pub revocation: Revocation,
}

/// What a redeemed reissue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redeemed {
    /// When the subject's other certificates go.
    pub revocation: Revocation,
}

/// When a reissue revokes the certificates that the subject has, superseded ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Revocation {
    /// When the reissue is opened: `keyCompromise`, `deviceLost`.
    AtOnce,
    /// When the enrolled certificate is confirmed: every other reason.
    AtConfirmation,
}

/// What happens to a reissue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A new key is enrolled with its code.
    Redeem {
        /// The bank's time.
        now: Time,
    },
    /// The key of its order is enrolled again: for want of an answer, or the order was lost.
    RedeemAgain,
    /// Its order completed.
    OrderCompleted,
    /// Its order became invalid by itself.
    OrderInvalid,
    /// The administrator, or the operators, take it back.
    Cancel {
        /// The bank's time.
        now: Time,
    },
    /// A newer reissue for the same subject was opened.
    Void,
}

/// What the bank owes its other data when a reissue steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// [`Event::Void`] for the subject's former reissues.
    VoidFormerReissues,
    /// [`super::order::Event::SubjectReissued`] for every order of the subject.
    EndOrdersOfSubject,
    /// End every session of the subject (reason: subject reissued).
    EndSessionsOfSubject,
    /// Revoke every certificate of the subject but the one that this reissue enrolled.
    RevokeOtherCertificates,
    /// [`super::order::Event::SubjectReissued`] for the order of this reissue.
    EndOwnOrder,
    /// Make the order of this enrollment.
    PlaceOrder,
}

impl Reissue {
    /// A new reissue, whose code may be redeemed until `expires`, inclusive.
    pub fn open(expires: Time, revocation: Revocation) -> Stepped<Self, Effect> {
        let effects: &'static [Effect] = match revocation {
            Revocation::AtOnce => &[
                Effect::VoidFormerReissues,
                Effect::EndOrdersOfSubject,
                Effect::EndSessionsOfSubject,
                Effect::RevokeOtherCertificates,
            ],
            Revocation::AtConfirmation => &[
                Effect::VoidFormerReissues,
                Effect::EndOrdersOfSubject,
                Effect::EndSessionsOfSubject,
            ],
        };
        Stepped { state: Self::Pending(Pending { expires, revocation }), effects }
    }

    /// One event.
    pub fn step(self, event: Event) -> Step<Self, Effect> {
        match self {
            Self::Pending(pending) => pending.step(event),
            Self::Redeemed(redeemed) => redeemed.step(event),
            Self::Completed | Self::Failed => self.closed(event, Token::EnrollmentUsed),
            Self::Canceled | Self::Voided => self.closed(event, Token::EnrollmentCanceled),
        }
    }

    /// The word that the wire has for it at `now`: `expired` is a pending one whose time is over.
    pub fn status(&self, now: Time) -> Status {
        match self {
            // Computed, never stored (STA-09, STA-11).
            Self::Pending(pending) if pending.over(now) => Status::Expired,
            Self::Pending(_) => Status::Pending,
            Self::Redeemed(_) => Status::Redeemed,
            Self::Completed => Status::Completed,
            Self::Failed => Status::Failed,
            Self::Canceled => Status::Canceled,
            Self::Voided => Status::Voided,
        }
    }

    /// The final states: what ended it is answered again, a redeeming is told `token`.
    fn closed(self, event: Event, token: Token) -> Step<Self, Effect> {
        match event {
            Event::Redeem { .. } => refused(self, token),
            Event::Cancel { .. } if self == Self::Canceled => stays(self),
            Event::OrderCompleted if self == Self::Completed => stays(self),
            Event::Cancel { .. } | Event::OrderCompleted => refused(self, Token::ReissueClosed),
            Event::RedeemAgain | Event::OrderInvalid | Event::Void => stays(self),
        }
    }
}

impl Pending {
    /// Whether the code's time is over.
    fn over(self, now: Time) -> bool {
        now > self.expires
    }

    fn step(self, event: Event) -> Step<Reissue, Effect> {
        let same = Reissue::Pending(self);
        match event {
            Event::Redeem { now } if self.over(now) => refused(same, Token::EnrollmentExpired),
            Event::Redeem { .. } => stepped(
                Reissue::Redeemed(Redeemed { revocation: self.revocation }),
                // The subject may have logged on and ordered a renewal since the code was made: one
                // open order only (REI-08).
                &[Effect::EndOrdersOfSubject, Effect::EndSessionsOfSubject, Effect::PlaceOrder],
            ),
            Event::RedeemAgain | Event::OrderCompleted | Event::OrderInvalid => {
                refused(same, Token::OrderUnknown)
            }
            Event::Cancel { now } if self.over(now) => refused(same, Token::ReissueClosed),
            Event::Cancel { .. } => stepped(Reissue::Canceled, &[]),
            Event::Void => stepped(Reissue::Voided, &[]),
        }
    }
}

impl Redeemed {
    fn step(self, event: Event) -> Step<Reissue, Effect> {
        let same = Reissue::Redeemed(self);
        match event {
            Event::Redeem { .. } => refused(same, Token::EnrollmentUsed),
            Event::OrderCompleted => match self.revocation {
                Revocation::AtOnce => stepped(Reissue::Completed, &[]),
                Revocation::AtConfirmation => {
                    stepped(Reissue::Completed, &[Effect::RevokeOtherCertificates])
                }
            },
            Event::OrderInvalid => stepped(Reissue::Failed, &[]),
            Event::Cancel { .. } => stepped(Reissue::Canceled, &[Effect::EndOwnOrder]),
            Event::Void => stepped(Reissue::Voided, &[Effect::EndOwnOrder]),
            Event::RedeemAgain => stays(same),
        }
    }
}
