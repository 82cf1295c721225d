//! Verification of signatures goes through one small trait, so that a faster provider can serve it.
//!
//! [`RustCrypto`] is always there and knows ES256, ES384 and `EdDSA`. `AwsLc` (feature `aws-lc-rs`)
//! knows all five algorithms and takes about a fifth of the time.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256, Sha384};
use thiserror::Error;

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc::AwsLc;
use crate::algorithm::{Algorithm, X509Algorithm};
use crate::jwk::{Material, PublicKey};

/// Verifies signatures of requests, certificates and CSRs.
pub trait Verifier: Send + Sync {
    /// The algorithms of requests that it can verify.
    fn algorithms(&self) -> &'static [Algorithm];

    /// Verifies a signature in the form of JWS (RFC 7518 section 3): for ECDSA `r` and `s`, each
    /// in full length, one after the other.
    fn verify(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature>;

    /// Verifies a signature in the form of X.509 (RFC 5280): for ECDSA a DER sequence of `r`, `s`.
    fn verify_x509(
        &self,
        algorithm: X509Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature>;
}

/// Why a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadSignature {
    /// It is not the key's signature of this message.
    #[error("the signature is wrong")]
    Wrong,
    /// The algorithm does not fit the key's type.
    #[error("the signature algorithm does not fit the key")]
    KeyMismatch,
    /// This verifier does not have the algorithm.
    #[error("the signature algorithm is not supported here")]
    Unsupported,
}

/// The fastest verifier that this build has.
pub fn default_verifier() -> &'static dyn Verifier {
    #[cfg(feature = "aws-lc-rs")]
    return &AwsLc;
    #[cfg(not(feature = "aws-lc-rs"))]
    return &RustCrypto;
}

/// The verifier in pure Rust: ES256, ES384 and `EdDSA`, no RSA.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Verifier for RustCrypto {
    fn algorithms(&self) -> &'static [Algorithm] {
        &[Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        match (algorithm, &key.0) {
            (Algorithm::Es256, Material::P256(key, _)) => {
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(wrong)?;
                key.verify(message, &signature).map_err(wrong)
            }
            (Algorithm::Es384, Material::P384(key, _)) => {
                let signature = p384::ecdsa::Signature::from_slice(signature).map_err(wrong)?;
                key.verify(message, &signature).map_err(wrong)
            }
            (Algorithm::EdDsa, Material::Ed25519(key)) => verify_ed25519(key, message, signature),
            (Algorithm::Rs256 | Algorithm::Ps256, Material::Rsa(_)) => {
                Err(BadSignature::Unsupported)
            }
            _ => Err(BadSignature::KeyMismatch),
        }
    }

    fn verify_x509(
        &self,
        algorithm: X509Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        use X509Algorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha384, RsaSha512};
        match (algorithm, &key.0) {
            (EcdsaSha256 | EcdsaSha384, Material::P256(key, _)) => {
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(wrong)?;
                key.verify_prehash(&hash(algorithm, message), &signature).map_err(wrong)
            }
            (EcdsaSha256 | EcdsaSha384, Material::P384(key, _)) => {
                let signature = p384::ecdsa::Signature::from_der(signature).map_err(wrong)?;
                key.verify_prehash(&hash(algorithm, message), &signature).map_err(wrong)
            }
            (X509Algorithm::Ed25519, Material::Ed25519(key)) => {
                verify_ed25519(key, message, signature)
            }
            (RsaSha256 | RsaSha384 | RsaSha512, Material::Rsa(_)) => Err(BadSignature::Unsupported),
            _ => Err(BadSignature::KeyMismatch),
        }
    }
}

fn wrong<E>(_: E) -> BadSignature {
    BadSignature::Wrong
}

fn hash(algorithm: X509Algorithm, message: &[u8]) -> Vec<u8> {
    if algorithm == X509Algorithm::EcdsaSha384 {
        Sha384::digest(message).to_vec()
    } else {
        Sha256::digest(message).to_vec()
    }
}

/// RFC 8032 section 5.1.7, and besides no point of small order.
fn verify_ed25519(key: &Ed25519Key, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let signature = ed25519_dalek::Signature::from_slice(signature).map_err(wrong)?;
    key.verify_strict(message, &signature).map_err(wrong)
}
