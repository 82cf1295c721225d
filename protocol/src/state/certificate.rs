//! The life of a certificate at the bank (SPEC.md 10.2, 10.5).
//!
//! `unconfirmed` -> `current` -> `superseded`, back by a rollback, and the end: revoked. That its
//! validity is over is no state of it: whoever looks computes it from the clock.

use serde::{Deserialize, Serialize};

use super::{Step, refused, stays, stepped};
use crate::certificate_entry::CertificateState;
use crate::problem::Token;
use crate::time::Time;

/// What a certificate counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Certificate {
    /// Issued; its key has not confirmed it.
    Unconfirmed,
    /// The one that its subject works with.
    Current,
    /// Replaced by a confirmed successor.
    Superseded,
    /// Revoked, for good.
    Revoked,
}

/// What happens to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its own key confirmed its order.
    Confirmed,
    /// Its successor was confirmed.
    Superseded,
    /// Its successor was rolled back.
    Restored,
    /// It was revoked, by whomever.
    Revoked,
}

/// What the bank owes its other data when a certificate steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// End every session of this certificate (reason: order completed).
    EndSessionsAsSuperseded,
    /// End every session of this certificate (reason: certificate revoked).
    EndSessionsAsRevoked,
    /// [`super::order::Event::PredecessorRevoked`] for the order that replaces it, if any.
    TellReplacingOrderRevoked,
    /// [`super::order::Event::SuccessorRevoked`] for the order that it came from, if any.
    TellOwnOrderRevoked,
}

/// What a request wants to do on the word of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// A logon with purpose `renewal`. One with an unconfirmed certificate confirms it.
    Logon,
    /// A logon with purpose `recovery`.
    RecoveryLogon,
    /// To be replaced: `newOrder`.
    Renewal,
    /// `confirm`.
    Confirm,
    /// `revokeCert` of itself.
    RevokeItself,
    /// To read its own certificate resource.
    Fetch,
}

/// Where an instant lies in a certificate's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Validity {
    /// Before `notBefore`.
    NotYet,
    /// From `notBefore` to `notAfter`, both seconds included.
    Within,
    /// After `notAfter`.
    Over,
}

impl Validity {
    /// Where `now` lies.
    pub fn at(now: Time, not_before: Time, not_after: Time) -> Self {
        if now > not_after {
            Self::Over
        } else if now < not_before {
            Self::NotYet
        } else {
            Self::Within
        }
    }
}

impl Certificate {
    /// One event.
    pub fn step(self, event: Event) -> Step<Self, Effect> {
        match self {
            Self::Unconfirmed => match event {
                Event::Confirmed => stepped(Self::Current, &[]),
                Event::Superseded | Event::Restored => refused(self, Token::OrderNotCompleted),
                Event::Revoked => revoked(),
            },
            Self::Current => match event {
                Event::Confirmed | Event::Restored => stays(self),
                Event::Superseded => stepped(Self::Superseded, &[Effect::EndSessionsAsSuperseded]),
                Event::Revoked => revoked(),
            },
            Self::Superseded => match event {
                Event::Confirmed => refused(self, Token::CertificateSuperseded),
                Event::Superseded => stays(self),
                Event::Restored => stepped(Self::Current, &[]),
                Event::Revoked => revoked(),
            },
            Self::Revoked => match event {
                Event::Confirmed | Event::Restored => refused(self, Token::CertificateRevoked),
                Event::Superseded | Event::Revoked => stays(self),
            },
        }
    }

    /// The word that a certificate entry has for it. A superseded one is never `expired`, so that its
    /// holder is still told to use the successor, nor is a revoked one.
    pub fn shown(self, validity: Validity) -> CertificateState {
        match (self, validity) {
            // Computed, never stored (STA-09, STA-10).
            (Self::Unconfirmed | Self::Current, Validity::Over) => CertificateState::Expired,
            (Self::Unconfirmed, Validity::NotYet | Validity::Within) => {
                CertificateState::Unconfirmed
            }
            (Self::Current, Validity::NotYet | Validity::Within) => CertificateState::Current,
            (Self::Superseded, Validity::NotYet | Validity::Within | Validity::Over) => {
                CertificateState::Superseded
            }
            (Self::Revoked, Validity::NotYet | Validity::Within | Validity::Over) => {
                CertificateState::Revoked
            }
        }
    }

    /// Whether a request may do `purpose` on the word of this certificate, or the token that refuses
    /// it (SPEC.md 5.7). A `confirm` is decided by its order first.
    pub fn admits(self, purpose: Use, validity: Validity) -> Result<(), Token> {
        if self.shown(validity) == CertificateState::Expired {
            return Err(Token::CertificateExpired);
        }
        self.permits(purpose)?;
        match validity {
            // What is still allowed to a superseded certificate ends with its validity, the remedy does not.
            Validity::Over if matches!(self, Self::Superseded) => Err(Token::CertificateSuperseded),
            Validity::NotYet => Err(Token::CertificateNotYetValid),
            Validity::Within => Ok(()),
            Validity::Over => Err(Token::CertificateExpired),
        }
    }

    fn permits(self, purpose: Use) -> Result<(), Token> {
        match self {
            Self::Unconfirmed => match purpose {
                Use::Logon | Use::Confirm | Use::RevokeItself | Use::Fetch => Ok(()),
                Use::RecoveryLogon => Err(Token::NotSuperseded),
                Use::Renewal => Err(Token::OrderNotCompleted),
            },
            Self::Current => match purpose {
                Use::Logon | Use::Renewal | Use::Confirm | Use::RevokeItself | Use::Fetch => Ok(()),
                Use::RecoveryLogon => Err(Token::NotSuperseded),
            },
            Self::Superseded => match purpose {
                Use::RecoveryLogon | Use::RevokeItself | Use::Fetch => Ok(()),
                Use::Logon | Use::Renewal | Use::Confirm => Err(Token::CertificateSuperseded),
            },
            Self::Revoked => match purpose {
                // Revoking is idempotent, for the one who repeats it for want of an answer.
                Use::RevokeItself => Ok(()),
                Use::Logon | Use::RecoveryLogon | Use::Renewal | Use::Confirm | Use::Fetch => {
                    Err(Token::CertificateRevoked)
                }
            },
        }
    }

    /// The word for this state, which does not look at the clock: see [`Certificate::shown`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
        }
    }

    /// Whether this is the one certificate that its subject works with.
    pub fn is_current(self) -> bool {
        matches!(self, Self::Current)
    }
}

fn revoked() -> Step<Certificate, Effect> {
    stepped(
        Certificate::Revoked,
        &[
            Effect::EndSessionsAsRevoked,
            Effect::TellReplacingOrderRevoked,
            Effect::TellOwnOrderRevoked,
        ],
    )
}
