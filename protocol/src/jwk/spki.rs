//! Keys as the `SubjectPublicKeyInfo` of certificates and CSRs.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::{KeyError, Material, PublicKey, RSA_EXPONENT};

/// RFC 5480 section 2.1.1
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// RFC 8410 section 3
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 3279 section 2.3.1
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// RFC 8017 appendix A.1.1
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

pub(super) fn read(der: &[u8]) -> Result<PublicKey, KeyError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Encoding)?;
    let bits = spki.subject_public_key.as_bytes().ok_or(KeyError::Encoding)?;
    let AlgorithmIdentifierRef { oid, parameters } = spki.algorithm;
    if oid == EC_PUBLIC_KEY {
        // Curves given by their parameters are none of ours.
        let curve = parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        return match curve {
            Some(SECP256R1) => PublicKey::p256(bits),
            Some(SECP384R1) => PublicKey::p384(bits),
            _ => Err(KeyError::UnsupportedType),
        };
    }
    if oid == ED25519 {
        return if parameters.is_none() {
            PublicKey::ed25519(bits)
        } else {
            Err(KeyError::Encoding)
        };
    }
    if oid == RSA_ENCRYPTION {
        if parameters != Some(AnyRef::NULL) {
            return Err(KeyError::Encoding);
        }
        let key = RsaPublicKey::from_der(bits).map_err(|_| KeyError::Encoding)?;
        return PublicKey::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes());
    }
    Err(KeyError::UnsupportedType)
}

pub(super) fn write(key: &PublicKey) -> Vec<u8> {
    match &key.0 {
        Material::P256(_, point) => wrap(EC_PUBLIC_KEY, Some(AnyRef::from(&SECP256R1)), point),
        Material::P384(_, point) => wrap(EC_PUBLIC_KEY, Some(AnyRef::from(&SECP384R1)), point),
        Material::Ed25519(key) => wrap(ED25519, None, key.as_bytes()),
        Material::Rsa(modulus) => {
            wrap(RSA_ENCRYPTION, Some(AnyRef::NULL), &rsa_public_key(modulus))
        }
    }
}

/// The DER `RSAPublicKey` of a modulus.
fn rsa_public_key(modulus: &[u8]) -> Vec<u8> {
    let uint = |bytes| UintRef::new(bytes).expect("a modulus is at most 1024 bytes");
    RsaPublicKey { modulus: uint(modulus), public_exponent: uint(&RSA_EXPONENT) }
        .to_der()
        .expect("a modulus is at most 1024 bytes")
}

fn wrap(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, bits: &[u8]) -> Vec<u8> {
    let subject_public_key = BitStringRef::from_bytes(bits).expect("a key is at most 2 KiB");
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key,
    }
    .to_der()
    .expect("a key is at most 2 KiB")
}
