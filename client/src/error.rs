//! What can go wrong, and what to do about it: every error says who acts next ([`Error::class`], [`Error::remedy`]).

use std::fmt;
use std::time::Duration;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::json::JsonError;
use koshin_protocol::operation::Operation;
use koshin_protocol::order::StatusName;
use koshin_protocol::problem::{Problem, Token};
use koshin_protocol::receipt::ReceiptError;
use koshin_protocol::remedy::{Action, Remedy};
use koshin_protocol::sign::SignError;
use koshin_protocol::ticket::InvalidTicket;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use serde::{Deserialize, Serialize};

use crate::contract::ContractFault;
use crate::identity::IdentityError;
use crate::transport::{Distrust, HttpsError, TransportError};

/// Why something could not be done. Whatever it is: the identity's folder says how far it came, and the same call may be
/// made again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bank refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There was no answer, or none that could be read: the bank may have acted or not (SPEC.md 12.4).
    #[error("{asked}: {cause}")]
    NoAnswer {
        /// What was asked.
        asked: Asked,
        /// What came instead.
        cause: NoAnswer,
        /// How long the bank wants it left alone, where it said so.
        retry_after: Option<Duration>,
    },
    /// Whoever answers cannot prove that it is the bank, and was sent nothing.
    #[error("whoever answers cannot prove that it is the bank, and was sent nothing: {0}; {remedy}", remedy = .0.remedy())]
    Untrusted(Distrust),
    /// The bank speaks another version of the protocol, or its directory contradicts itself.
    #[error("the bank's directory cannot be used: {0}")]
    Directory(String),
    /// The bank, or somebody who poses as it, wants a request signed that goes elsewhere (URL-02).
    #[error("the bank gave a URL that is not below {base}: {url}; nothing was sent there")]
    ForeignUrl {
        /// Where requests may go.
        base: String,
        /// Where this one should have gone.
        url: Url,
    },
    /// The bank's profile does not have this (SPEC.md 15.3).
    #[error("this bank offers no {what}")]
    NotOffered {
        /// What it does not have.
        what: &'static str,
    },
    /// The key's algorithm is not one of the bank's (ALG-06).
    #[error("the bank does not take signatures of the algorithm {0}")]
    Algorithm(Algorithm),
    /// The key would not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The bank wants to be left alone for longer than this run is willing to wait.
    #[error("the bank asks to come back in {} seconds", .0.as_secs())]
    ComeBack(Duration),
    /// The order is still being processed.
    #[error("the certificate is not issued yet; resume later")]
    StillProcessing {
        /// The order.
        order: Url,
    },
    /// The session is another certificate's or subject's than the one that logged on (SES-09).
    #[error("the bank answered the logon with somebody else's session")]
    OtherSubject,
    /// An answer about this client's order has another key, or is otherwise not about it (SPEC.md 4.6).
    #[error("the bank answered with another order than the one asked for")]
    OtherOrder,
    /// The pages of the contract contradict each other, or have no end (SPEC.md 7.7).
    #[error("the bank's contract cannot be used: {0}")]
    Contract(#[from] ContractFault),
    /// The receipt proves nothing (SPEC.md 6.7).
    #[error("the bank's receipt is not to be relied on: {0}")]
    Receipt(#[from] ReceiptFault),
    /// The bank certified for no longer than the certificate that is to be replaced (CLI-62).
    #[error("the new certificate ends at {found}, not later than the one that it replaces")]
    NotLonger {
        /// Its last second.
        found: Time,
    },
    /// The window is not open by any account.
    #[error("the renewal opens at {opens}")]
    TooEarly {
        /// The first second.
        opens: Time,
    },
    /// Somebody else's renewal of the same certificate is open (CLI-53).
    #[error(
        "another program began to renew this certificate at {created}; let it finish, or start over; \
         it counts as abandoned from {abandoned} on"
    )]
    ForeignOrder {
        /// The order.
        order: Url,
        /// When it was begun.
        created: Time,
        /// From when on it is canceled without being asked.
        abandoned: Time,
    },
    /// The certificate was renewed elsewhere (CLI-72).
    #[error("this certificate was renewed elsewhere; use the new one there, {successor}")]
    RenewedElsewhere {
        /// The certificate that counts.
        successor: CertId,
        /// What the bank said.
        refusal: Refusal,
    },
    /// The order came to an end without a certificate.
    #[error("the order ended as {}{}", status.as_str(), Because(problem.as_deref()))]
    OrderEnded {
        /// How.
        status: StatusName,
        /// Why, if the bank said so.
        problem: Option<Box<Problem>>,
    },
    /// There is no pair of key and certificate here.
    #[error("there is no certificate here; import one, or enroll with a ticket")]
    NoPair,
    /// The certificate was not found among those here.
    #[error("the certificate {0} is not here")]
    NoSuchPair(CertId),
    /// There is nothing to do it with.
    #[error("there is no {what}")]
    Nothing {
        /// What is not there.
        what: &'static str,
    },
    /// The user did not agree.
    #[error("{0}")]
    Declined(Declined),
    /// The ticket is not one, or not for this bank.
    #[error("the ticket cannot be used: {0}")]
    Ticket(#[from] InvalidTicket),
    /// The ticket is another bank's than the one that this identity was set up for.
    #[error("the ticket is for the bank at {ticket}, and this identity for {configured}")]
    OtherBank {
        /// The ticket's directory.
        ticket: Url,
        /// The identity's.
        configured: Url,
    },
    /// The identity's files.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// HTTPS cannot be set up.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// A value that the configuration or the caller gave cannot be sent.
    #[error("{0}")]
    Invalid(String),
}

/// A refusal of the bank, with everything it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked.
    pub asked: Asked,
    /// What the bank said.
    pub problem: Box<Problem>,
    /// How long it wants to be left alone, where it said so.
    pub retry_after: Option<Duration>,
}

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The directory.
    Directory,
    /// A nonce.
    Nonce,
    /// When to renew.
    RenewalInfo,
    /// A signed request.
    Signed(Operation),
}

/// What came in place of an answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing, or a part.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A document that breaks section 4 of SPEC.md.
    #[error("the answer cannot be read: {0}")]
    Json(#[from] JsonError),
    /// A header that must be there is not, or cannot be read.
    #[error("the answer has no usable `{0}` header")]
    Header(&'static str),
    /// A status that is neither success nor a problem document.
    #[error("the bank answered with HTTP status {0} and no explanation")]
    Status(u16),
    /// Certificates that are none.
    #[error("the answer has a certificate that cannot be read")]
    Certificate,
}

/// What is wrong with a receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    /// It does not verify.
    #[error(transparent)]
    Unverified(#[from] ReceiptError),
    /// It is that of another order, key, subject or status (RCP-05).
    #[error("it is not this order's")]
    Other,
}

/// What the user did not agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The new key.
    MakeKey,
    /// The switch to the new certificate.
    Install,
    /// The ticket's bank and name.
    Enroll,
}

/// Who acts next; also the exit code of programs (SPEC.md annex B.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// The same again later may succeed.
    RetryLater,
    /// Somebody does something first: logs on, corrects, unlocks, updates.
    Act,
    /// Only a reissue helps.
    Reissue,
    /// A fault of this software, or of how it is used.
    Fault,
}

impl Class {
    /// The exit code of a program that ends so.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Fault => 1,
            Self::RetryLater => 10,
            Self::Act => 11,
            Self::Reissue => 12,
        }
    }
}

impl Error {
    /// Who acts next.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Untrusted(_)
            | Self::RenewedElsewhere { .. }
            | Self::ForeignOrder { .. }
            | Self::NoPair
            | Self::NoSuchPair(_)
            | Self::Nothing { .. }
            | Self::Declined(_)
            | Self::Ticket(_)
            | Self::OtherBank { .. }
            | Self::NotOffered { .. }
            | Self::Algorithm(_)
            | Self::Directory(_)
            | Self::ForeignUrl { .. }
            | Self::OtherSubject
            | Self::Contract(_)
            | Self::Https(_)
            | Self::Invalid(_) => Class::Act,
            Self::NoAnswer { cause: NoAnswer::Status(status), .. } => {
                match Action::by_status(*status) {
                    Action::Stop => Class::Act,
                    _ => Class::RetryLater,
                }
            }
            Self::NoAnswer { .. }
            | Self::ComeBack(_)
            | Self::StillProcessing { .. }
            | Self::TooEarly { .. }
            | Self::OtherOrder
            | Self::Receipt(_)
            | Self::NotLonger { .. } => Class::RetryLater,
            Self::OrderEnded { problem, .. } => {
                problem.as_ref().map_or(Class::Act, |problem| class_of(problem))
            }
            Self::Identity(error) => class_of_identity(error),
            Self::Sign(_) => Class::Fault,
        }
    }

    /// What the bank said about what to do, if it said anything.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.problem().map(|problem| &problem.remedy)
    }

    /// The bank's problem document, if this came of one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(refusal) | Self::RenewedElsewhere { refusal, .. } => {
                Some(&refusal.problem)
            }
            Self::OrderEnded { problem, .. } => problem.as_deref(),
            _ => None,
        }
    }

    /// The token of the bank's refusal, if it refused with one that is known here.
    pub fn token(&self) -> Option<Token> {
        match self {
            Self::Refused(refusal) => refusal.problem.token(),
            _ => None,
        }
    }

    /// When the same may be tried again, as far as is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal { retry_after, .. }) | Self::NoAnswer { retry_after, .. } => {
                *retry_after
            }
            Self::ComeBack(wait) => Some(*wait),
            _ => None,
        }
    }
}

impl Refusal {
    /// Who acts next.
    pub fn class(&self) -> Class {
        class_of(&self.problem)
    }
}

fn class_of(problem: &Problem) -> Class {
    match problem.remedy.action {
        Action::Retry | Action::Wait => Class::RetryLater,
        Action::ReissueByAdministrator | Action::ReissueAtBranch => Class::Reissue,
        Action::Correct if is_our_fault(problem.token()) => Class::Fault,
        Action::Correct
        | Action::Logon
        | Action::ResumeOrder
        | Action::UseSuccessor
        | Action::UsePredecessor
        | Action::UnlockByAdministrator
        | Action::UnlockAtBranch
        | Action::UpdateEnvironment
        | Action::Stop => Class::Act,
    }
}

/// Requests that a correct client never sends.
fn is_our_fault(token: Option<Token>) -> bool {
    matches!(
        token,
        Some(
            Token::Malformed
                | Token::UnsupportedMediaType
                | Token::PayloadTooLarge
                | Token::MethodNotAllowed
                | Token::BadPublicKey
        )
    )
}

fn class_of_identity(error: &IdentityError) -> Class {
    match error {
        IdentityError::Locked { .. } | IdentityError::Mismatch(_) => Class::RetryLater,
        IdentityError::Sign(_) => Class::Fault,
        IdentityError::File(_)
        | IdentityError::KeyStore(_)
        | IdentityError::Journal(_)
        | IdentityError::Exists { .. }
        | IdentityError::Settings { .. }
        | IdentityError::OtherKeyStore { .. }
        | IdentityError::Damaged { .. }
        | IdentityError::Export(_)
        | IdentityError::NoSuchPair { .. } => Class::Act,
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.problem.to_string()))
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str("directory"),
            Self::Nonce => f.write_str("nonce"),
            Self::RenewalInfo => f.write_str("renewalInfo"),
            Self::Signed(operation) => fmt::Display::fmt(operation, f),
        }
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MakeKey => "no consent to a new key; nothing was changed",
            Self::Install => {
                "no consent to the new certificate; the old one stays in use, resume or cancel the renewal"
            }
            Self::Enroll => "no consent to the ticket; nothing was sent",
        })
    }
}

/// The reason of an end, if there is one.
struct Because<'a>(Option<&'a Problem>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(problem) => write!(f, ": {}", printable(&problem.to_string())),
            None => Ok(()),
        }
    }
}

/// Text of the bank without what would move a terminal's cursor or forge a line of a log (ERR-11).
pub fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}
