//! Public keys: as JWK (RFC 7517, RFC 7518 section 6, RFC 8037 section 2), as the
//! `SubjectPublicKeyInfo` of certificates, and their thumbprints (RFC 7638).

mod members;
mod spki;

use std::fmt;
use std::str::FromStr;

use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub(crate) use self::members::Members;
use crate::algorithm::KeyType;
use crate::base64url;
use crate::text::serde_as_text;

/// A public key that was checked: a point on its curve and not of small order, or an RSA modulus
/// of 2048 to 8192 bits with the exponent 65537.
#[derive(Clone)]
pub struct PublicKey(pub(crate) Material);

/// The checked key and, where a verifier wants them, its bytes.
#[derive(Clone)]
pub(crate) enum Material {
    /// The point, and its uncompressed SEC 1 form.
    P256(p256::ecdsa::VerifyingKey, [u8; 65]),
    /// The point, and its uncompressed SEC 1 form.
    P384(p384::ecdsa::VerifyingKey, [u8; 97]),
    Ed25519(ed25519_dalek::VerifyingKey),
    /// The modulus, big-endian without leading zeros; the exponent is always 65537.
    Rsa(Box<[u8]>),
}

/// 65537, the only exponent, big-endian.
pub(crate) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// Why a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Neither P-256, P-384, Ed25519 nor RSA.
    #[error("the key's type is not supported")]
    UnsupportedType,
    /// A JWK with members missing, unknown or of a private key, or a value that is not base64url.
    #[error("the JWK does not have exactly the members of its type")]
    Members,
    /// No `SubjectPublicKeyInfo` in DER.
    #[error("the SubjectPublicKeyInfo is not valid DER")]
    Encoding,
    /// Not the full length, not on the curve, not canonical, or of small order.
    #[error("the key is not a point of its curve in the form that is required")]
    Point,
    /// An RSA modulus that is not 2048 to 8192 bits in whole bytes, or even.
    #[error("the RSA modulus is not an odd number of 2048 to 8192 bits")]
    Modulus,
    /// An RSA exponent other than 65537.
    #[error("the RSA exponent is not 65537")]
    Exponent,
}

impl PublicKey {
    /// Its type.
    pub const fn key_type(&self) -> KeyType {
        match self.0 {
            Material::P256(..) => KeyType::P256,
            Material::P384(..) => KeyType::P384,
            Material::Ed25519(_) => KeyType::Ed25519,
            Material::Rsa(_) => KeyType::Rsa,
        }
    }

    /// Reads the DER of a `SubjectPublicKeyInfo` (RFC 5480, RFC 8410, RFC 3279).
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        spki::read(der)
    }

    /// Writes the DER of the `SubjectPublicKeyInfo`.
    pub fn to_spki_der(&self) -> Vec<u8> {
        spki::write(self)
    }

    /// The RFC 7638 form of the JWK: required members only, sorted, without white space.
    pub fn to_canonical_jwk(&self) -> String {
        let encode = base64url::encode;
        match &self.0 {
            Material::P256(_, point) => {
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Material::P384(_, point) => {
                let (x, y) = (encode(&point[1..49]), encode(&point[49..]));
                format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Material::Ed25519(key) => {
                let x = encode(key.as_bytes());
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
            }
            Material::Rsa(modulus) => {
                let (e, n) = (encode(&RSA_EXPONENT), encode(modulus));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        }
    }

    /// The RFC 7638 thumbprint with SHA-256.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint(Sha256::digest(self.to_canonical_jwk()).into())
    }

    /// An uncompressed SEC 1 point.
    pub(crate) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 65] = point.try_into().map_err(|_| KeyError::Point)?;
        if bytes[0] != 4 {
            return Err(KeyError::Point);
        }
        let key =
            p256::ecdsa::VerifyingKey::from_sec1_bytes(&bytes).map_err(|_| KeyError::Point)?;
        Ok(Self(Material::P256(key, bytes)))
    }

    pub(crate) fn of_p256(key: &p256::ecdsa::VerifyingKey) -> Self {
        let point = key.as_affine().to_sec1_point(false);
        let bytes = point.as_bytes().try_into().expect("an uncompressed P-256 point has 65 bytes");
        Self(Material::P256(*key, bytes))
    }

    /// An uncompressed SEC 1 point.
    pub(crate) fn p384(point: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 97] = point.try_into().map_err(|_| KeyError::Point)?;
        if bytes[0] != 4 {
            return Err(KeyError::Point);
        }
        let key =
            p384::ecdsa::VerifyingKey::from_sec1_bytes(&bytes).map_err(|_| KeyError::Point)?;
        Ok(Self(Material::P384(key, bytes)))
    }

    /// Points of small order would let anything verify; a point in two spellings would be two keys.
    pub(crate) fn ed25519(point: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = point.try_into().map_err(|_| KeyError::Point)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Point)?;
        if key.is_weak() || key.to_edwards().compress().to_bytes() != bytes {
            return Err(KeyError::Point);
        }
        Ok(Self(Material::Ed25519(key)))
    }

    /// Modulus and exponent, big-endian without leading zeros.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        if exponent != RSA_EXPONENT {
            return Err(KeyError::Exponent);
        }
        match modulus {
            [first, .., last]
                if (256..=1024).contains(&modulus.len()) && first & 0x80 != 0 && last & 1 == 1 =>
            {
                Ok(Self(Material::Rsa(modulus.into())))
            }
            _ => Err(KeyError::Modulus),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Material::P256(_, point) => point,
            Material::P384(_, point) => point,
            Material::Ed25519(key) => key.as_bytes(),
            Material::Rsa(modulus) => modulus,
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.key_type() == other.key_type() && self.bytes() == other.bytes()
    }
}

impl Eq for PublicKey {}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key_type().hash(state);
        self.bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({} {})", self.key_type(), self.thumbprint())
    }
}

/// The RFC 7638 thumbprint of a key with SHA-256: 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

/// The text is not a thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a thumbprint: base64url of 32 bytes")]
pub struct InvalidThumbprint;

impl Thumbprint {
    /// A thumbprint from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = InvalidThumbprint;

    fn from_str(text: &str) -> Result<Self, InvalidThumbprint> {
        if text.len() != 43 {
            return Err(InvalidThumbprint);
        }
        let bytes = base64url::decode(text).map_err(|_| InvalidThumbprint)?;
        bytes.try_into().map(Self).map_err(|_| InvalidThumbprint)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Thumbprint({self})")
    }
}

serde_as_text!(
    Thumbprint,
    [u8; 32],
    |thumbprint| thumbprint.0,
    |bytes| Ok::<_, InvalidThumbprint>(Self(bytes))
);
