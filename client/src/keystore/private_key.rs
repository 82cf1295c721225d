//! Private keys in memory, and signing with them: RSA, P-256, P-384 and Ed25519.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use der::asn1::ObjectIdentifier;
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::sign::{AwsLcKey, SignError, Signer};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A private key that this process holds, with its PKCS#8 form; wiped from memory on drop, never printed.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    signer: AwsLcKey,
}

/// Why bytes are no private key that can be used here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// Not PKCS#8, PKCS#1 or SEC1, or its numbers contradict each other.
    #[error("this is not a valid private key")]
    Malformed,
    /// A key of a type or size that the protocol does not have (SPEC.md, algorithms).
    #[error(
        "keys of this type are not supported; supported are P-256, P-384, Ed25519 and RSA from 2048 bits"
    )]
    Unsupported,
    /// New keys are never of this type.
    #[error("new keys are P-256, P-384 or Ed25519; RSA serves for existing certificates only")]
    NotMade,
    /// The system gave no randomness.
    #[error("the operating system gave no randomness for a new key")]
    NoRandomness,
}

impl PrivateKey {
    /// Makes a new key.
    pub fn generate(key_type: KeyType) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let document = match key_type {
            KeyType::P256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            KeyType::P384 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)
            }
            KeyType::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
            KeyType::Rsa => return Err(KeyError::NotMade),
        };
        Self::from_pkcs8_der(document.map_err(|_| KeyError::NoRandomness)?.as_ref())
    }

    /// Reads a PKCS#8 `PrivateKeyInfo` (RFC 5208, RFC 5958). An RSA key signs with RS256, see [`Self::with_pss`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::Malformed)?;
        let algorithm = match info.algorithm.oid {
            RSA => Algorithm::Rs256,
            EC => match info.algorithm.parameters_oid().map_err(|_| KeyError::Unsupported)? {
                P256 => Algorithm::Es256,
                P384 => Algorithm::Es384,
                _ => return Err(KeyError::Unsupported),
            },
            ED25519 => Algorithm::EdDsa,
            _ => return Err(KeyError::Unsupported),
        };
        Self::with_algorithm(algorithm, der)
    }

    fn with_algorithm(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let signer = AwsLcKey::from_pkcs8_der(algorithm, der).map_err(|_| KeyError::Malformed)?;
        Ok(Self { pkcs8: Zeroizing::new(der.to_vec()), signer })
    }

    /// Reads a PKCS#1 `RSAPrivateKey` (RFC 8017 A.1.2), as in `BEGIN RSA PRIVATE KEY`.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_der(der).map_err(|_| KeyError::Malformed)?;
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError::Malformed)?;
        Self::from_pkcs8_der(pkcs8.as_ref())
    }

    /// Reads a SEC1 `ECPrivateKey` (RFC 5915), as in `BEGIN EC PRIVATE KEY`.
    pub fn from_sec1_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = [&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING]
            .into_iter()
            .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
            .ok_or(KeyError::Unsupported)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Malformed)?;
        Self::from_pkcs8_der(pkcs8.as_ref())
    }

    /// The key as PKCS#8 `PrivateKeyInfo`, for a key store to write.
    pub fn pkcs8_der(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The same key, signing with PS256 instead of RS256. Other keys have one algorithm only and stay as they are.
    pub fn with_pss(self) -> Result<Self, KeyError> {
        match self.algorithm() {
            Algorithm::Rs256 => Self::with_algorithm(Algorithm::Ps256, &self.pkcs8),
            Algorithm::Ps256 | Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => Ok(self),
        }
    }
}

impl Signer for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        self.signer.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signer.sign(message)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}
