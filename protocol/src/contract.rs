//! The status page of a contract corporation (契約法人, SPEC.md 7.7).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    certificate_entry::CertificateEntry,
    json,
    subject::{InvalidId, Role, SubjectId, SubjectName, is_identifier},
    text::serde_as_text,
    url::Url,
};

/// The bank's name for a contract: 1 to 64 characters from `A-Z a-z 0-9 - _ .` (SPEC.md 4.8).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContractId(String);

impl ContractId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContractId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_identifier(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(ContractId);

/// The most certificates of a subject that a contract lists (CTR-03).
pub const MAX_CERTIFICATES: u32 = 20;

/// A page of a contract as one of its subjects sees it: a user sees itself, an administrator everybody, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// Its identity.
    pub id: ContractId,
    /// The corporation's name.
    pub name: String,
    /// Who the reader may see; never empty, since it sees itself.
    #[serde(deserialize_with = "at_least_one")]
    pub subjects: Vec<SubjectEntry>,
    /// The next page, while more subjects follow.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub next: Option<Url>,
}

/// A `subject entry` of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubjectEntry {
    /// Its identity.
    pub id: SubjectId,
    /// The name in its certificates.
    pub name: SubjectName,
    /// Its role in the contract.
    pub role: Role,
    /// Whether it has a PIN, and whether that is locked.
    pub pin: PinState,
    /// Its certificates, newest first, [`MAX_CERTIFICATES`] at most.
    pub certificates: Vec<CertificateEntry>,
    /// Its open order.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub order: Option<Url>,
    /// How often the renewal of its current certificate was deferred.
    pub deferrals: u32,
    /// Its open reissue, for administrators.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub reissue: Option<Url>,
}

/// What a contract says about a subject's PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinState {
    /// The subject has none.
    None,
    /// It has one.
    Set,
    /// It has one, locked after too many wrong ones.
    Locked,
}

impl PinState {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Set => "set",
            Self::Locked => "locked",
        }
    }
}

fn at_least_one<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SubjectEntry>, D::Error> {
    let subjects = Vec::deserialize(deserializer)?;
    if subjects.is_empty() {
        return Err(serde::de::Error::custom("a contract shows at least its reader"));
    }
    Ok(subjects)
}
