//! A flattened JWS inside another object: `binding` and `receipt` (SPEC.md 6.7, 13.4).

use serde::{Deserialize, Serialize};

use crate::base64url::{self, Invalid};

/// A flattened JWS that nobody has verified yet: exactly `protected`, `payload` and `signature`,
/// each canonical base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document")]
pub struct EmbeddedJws {
    protected: String,
    payload: String,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    protected: String,
    payload: String,
    signature: String,
}

impl TryFrom<Document> for EmbeddedJws {
    type Error = Invalid;

    fn try_from(document: Document) -> Result<Self, Invalid> {
        let Document { protected, payload, signature } = document;
        for part in [&protected, &payload, &signature] {
            base64url::decode(part)?;
        }
        Ok(Self { protected, payload, signature })
    }
}

impl EmbeddedJws {
    /// Reads a JWS as its signer made it: a JSON object by itself.
    pub fn from_slice(json: &[u8]) -> Result<Self, crate::json::JsonError> {
        crate::json::parse(json)
    }

    /// The JWS as a JSON object by itself, for verifying it.
    pub fn to_vec(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("three strings are always JSON")
    }
}
