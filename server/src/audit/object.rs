//! What the audit tells of: kinds of objects, by the words that records have for them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of object whose changes are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Object {
    /// A contract, by its id.
    Contract,
    /// A subject with its PIN, by its id.
    Subject,
    /// A certificate, by its certID.
    Certificate,
    /// An order, by its id.
    Order,
    /// A session, by its id.
    Session,
    /// A reissue, by its id.
    Reissue,
    /// An operator's request for a reissue, by its id.
    Request,
    /// An operator, by name.
    Operator,
    /// An entry of the CRL, by the certID of its certificate.
    Revocation,
    /// The CRL that is handed out, by its issuer's key identifier.
    Crl,
}

impl Object {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Contract,
        Self::Subject,
        Self::Certificate,
        Self::Order,
        Self::Session,
        Self::Reissue,
        Self::Request,
        Self::Operator,
        Self::Revocation,
        Self::Crl,
    ];

    /// The word for it, in records too.
    pub fn word(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Subject => "subject",
            Self::Certificate => "certificate",
            Self::Order => "order",
            Self::Session => "session",
            Self::Reissue => "reissue",
            Self::Request => "request",
            Self::Operator => "operator",
            Self::Revocation => "revocation",
            Self::Crl => "crl",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
