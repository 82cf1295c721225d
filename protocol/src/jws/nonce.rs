//! Nonces as they stand in `Replay-Nonce` and in the protected header (RFC 8555 section 6.5.1).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::base64url;
use crate::text::serde_as_text;

/// A nonce: 16 to 128 characters of the base64url alphabet, opaque to everybody but the bank.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nonce(Box<str>);

/// The text cannot be a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a nonce: 16 to 128 characters of base64url")]
pub struct InvalidNonce;

impl Nonce {
    /// The nonce as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nonce {
    type Err = InvalidNonce;

    fn from_str(text: &str) -> Result<Self, InvalidNonce> {
        if (16..=128).contains(&text.len()) && base64url::is_alphabet(text) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidNonce)
        }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

serde_as_text!(Nonce);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_16_to_128_characters_of_base64url() {
        for good in ["A".repeat(16), "-_09azAZ".repeat(16)] {
            assert_eq!(good.parse::<Nonce>().expect("a nonce").as_str(), good);
        }
        for bad in ["A".repeat(15), "A".repeat(129), "A".repeat(16) + "=", "é".repeat(20)] {
            assert_eq!(bad.parse::<Nonce>(), Err(InvalidNonce), "{bad}");
        }
    }
}
