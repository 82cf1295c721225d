//! Keys of the other algorithms, on aws-lc-rs.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair;

use super::{InvalidPrivateKey, SignError, Signer};
use crate::algorithm::Algorithm;
use crate::jwk::PublicKey;

/// A private key of any algorithm, read from PKCS#8. Except with `EdDSA` and RS256 its signatures
/// are not deterministic.
pub struct AwsLcKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    Es256(lc::EcdsaKeyPair),
    Es384(lc::EcdsaKeyPair),
    EdDsa(lc::Ed25519KeyPair),
    Rs256(lc::RsaKeyPair),
    Ps256(lc::RsaKeyPair),
}

impl AwsLcKey {
    /// Reads an unencrypted PKCS#8 private key in DER for that algorithm.
    pub fn from_pkcs8_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let (secret, public) = match algorithm {
            Algorithm::Es256 => {
                let key = ecdsa(&lc::ECDSA_P256_SHA256_FIXED_SIGNING, der)?;
                let public = PublicKey::p256(key.public_key().as_ref());
                (Secret::Es256(key), public)
            }
            Algorithm::Es384 => {
                let key = ecdsa(&lc::ECDSA_P384_SHA384_FIXED_SIGNING, der)?;
                let public = PublicKey::p384(key.public_key().as_ref());
                (Secret::Es384(key), public)
            }
            Algorithm::EdDsa => {
                let key = lc::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
                let key = key.map_err(|_| InvalidPrivateKey)?;
                let public = PublicKey::ed25519(key.public_key().as_ref());
                (Secret::EdDsa(key), public)
            }
            Algorithm::Rs256 => {
                let (key, public) = rsa(der)?;
                (Secret::Rs256(key), Ok(public))
            }
            Algorithm::Ps256 => {
                let (key, public) = rsa(der)?;
                (Secret::Ps256(key), Ok(public))
            }
        };
        Ok(Self { secret, public: public.map_err(|_| InvalidPrivateKey)? })
    }
}

fn ecdsa(
    algorithm: &'static lc::EcdsaSigningAlgorithm,
    der: &[u8],
) -> Result<lc::EcdsaKeyPair, InvalidPrivateKey> {
    lc::EcdsaKeyPair::from_pkcs8(algorithm, der).map_err(|_| InvalidPrivateKey)
}

fn rsa(der: &[u8]) -> Result<(lc::RsaKeyPair, PublicKey), InvalidPrivateKey> {
    let key = lc::RsaKeyPair::from_pkcs8(der).map_err(|_| InvalidPrivateKey)?;
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| InvalidPrivateKey)?;
    let public = PublicKey::from_spki_der(spki.as_ref()).map_err(|_| InvalidPrivateKey)?;
    Ok((key, public))
}

impl Signer for AwsLcKey {
    fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Es256(_) => Algorithm::Es256,
            Secret::Es384(_) => Algorithm::Es384,
            Secret::EdDsa(_) => Algorithm::EdDsa,
            Secret::Rs256(_) => Algorithm::Rs256,
            Secret::Ps256(_) => Algorithm::Ps256,
        }
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        let sign_rsa = |key: &lc::RsaKeyPair, encoding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(encoding, &random, message, &mut signature).map(|()| signature)
        };
        let signature = match &self.secret {
            Secret::Es256(key) | Secret::Es384(key) => {
                key.sign(&random, message).map(|signature| signature.as_ref().to_vec())
            }
            Secret::EdDsa(key) => Ok(key.sign(message).as_ref().to_vec()),
            Secret::Rs256(key) => sign_rsa(key, &lc::RSA_PKCS1_SHA256 as &dyn lc::RsaEncoding),
            Secret::Ps256(key) => sign_rsa(key, &lc::RSA_PSS_SHA256 as &dyn lc::RsaEncoding),
        };
        signature.map_err(|error| SignError::Refused(Box::new(error)))
    }
}

impl fmt::Debug for AwsLcKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AwsLcKey({} {})", self.algorithm(), self.public.thumbprint())
    }
}
