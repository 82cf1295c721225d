//! What a bank says about a certificate in a session or contract (SPEC.md 7.4, 10.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{cert_id::CertId, json, key_store::KeyStoreName, time::Time};

/// A `certificate entry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateEntry {
    /// Which certificate.
    #[serde(rename = "certID")]
    pub cert_id: CertId,
    /// First second of its validity.
    pub not_before: Time,
    /// Last second of its validity.
    pub not_after: Time,
    /// Whether it counts.
    pub state: CertificateState,
    /// The certificate that superseded it, where the bank tells.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub successor: Option<CertId>,
    /// Where its key is kept, where the bank tells.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub key_store: Option<KeyStoreName>,
}

/// A certificate's state (SPEC.md 10.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateState {
    /// Issued, its order not completed.
    Unconfirmed,
    /// The subject's certificate.
    Current,
    /// Replaced by its successor.
    Superseded,
    /// Revoked, for good.
    Revoked,
    /// Past its `notAfter`.
    Expired,
}

impl CertificateState {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Current => "current",
            Self::Superseded => "superseded",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for CertificateState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
