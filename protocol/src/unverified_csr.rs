//! The member `csr` as it was sent (SPEC.md 6.3, 7.8, 7.19).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base64url;

/// A certificate signing request that nobody has looked at yet; base64url of DER on the wire.
/// [`crate::csr::Csr::from_der`] makes a request of it that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCsr(Box<[u8]>);

impl UnverifiedCsr {
    /// Takes the bytes over, whatever they are.
    pub fn new(der: impl Into<Box<[u8]>>) -> Self {
        Self(der.into())
    }

    /// The bytes, DER if the sender kept to the protocol.
    pub const fn der(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for UnverifiedCsr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for UnverifiedCsr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        base64url::decode(&text).map(Self::new).map_err(serde::de::Error::custom)
    }
}
