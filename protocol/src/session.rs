//! Logging on, and what a session says (ログオン, SPEC.md 7.4, 9).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    certificate_entry::CertificateEntry, environment::Environment, json, notice::Notice, pin::Pin,
    subject::Subject, time::Time, url::Url,
};

/// Payload of `newSession`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// The subject's PIN, where the bank asks for it.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// What the client runs on.
    pub environment: Environment,
    /// What the logon is for.
    pub purpose: Purpose,
}

/// What a session may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Everything but taking a renewal back.
    Renewal,
    /// Taking back the renewal of the superseded certificate that logs on, and nothing else.
    Recovery,
}

impl Purpose {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Recovery => "recovery",
        }
    }
}

/// A session; its URL is the response's `Location` and the `kid` of its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Session {
    /// Who logged on.
    pub subject: Subject,
    /// The certificate that logged on.
    pub certificate: CertificateEntry,
    /// What the session may do.
    pub access: Access,
    /// That the certificate will expire soon.
    pub notice: Option<Notice>,
    /// The subject's open order.
    pub order: Option<Url>,
    /// Where to log off.
    pub logoff: Url,
    /// Last second of the session if no further request comes.
    pub expires: Time,
}

impl Session {
    /// What the logon was for.
    pub const fn purpose(&self) -> Purpose {
        match self.access {
            Access::Renewal { .. } => Purpose::Renewal,
            Access::Recovery { .. } => Purpose::Recovery,
        }
    }
}

/// What a session's purpose gives access to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Purpose `renewal`.
    Renewal {
        /// The status page.
        contract: Url,
    },
    /// Purpose `recovery`.
    Recovery {
        /// `rollback` of the order that superseded the certificate.
        rollback: Url,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    subject: Subject,
    certificate: CertificateEntry,
    purpose: Purpose,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    notice: Option<Notice>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    order: Option<Url>,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    contract: Option<Url>,
    logoff: Url,
    expires: Time,
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    rollback: Option<Url>,
}

/// The members do not fit the session's purpose.
#[derive(Debug, Error)]
enum InvalidSession {
    #[error("a session with purpose renewal has contract and no rollback")]
    Renewal,
    #[error("a session with purpose recovery has rollback and no contract")]
    Recovery,
}

impl TryFrom<Document> for Session {
    type Error = InvalidSession;

    fn try_from(document: Document) -> Result<Self, InvalidSession> {
        let access = match (document.purpose, document.contract, document.rollback) {
            (Purpose::Renewal, Some(contract), None) => Access::Renewal { contract },
            (Purpose::Recovery, None, Some(rollback)) => Access::Recovery { rollback },
            (Purpose::Renewal, ..) => return Err(InvalidSession::Renewal),
            (Purpose::Recovery, ..) => return Err(InvalidSession::Recovery),
        };
        let Document { subject, certificate, notice, order, logoff, expires, .. } = document;
        Ok(Self { subject, certificate, access, notice, order, logoff, expires })
    }
}

impl From<Session> for Document {
    fn from(session: Session) -> Self {
        let purpose = session.purpose();
        let (contract, rollback) = match session.access {
            Access::Renewal { contract } => (Some(contract), None),
            Access::Recovery { rollback } => (None, Some(rollback)),
        };
        Self {
            subject: session.subject,
            certificate: session.certificate,
            purpose,
            notice: session.notice,
            order: session.order,
            contract,
            logoff: session.logoff,
            expires: session.expires,
            rollback,
        }
    }
}
