//! Signature algorithms of requests (RFC 7518 section 3, RFC 8037) and of certificates (RFC 5280).

use std::fmt;
use std::str::FromStr;

use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Tagged};
use thiserror::Error;
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::text::serde_as_text;

/// The `alg` of a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: everybody has it.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for old certificates.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes, for old certificates.
    Ps256,
}

/// The name is of no algorithm or key type of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unknown algorithm or key type")]
pub struct Unknown;

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Es256, Self::Es384, Self::EdDsa, Self::Rs256, Self::Ps256];

    /// The value of `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// The one type of key that it fits.
    pub const fn key_type(self) -> KeyType {
        match self {
            Self::Es256 => KeyType::P256,
            Self::Es384 => KeyType::P384,
            Self::EdDsa => KeyType::Ed25519,
            Self::Rs256 | Self::Ps256 => KeyType::Rsa,
        }
    }
}

impl FromStr for Algorithm {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name).ok_or(Unknown)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

serde_as_text!(Algorithm);

/// The type of a key, as `meta.keyTypes` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// Elliptic curve P-256.
    P256,
    /// Elliptic curve P-384.
    P384,
    /// Edwards curve 25519.
    Ed25519,
    /// RSA; only for certificates that exist already.
    Rsa,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
            Self::Rsa => "RSA",
        }
    }
}

impl FromStr for KeyType {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|key_type| key_type.as_str() == name).ok_or(Unknown)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

serde_as_text!(KeyType);

/// The algorithm of a signature in a certificate or CSR (RFC 5758, RFC 8410, RFC 4055).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum X509Algorithm {
    /// `ecdsa-with-SHA256`
    EcdsaSha256,
    /// `ecdsa-with-SHA384`
    EcdsaSha384,
    /// `id-Ed25519`
    Ed25519,
    /// `sha256WithRSAEncryption`
    RsaSha256,
    /// `sha384WithRSAEncryption`
    RsaSha384,
    /// `sha512WithRSAEncryption`
    RsaSha512,
}

impl X509Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::Ed25519,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
    ];

    /// The object identifier of the algorithm.
    pub const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::EcdsaSha256 => "1.2.840.10045.4.3.2",
            Self::EcdsaSha384 => "1.2.840.10045.4.3.3",
            Self::Ed25519 => "1.3.101.112",
            Self::RsaSha256 => "1.2.840.113549.1.1.11",
            Self::RsaSha384 => "1.2.840.113549.1.1.12",
            Self::RsaSha512 => "1.2.840.113549.1.1.13",
        })
    }

    /// The algorithm of X.509 signatures that a signer of requests makes; `PS256` has none here.
    pub const fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Es256 => Some(Self::EcdsaSha256),
            Algorithm::Es384 => Some(Self::EcdsaSha384),
            Algorithm::EdDsa => Some(Self::Ed25519),
            Algorithm::Rs256 => Some(Self::RsaSha256),
            Algorithm::Ps256 => None,
        }
    }

    /// Reads a DER `AlgorithmIdentifier`, its parameters exactly as the RFCs want them.
    pub fn from_der(der: &[u8]) -> Result<Self, Unknown> {
        let identifier = AlgorithmIdentifierRef::from_der(der).map_err(|_| Unknown)?;
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.oid() == identifier.oid);
        let algorithm = found.ok_or(Unknown)?;
        let null = identifier
            .parameters
            .is_some_and(|any| any.tag() == der::Tag::Null && any.value().is_empty());
        let fits = if algorithm.has_null() { null } else { identifier.parameters.is_none() };
        if fits { Ok(algorithm) } else { Err(Unknown) }
    }

    /// Writes the DER `AlgorithmIdentifier`.
    pub fn to_der(self) -> Vec<u8> {
        let parameters = if self.has_null() { Some(AnyRef::NULL) } else { None };
        AlgorithmIdentifierRef { oid: self.oid(), parameters }
            .to_der()
            .expect("an object identifier and NULL are short")
    }

    const fn has_null(self) -> bool {
        match self {
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::Ed25519 => false,
            Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_exactly() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
        }
        for key_type in KeyType::ALL {
            assert_eq!(key_type.as_str().parse(), Ok(key_type));
        }
        for name in ["", "none", "HS256", "es256", "ES256 ", "ES512", "Ed25519"] {
            assert_eq!(name.parse::<Algorithm>(), Err(Unknown), "{name}");
        }
    }

    #[test]
    fn x509_identifiers_are_read_back_and_their_parameters_matter() {
        for algorithm in X509Algorithm::ALL {
            assert_eq!(X509Algorithm::from_der(&algorithm.to_der()), Ok(algorithm));
        }
        let with_null = |oid| AlgorithmIdentifierRef { oid, parameters: Some(AnyRef::NULL) };
        let wrong = with_null(X509Algorithm::EcdsaSha256.oid()).to_der().expect("DER");
        assert_eq!(X509Algorithm::from_der(&wrong), Err(Unknown));
        let bare = AlgorithmIdentifierRef { oid: X509Algorithm::RsaSha256.oid(), parameters: None };
        assert_eq!(X509Algorithm::from_der(&bare.to_der().expect("DER")), Err(Unknown));
    }
}
