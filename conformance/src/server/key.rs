//! Private keys of any algorithm, and certificates with theirs.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{rsa, signature};
use koshin_protocol::algorithm::{Algorithm, KeyType};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::time::Time;

/// A private key of any algorithm.
#[derive(Debug, Clone)]
pub struct Key(Arc<AwsLcKey>);

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

impl Key {
    /// A new P-256 key.
    pub fn new() -> Self {
        Self::of(Algorithm::Es256)
    }

    /// A new key that signs so.
    pub fn of(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| {
            let key = signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random);
            key.expect("the system has randomness").as_ref().to_vec()
        };
        let pkcs8 = match algorithm {
            Algorithm::Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let key = signature::Ed25519KeyPair::generate_pkcs8(&random);
                key.expect("the system has randomness").as_ref().to_vec()
            }
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048);
                let key = key.expect("the system has randomness");
                key.as_der().expect("a key has its DER").as_ref().to_vec()
            }
        };
        Self::read(algorithm, &pkcs8).expect("what was made for the algorithm")
    }

    /// From PKCS #8; `None` where it is no key of the algorithm.
    pub fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        Some(Self(Arc::new(AwsLcKey::from_pkcs8_der(algorithm, pkcs8).ok()?)))
    }

    /// What signs with it.
    pub fn signer(&self) -> &dyn Signer {
        &*self.0
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    /// Its thumbprint.
    pub fn thumbprint(&self) -> Thumbprint {
        self.public().thumbprint()
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    /// A CSR of this key in DER.
    pub fn csr(&self, name: &Name) -> Vec<u8> {
        Csr::make(name, self.signer()).expect("new keys sign CSRs")
    }

    /// Its signature of these octets.
    pub fn sign(&self, octets: &[u8]) -> Vec<u8> {
        self.signer().sign(octets).expect("a key in memory signs")
    }
}

/// Which algorithm of a key type, where a key type leaves the choice.
pub fn algorithm_of(key_type: KeyType, asked: Algorithm) -> Algorithm {
    match key_type {
        KeyType::P256 => Algorithm::Es256,
        KeyType::P384 => Algorithm::Es384,
        KeyType::Ed25519 => Algorithm::EdDsa,
        KeyType::Rsa if asked == Algorithm::Ps256 => Algorithm::Ps256,
        KeyType::Rsa => Algorithm::Rs256,
    }
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The key.
    pub key: Key,
    /// The certificate.
    pub certificate: Certificate,
}

impl Pair {
    /// The certificate's name in the protocol.
    pub fn cert_id(&self) -> CertId {
        CertId::of(&self.certificate)
    }

    /// The certificate's last second.
    pub fn not_after(&self) -> Time {
        self.certificate.not_after()
    }

    /// The certificate's subject.
    pub fn name(&self) -> &Name {
        self.certificate.subject()
    }
}
