//! Why a certificate is revoked, in the audit's word and in a CRL's code.

use serde::{Deserialize, Serialize};

use crate::rule::row::Reason;

/// Why a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// Somebody asked for it.
    Asked(Reason),
    /// The subject got a new one.
    Reissued(Reason),
    /// Its order was canceled, rolled back or became invalid.
    OrderEnded,
    /// It came after its order had ended.
    Late,
}

impl Cause {
    /// The word for it in the registry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked(reason) | Self::Reissued(reason) => reason.as_str(),
            Self::OrderEnded => "orderEnded",
            Self::Late => "late",
        }
    }

    /// Its `CRLReason` (RFC 5280 5.3.1); `None` for unspecified, which is left out (CRL-06).
    pub fn crl_reason(self) -> Option<u8> {
        match self {
            Self::Asked(reason) | Self::Reissued(reason) => reason.crl_code(),
            Self::OrderEnded | Self::Late => Some(5),
        }
    }
}
