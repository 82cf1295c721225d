//! The verifier on aws-lc-rs.

use aws_lc_rs::signature as lc;

use super::{BadSignature, Verifier};
use crate::algorithm::{Algorithm, X509Algorithm};
use crate::jwk::{Material, PublicKey, RSA_EXPONENT};

/// The verifier on aws-lc-rs: all algorithms, about five times faster.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl Verifier for AwsLc {
    fn algorithms(&self) -> &'static [Algorithm] {
        &Algorithm::ALL
    }

    fn verify(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        match (algorithm, &key.0) {
            (Algorithm::Es256, Material::P256(_, point)) => {
                verify(&lc::ECDSA_P256_SHA256_FIXED, point, message, signature)
            }
            (Algorithm::Es384, Material::P384(_, point)) => {
                verify(&lc::ECDSA_P384_SHA384_FIXED, point, message, signature)
            }
            (Algorithm::EdDsa, Material::Ed25519(key)) => {
                verify_ed25519(key.as_bytes(), message, signature)
            }
            (Algorithm::Rs256, Material::Rsa(modulus)) => {
                verify_rsa(&lc::RSA_PKCS1_2048_8192_SHA256, modulus, message, signature)
            }
            (Algorithm::Ps256, Material::Rsa(modulus)) => {
                verify_rsa(&lc::RSA_PSS_2048_8192_SHA256, modulus, message, signature)
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
        use X509Algorithm::{EcdsaSha256, EcdsaSha384, Ed25519, RsaSha256, RsaSha384, RsaSha512};
        match (algorithm, &key.0) {
            (EcdsaSha256, Material::P256(_, point)) => {
                verify(&lc::ECDSA_P256_SHA256_ASN1, point, message, signature)
            }
            (EcdsaSha384, Material::P256(_, point)) => {
                verify(&lc::ECDSA_P256_SHA384_ASN1, point, message, signature)
            }
            (EcdsaSha256, Material::P384(_, point)) => {
                verify(&lc::ECDSA_P384_SHA256_ASN1, point, message, signature)
            }
            (EcdsaSha384, Material::P384(_, point)) => {
                verify(&lc::ECDSA_P384_SHA384_ASN1, point, message, signature)
            }
            (Ed25519, Material::Ed25519(key)) => verify_ed25519(key.as_bytes(), message, signature),
            (RsaSha256, Material::Rsa(modulus)) => {
                verify_rsa(&lc::RSA_PKCS1_2048_8192_SHA256, modulus, message, signature)
            }
            (RsaSha384, Material::Rsa(modulus)) => {
                verify_rsa(&lc::RSA_PKCS1_2048_8192_SHA384, modulus, message, signature)
            }
            (RsaSha512, Material::Rsa(modulus)) => {
                verify_rsa(&lc::RSA_PKCS1_2048_8192_SHA512, modulus, message, signature)
            }
            _ => Err(BadSignature::KeyMismatch),
        }
    }
}

fn verify(
    algorithm: &'static dyn lc::VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    lc::UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .map_err(|_| BadSignature::Wrong)
}

fn verify_rsa(
    parameters: &'static lc::RsaParameters,
    modulus: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    // RFC 8017 section 8.2.2 step 1; a shorter number with the same value would verify otherwise.
    if signature.len() != modulus.len() {
        return Err(BadSignature::Wrong);
    }
    lc::RsaPublicKeyComponents { n: modulus, e: &RSA_EXPONENT[..] }
        .verify(parameters, message, signature)
        .map_err(|_| BadSignature::Wrong)
}

/// aws-lc-rs does not look at the order of the signature's first point, the other verifier does;
/// what one accepts, the other must accept.
fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let point = signature.first_chunk().ok_or(BadSignature::Wrong)?;
    let point = ed25519_dalek::VerifyingKey::from_bytes(point).map_err(|_| BadSignature::Wrong)?;
    if point.is_weak() {
        return Err(BadSignature::Wrong);
    }
    verify(&lc::ED25519, key, message, signature)
}
