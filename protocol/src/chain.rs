//! Certificates as arrays of standard base64 (RFC 7515 4.1.6): `chain` of an order and the entries
//! of `meta.issuers` (SPEC.md 6.5).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::base64url;

/// One to [`Chain::MAX`] certificates in DER, each issued by the next one, without the root.
///
/// Nothing about them is checked: whoever uses them verifies them against its own roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<Box<[u8]>>);

/// The list is empty or longer than any chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a chain has 1 to {max} certificates", max = Chain::MAX)]
pub struct InvalidChain;

impl Chain {
    /// Most certificates of one chain.
    pub const MAX: usize = 8;

    /// The chain of these certificates in DER, the subject's first.
    pub fn new(certificates: Vec<Box<[u8]>>) -> Result<Self, InvalidChain> {
        let good = (1..=Self::MAX).contains(&certificates.len());
        if good { Ok(Self(certificates)) } else { Err(InvalidChain) }
    }

    /// The first certificate: the new one in an order's chain, an issuing CA in `meta.issuers`.
    pub fn first(&self) -> &[u8] {
        &self.0[0]
    }

    /// The certificates after the first one.
    pub fn issuers(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0[1..].iter().map(AsRef::as_ref)
    }

    /// All certificates, the first one first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(base64url::encode_standard))
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let texts = Vec::<String>::deserialize(deserializer)?;
        let certificates: Result<Vec<Box<[u8]>>, _> =
            texts.iter().map(|text| base64url::decode_standard(text).map(Into::into)).collect();
        Self::new(certificates.map_err(D::Error::custom)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_standard_base64_and_not_empty() {
        let chain: Chain = serde_json::from_str(r#"["/+8=","AQ=="]"#).expect("two certificates");
        assert_eq!(chain.first(), [0xff, 0xef]);
        assert_eq!(chain.issuers().collect::<Vec<_>>(), [[1_u8]]);
        assert_eq!(serde_json::to_string(&chain).expect("an array"), r#"["/+8=","AQ=="]"#);
        for refused in ["[]", r#"["_-8="]"#, r#"["/+8"]"#, r#"["AQ=="#, r#"["AR=="]"#] {
            assert!(serde_json::from_str::<Chain>(refused).is_err(), "{refused}");
        }
        let nine = format!("[{}]", ["\"AQ==\""; 9].join(","));
        assert!(serde_json::from_str::<Chain>(&nine).is_err());
    }
}
