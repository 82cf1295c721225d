//! Reissue (再発行（初期化）): permission to enroll anew (SPEC.md 7.15, 7.16, 10.4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    base64url, json,
    jwk::PublicKey,
    revocation::Reason,
    subject::{SubjectId, SubjectName},
    text::serde_as_text,
    time::Time,
    url::Url,
};

/// A reissue's name: 16 random bytes, chosen by whoever asks for it. Its text is the salt of the
/// enrollment key's derivation (SPEC.md 13.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReissueId([u8; 16]);

/// The text names no reissue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a reissue's id: 16 bytes in base64url")]
pub struct InvalidReissueId;

impl ReissueId {
    /// The id of these random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The random bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for ReissueId {
    type Err = InvalidReissueId;

    fn from_str(text: &str) -> Result<Self, InvalidReissueId> {
        if text.len() != 22 {
            return Err(InvalidReissueId);
        }
        let bytes = base64url::decode(text).map_err(|_| InvalidReissueId)?;
        bytes.try_into().map(Self).map_err(|_| InvalidReissueId)
    }
}

impl fmt::Display for ReissueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url::encode(&self.0))
    }
}

serde_as_text!(ReissueId);

/// Payload of `newReissue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReissue {
    /// The name that the client chose.
    pub id: ReissueId,
    /// The user.
    pub subject: SubjectId,
    /// Its name, so that a mixed-up id is noticed.
    pub subject_name: SubjectName,
    /// Why.
    pub reason: Reason,
    /// The public key that the enrollment code yields; the code itself never travels.
    pub enrollment_key: PublicKey,
}

/// A reissue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Reissue {
    /// Its name.
    pub id: ReissueId,
    /// The user.
    pub subject: SubjectId,
    /// Its name.
    pub subject_name: SubjectName,
    /// Why.
    pub reason: Reason,
    /// When it was asked for.
    pub created: Time,
    /// Last second in which the code may be redeemed.
    pub expires: Time,
    /// How far it came, with what belongs to that.
    pub status: Status,
}

/// How far a reissue came (SPEC.md 10.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The code was not used yet.
    Pending {
        /// Where to cancel it.
        cancel: Url,
    },
    /// The code was used; its order is open.
    Redeemed {
        /// Where to cancel it.
        cancel: Url,
        /// The enrollment order.
        order: Url,
    },
    /// The enrollment order is completed.
    Completed {
        /// The enrollment order.
        order: Url,
    },
    /// The enrollment order became invalid.
    Failed {
        /// The enrollment order.
        order: Url,
    },
    /// Canceled.
    Canceled {
        /// The enrollment order, if the code was used before.
        order: Option<Url>,
    },
    /// A newer code took its place.
    Voided {
        /// The enrollment order, if the code was used before.
        order: Option<Url>,
    },
    /// Nobody used the code in time.
    Expired,
}

impl Status {
    /// The word of `status`.
    pub const fn name(&self) -> StatusName {
        match self {
            Self::Pending { .. } => StatusName::Pending,
            Self::Redeemed { .. } => StatusName::Redeemed,
            Self::Completed { .. } => StatusName::Completed,
            Self::Failed { .. } => StatusName::Failed,
            Self::Canceled { .. } => StatusName::Canceled,
            Self::Voided { .. } => StatusName::Voided,
            Self::Expired => StatusName::Expired,
        }
    }
}

/// The words of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusName {
    /// See [`Status::Pending`].
    Pending,
    /// See [`Status::Redeemed`].
    Redeemed,
    /// See [`Status::Completed`].
    Completed,
    /// See [`Status::Failed`].
    Failed,
    /// See [`Status::Canceled`].
    Canceled,
    /// See [`Status::Voided`].
    Voided,
    /// See [`Status::Expired`].
    Expired,
}

impl StatusName {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Redeemed => "redeemed",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Voided => "voided",
            Self::Expired => "expired",
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: ReissueId,
    status: StatusName,
    subject: SubjectId,
    subject_name: SubjectName,
    reason: Reason,
    created: Time,
    expires: Time,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    cancel: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    order: Option<Url>,
}

/// `cancel` or `order` do not fit the status.
#[derive(Debug, Error)]
#[error("a reissue that is {} has not just these of cancel and order", .0.as_str())]
struct InvalidReissue(StatusName);

impl TryFrom<Document> for Reissue {
    type Error = InvalidReissue;

    fn try_from(document: Document) -> Result<Self, InvalidReissue> {
        let status = match (document.status, document.cancel, document.order) {
            (StatusName::Pending, Some(cancel), None) => Status::Pending { cancel },
            (StatusName::Redeemed, Some(cancel), Some(order)) => Status::Redeemed { cancel, order },
            (StatusName::Completed, None, Some(order)) => Status::Completed { order },
            (StatusName::Failed, None, Some(order)) => Status::Failed { order },
            (StatusName::Canceled, None, order) => Status::Canceled { order },
            (StatusName::Voided, None, order) => Status::Voided { order },
            (StatusName::Expired, None, None) => Status::Expired,
            (
                StatusName::Pending
                | StatusName::Redeemed
                | StatusName::Completed
                | StatusName::Failed
                | StatusName::Canceled
                | StatusName::Voided
                | StatusName::Expired,
                ..,
            ) => return Err(InvalidReissue(document.status)),
        };
        let Document { id, subject, subject_name, reason, created, expires, .. } = document;
        Ok(Self { id, subject, subject_name, reason, created, expires, status })
    }
}

impl From<Reissue> for Document {
    fn from(reissue: Reissue) -> Self {
        let status = reissue.status.name();
        let (cancel, order) = match reissue.status {
            Status::Pending { cancel } => (Some(cancel), None),
            Status::Redeemed { cancel, order } => (Some(cancel), Some(order)),
            Status::Completed { order } | Status::Failed { order } => (None, Some(order)),
            Status::Canceled { order } | Status::Voided { order } => (None, order),
            Status::Expired => (None, None),
        };
        Self {
            id: reissue.id,
            status,
            subject: reissue.subject,
            subject_name: reissue.subject_name,
            reason: reissue.reason,
            created: reissue.created,
            expires: reissue.expires,
            cancel,
            order,
        }
    }
}
