//! Why a rule refuses, with what a problem document says about it.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::problem::Token;
use koshin_protocol::time::Time;

use super::row::Role;
use crate::id::OrderId;

/// A transition that the rules forbid. Nothing was changed.
///
/// Each is told to the requester as the problem of its [`Refused::token`] (SPEC.md, Errors).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// What the request names does not exist, or belongs to somebody else.
    NotFound,
    /// The session ended, was never there or is somebody else's.
    SessionEnded,
    /// The session's purpose does not allow this.
    SessionPurpose,
    /// The role or the principal may not do this.
    NotAuthorized,
    /// The bank has no such certificate.
    CertificateUnknown,
    /// The certificate is not valid yet.
    CertificateNotYetValid {
        /// From when on it is.
        not_before: Time,
    },
    /// The certificate's notAfter has passed.
    CertificateExpired {
        /// Of its subject: decides who reissues.
        role: Role,
    },
    /// The certificate is revoked.
    CertificateRevoked {
        /// Of its subject: decides who reissues.
        role: Role,
        /// The current certificate to go back to, where a cancel or a rollback revoked this one.
        predecessor: Option<CertId>,
    },
    /// The certificate was replaced.
    CertificateSuperseded {
        /// By this one.
        successor: Option<CertId>,
    },
    /// A recovery logon by a certificate that was not replaced.
    NotSuperseded,
    /// The bank disabled the subject.
    SubjectDisabled,
    /// Too many wrong PINs.
    PinLocked {
        /// Of the subject: decides who unlocks.
        role: Role,
    },
    /// The PIN changed while it was being verified.
    PinWrong {
        /// How many attempts are left.
        left: u32,
    },
    /// The renewal window is not open yet.
    TooEarly {
        /// When it opens.
        opens: Time,
    },
    /// Another order is open for this certificate.
    OrderExists {
        /// That order.
        order: OrderId,
        /// The thumbprint of its key.
        key: Thumbprint,
    },
    /// The order names a certificate that is not the session's.
    ReplacesMismatch,
    /// Some certificate or order already has this key.
    KeyReused,
    /// The request names another key than the order's.
    KeyMismatch {
        /// The order.
        order: OrderId,
        /// The thumbprint of its key.
        key: Thumbprint,
    },
    /// The order's state machine refused (SPEC.md, States).
    Order(OrderRefused),
    /// There is nothing to defer.
    DeferralRefused {
        /// The open order to go on with, if that is why.
        order: Option<OrderId>,
    },
    /// No such subject among those the requester may act on.
    SubjectUnknown,
    /// The subject has another name.
    SubjectMismatch,
    /// The requester may not reissue for this subject.
    ReissueNotAllowed,
    /// The reissue's id was used with other content.
    ReissueConflict,
    /// The reissue has ended.
    ReissueClosed,
    /// No such reissue, or not its code.
    EnrollmentRefused {
        /// Of the subject, if known: decides who reissues.
        role: Role,
    },
    /// The code was redeemed with another key.
    EnrollmentUsed {
        /// Of the subject: decides who reissues.
        role: Role,
    },
    /// The code's time is over.
    EnrollmentExpired {
        /// Of the subject: decides who reissues.
        role: Role,
    },
    /// The reissue was canceled, or a newer code replaced this one.
    EnrollmentCanceled {
        /// Of the subject: decides who reissues.
        role: Role,
    },
    /// An operator's wish that the rules forbid. Never sent over the wire.
    Operator(OperatorRefused),
}

/// The refusal of an order's state machine, and the certificates to go on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRefused {
    /// Which refusal.
    pub token: Token,
    /// The order.
    pub order: OrderId,
    /// The thumbprint of its key.
    pub key: Thumbprint,
    /// The certificate that it yielded.
    pub successor: Option<CertId>,
    /// The certificate that it replaces.
    pub predecessor: Option<CertId>,
}

/// What the bank's own commands are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorRefused {
    /// No enabled operator has this name.
    #[error("no enabled operator has this name")]
    Unknown,
    /// The name is taken, perhaps by a disabled operator.
    #[error("this name was already given to an operator")]
    NameTaken,
    /// Only the very first operator is added by nobody.
    #[error("there are operators already: one of them adds the next")]
    NotTheFirst,
    /// Nobody would be left to add another one.
    #[error("the last operator cannot be disabled: add another one first")]
    LastOne,
    /// Maker and checker are the same person.
    #[error("who requested a reissue cannot approve it: another operator has to")]
    SamePerson,
    /// The request was approved already.
    #[error("this request was already approved")]
    AlreadyApproved,
    /// The contract does not exist.
    #[error("no such contract")]
    ContractUnknown,
    /// The contract's id or the subject's id or name exists with other content.
    #[error("this id or name exists already, with other content")]
    Conflict,
}

impl Refused {
    /// The problem token; `None` for what only operators are told.
    pub fn token(&self) -> Option<Token> {
        Some(match self {
            Self::NotFound => Token::NotFound,
            Self::SessionEnded => Token::SessionEnded,
            Self::SessionPurpose => Token::SessionPurpose,
            Self::NotAuthorized => Token::NotAuthorized,
            Self::CertificateUnknown => Token::CertificateUnknown,
            Self::CertificateNotYetValid { .. } => Token::CertificateNotYetValid,
            Self::CertificateExpired { .. } => Token::CertificateExpired,
            Self::CertificateRevoked { .. } => Token::CertificateRevoked,
            Self::CertificateSuperseded { .. } => Token::CertificateSuperseded,
            Self::NotSuperseded => Token::NotSuperseded,
            Self::SubjectDisabled => Token::SubjectDisabled,
            Self::PinLocked { .. } => Token::PinLocked,
            Self::PinWrong { .. } => Token::PinWrong,
            Self::TooEarly { .. } => Token::TooEarly,
            Self::OrderExists { .. } => Token::OrderExists,
            Self::ReplacesMismatch => Token::ReplacesMismatch,
            Self::KeyReused => Token::KeyReused,
            Self::KeyMismatch { .. } => Token::KeyMismatch,
            Self::Order(refused) => refused.token,
            Self::DeferralRefused { .. } => Token::DeferralRefused,
            Self::SubjectUnknown => Token::SubjectUnknown,
            Self::SubjectMismatch => Token::SubjectMismatch,
            Self::ReissueNotAllowed => Token::ReissueNotAllowed,
            Self::ReissueConflict => Token::ReissueConflict,
            Self::ReissueClosed => Token::ReissueClosed,
            Self::EnrollmentRefused { .. } => Token::EnrollmentRefused,
            Self::EnrollmentUsed { .. } => Token::EnrollmentUsed,
            Self::EnrollmentExpired { .. } => Token::EnrollmentExpired,
            Self::EnrollmentCanceled { .. } => Token::EnrollmentCanceled,
            Self::Operator(_) => return None,
        })
    }
}

/// Why a rule made no decision that could be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The rules forbid it.
    Refused(Box<Refused>),
    /// What is asked for stands in a chapter of the subject: unfold it and judge again.
    Chapter,
    /// The registry holds what it must not hold.
    Corrupt(String),
}

impl Failure {
    /// The registry holds what it must not hold.
    pub(super) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}
