//! Orders: renewals and enrollments (更新, SPEC.md 7.8 to 7.14, 10.1).

mod document;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    cert_id::CertId, chain::Chain, embedded_jws::EmbeddedJws, jwk::Thumbprint,
    key_store::KeyStoreName, problem::Problem, subject::SubjectId, time::Time,
    unverified_csr::UnverifiedCsr, url::Url,
};

/// Payload of `newOrder`: renew the session's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// The session's certificate.
    pub replaces: CertId,
    /// Where the client keeps the new key.
    pub key_store: KeyStoreName,
    /// Proof of the new key.
    pub csr: UnverifiedCsr,
}

/// Payload of `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The key of the order to be canceled.
    pub key: Thumbprint,
}

/// Payload of `confirm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Gives up the right to roll back at once; absent means no.
    #[serde(default, rename = "final", skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
}

/// Payload of `rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The key of the order to be rolled back.
    pub key: Thumbprint,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "document::Document", into = "document::Document")]
pub struct Order {
    /// The order's URL (`self`).
    pub url: Url,
    /// What it is for.
    pub kind: Kind,
    /// Whose it is.
    pub subject: SubjectId,
    /// Where the client keeps the new key.
    pub key_store: KeyStoreName,
    /// The key of the CSR.
    pub key: Thumbprint,
    /// When the bank accepted it.
    pub created: Time,
    /// How far it came, with what belongs to that.
    pub status: Status,
}

/// What an order is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A certificate in place of one that is still valid.
    Renewal {
        /// The predecessor.
        replaces: CertId,
    },
    /// A certificate by an enrollment code.
    Enrollment,
}

/// How far an order came (SPEC.md 10.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Accepted; the certificate is not issued yet.
    Processing {
        /// Where to cancel, while that is possible.
        cancel: Option<Url>,
    },
    /// Issued, not confirmed.
    Valid {
        /// The new certificate.
        issued: Issued,
        /// Where to cancel, while that is possible.
        cancel: Option<Url>,
    },
    /// Confirmed: the new certificate counts.
    Completed {
        /// The new certificate.
        issued: Issued,
        /// The right to take the renewal back, while it exists.
        rollback: Option<RollbackRight>,
        /// The bank's evidence.
        receipt: EmbeddedJws,
    },
    /// Canceled before it was completed; the predecessor counts.
    Canceled {
        /// The bank's evidence.
        receipt: EmbeddedJws,
    },
    /// Ended without a certificate that counts.
    Invalid {
        /// Why.
        error: Box<Problem>,
        /// The bank's evidence.
        receipt: EmbeddedJws,
    },
    /// Taken back after it was completed; the predecessor counts again.
    RolledBack {
        /// The certificate that was taken back.
        cert_id: CertId,
        /// The bank's evidence.
        receipt: EmbeddedJws,
    },
}

impl Status {
    /// The word of `status`.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Processing { .. } => StatusName::Processing,
            Self::Valid { .. } => StatusName::Valid,
            Self::Completed { .. } => StatusName::Completed,
            Self::Canceled { .. } => StatusName::Canceled,
            Self::Invalid { .. } => StatusName::Invalid,
            Self::RolledBack { .. } => StatusName::RolledBack,
        }
    }
}

/// The certificate of an order that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its name.
    pub cert_id: CertId,
    /// Where to fetch it.
    pub certificate: Url,
    /// The certificate, then its issuers without the root.
    pub chain: Chain,
    /// Where to confirm it.
    pub confirm: Url,
}

/// The right to take a completed renewal back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackRight {
    /// Where.
    pub url: Url,
    /// Last second in which the right exists.
    pub until: Time,
}

/// The words of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusName {
    /// See [`Status::Processing`].
    Processing,
    /// See [`Status::Valid`].
    Valid,
    /// See [`Status::Completed`].
    Completed,
    /// See [`Status::Canceled`].
    Canceled,
    /// See [`Status::Invalid`].
    Invalid,
    /// See [`Status::RolledBack`].
    RolledBack,
}

impl StatusName {
    /// Every word.
    pub const ALL: [Self; 6] = [
        Self::Processing,
        Self::Valid,
        Self::Completed,
        Self::Canceled,
        Self::Invalid,
        Self::RolledBack,
    ];

    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
            Self::Invalid => "invalid",
            Self::RolledBack => "rolledBack",
        }
    }

    /// Whether an order of this status is open: the subject may have no other one.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Processing | Self::Valid => true,
            Self::Completed | Self::Canceled | Self::Invalid | Self::RolledBack => false,
        }
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is no status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a status of an order")]
pub struct UnknownStatus;

impl FromStr for StatusName {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}
