//! Who a certificate belongs to (SPEC.md 7.4, 7.7).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{certificate::Name, text::serde_as_text};

/// The bank's name for a subject, stable over all its certificates (SPEC.md 4.8): 1 to 64
/// characters from `A-Z a-z 0-9 - _ .`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(String);

/// The text is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an identifier: 1 to 64 of A-Z a-z 0-9 - _ .")]
pub struct InvalidId;

/// Whether the text may be an identifier that a bank chose (SPEC.md 4.8).
pub(crate) fn is_identifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

impl SubjectId {
    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubjectId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_identifier(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId) }
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(SubjectId);

/// A subject's name as the text of SPEC.md 4.7, of 1 to [`Name::MAX_TEXT`] bytes; two names are equal when the texts are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectName(String);

/// The text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a name: empty, longer than {} bytes, or with control characters", Name::MAX_TEXT)]
pub struct InvalidName;

impl SubjectName {
    /// The name in a certificate or CSR; `None`: it is empty, or too long.
    pub fn of(name: &Name) -> Option<Self> {
        name.as_str().parse().ok()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=Name::MAX_TEXT).contains(&text.len());
        let good = fits && !text.contains(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(SubjectName);

/// What a subject may do in its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// 管理者: may also reissue for the users of its contract, and unlock them.
    Administrator,
    /// 利用者.
    User,
}

impl Role {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A session's `subject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its identity.
    pub id: SubjectId,
    /// The name in its certificates.
    pub name: SubjectName,
    /// Its role in the contract.
    pub role: Role,
}
