//! Revoking a certificate (失効, SPEC.md 7.20).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cert_id::CertId;

/// Why a certificate is revoked or reissued (SPEC.md 7.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// Somebody else has or may have the key.
    KeyCompromise,
    /// The device with the key is gone.
    DeviceLost,
    /// The key is gone, by deletion for example, and nobody else has it.
    KeyLost,
    /// The person left or changed.
    AffiliationChanged,
    /// The certificate is not needed any more.
    CessationOfOperation,
    /// Nothing said.
    Unspecified,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::KeyCompromise,
        Self::DeviceLost,
        Self::KeyLost,
        Self::AffiliationChanged,
        Self::CessationOfOperation,
        Self::Unspecified,
    ];

    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyCompromise => "keyCompromise",
            Self::DeviceLost => "deviceLost",
            Self::KeyLost => "keyLost",
            Self::AffiliationChanged => "affiliationChanged",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::Unspecified => "unspecified",
        }
    }

    /// The CRL's reason code (RFC 5280 5.3.1); `None`: the entry has no reason.
    pub const fn crl_code(self) -> Option<u8> {
        match self {
            Self::KeyCompromise | Self::DeviceLost => Some(1),
            Self::AffiliationChanged => Some(3),
            Self::CessationOfOperation => Some(5),
            Self::KeyLost | Self::Unspecified => None,
        }
    }

    /// Whether somebody else may have the key, so that a reissue revokes at once and does not wait
    /// for the enrollment (SPEC.md 13.1).
    pub const fn revokes_at_once(self) -> bool {
        match self {
            Self::KeyCompromise | Self::DeviceLost => true,
            Self::KeyLost
            | Self::AffiliationChanged
            | Self::CessationOfOperation
            | Self::Unspecified => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Payload of `revokeCert`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeCert {
    /// Which certificate.
    #[serde(rename = "certID")]
    pub cert_id: CertId,
    /// Why.
    pub reason: Reason,
    /// Also every certificate that descends from it; for administrators only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_successors: bool,
}

/// The answer to `revokeCert`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The certificates that the request covered and that are revoked now.
    pub revoked: Vec<CertId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_written_as_its_word() {
        for reason in Reason::ALL {
            let json = serde_json::to_string(&reason).expect("a reason is a string");
            assert_eq!(json, format!("\"{reason}\""));
        }
    }

    #[test]
    fn including_successors_is_written_only_when_asked_for() {
        let cert_id: CertId = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".parse().expect("RFC 9773");
        let mut payload =
            RevokeCert { cert_id, reason: Reason::KeyLost, include_successors: false };
        let json = serde_json::to_string(&payload).expect("an object");
        assert!(!json.contains("includeSuccessors"), "{json}");
        payload.include_successors = true;
        let json = serde_json::to_string(&payload).expect("an object");
        assert!(json.contains(r#""includeSuccessors":true"#), "{json}");
    }
}
