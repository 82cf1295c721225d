//! Where a client keeps a key: `keyStore` (格納先, SPEC.md 7.1, 7.8).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::text::serde_as_text;

/// A key store's name, such as `file` or `pkcs11`, without control characters. Which names mean
/// something is the bank's `meta.keyStores`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyStoreName(String);

/// The text names no key store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a key store's name has no control characters")]
pub struct InvalidKeyStore;

impl KeyStoreName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyStoreName {
    type Err = InvalidKeyStore;

    fn from_str(text: &str) -> Result<Self, InvalidKeyStore> {
        if text.contains(char::is_control) {
            return Err(InvalidKeyStore);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyStoreName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(KeyStoreName);
