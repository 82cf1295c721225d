//! Keys, pairs of key and certificate, and the CA that the customers had before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{rsa, signature};
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::csr::Csr;
use koshin_protocol::jwk::{PublicKey, Thumbprint};
use koshin_protocol::sign::{AwsLcKey, Signer};
use koshin_protocol::time::Time;
use koshin_server::id::{ContractId, SubjectId};
use koshin_server::rule::row::Role;

/// A private key of any algorithm.
#[derive(Clone)]
pub struct Key(Arc<AwsLcKey>);

impl Key {
    /// A new P-256 key.
    pub fn new() -> Self {
        Self::of(Algorithm::Es256)
    }

    pub fn of(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| {
            let key = signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random);
            key.expect("a key").as_ref().to_vec()
        };
        let pkcs8 = match algorithm {
            Algorithm::Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::EdDsa => {
                let key = signature::Ed25519KeyPair::generate_pkcs8(&random);
                key.expect("a key").as_ref().to_vec()
            }
            Algorithm::Rs256 | Algorithm::Ps256 => rsa_pkcs8(rsa::KeySize::Rsa2048),
        };
        Self::read(algorithm, &pkcs8)
    }

    pub fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Self {
        Self(Arc::new(AwsLcKey::from_pkcs8_der(algorithm, pkcs8).expect("a key of the algorithm")))
    }

    pub fn signer(&self) -> &dyn Signer {
        &*self.0
    }

    pub fn public(&self) -> &PublicKey {
        self.0.public_key()
    }

    pub fn thumbprint(&self) -> Thumbprint {
        self.public().thumbprint()
    }

    /// A CSR of this key.
    pub fn csr(&self, name: &Name) -> Vec<u8> {
        Csr::make(name, self.signer()).expect("a CSR")
    }
}

/// A new RSA key in PKCS#8.
pub fn rsa_pkcs8(size: rsa::KeySize) -> Vec<u8> {
    let key = rsa::KeyPair::generate(size).expect("an RSA key");
    key.as_der().expect("DER").as_ref().to_vec()
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Pair {
    pub key: Key,
    pub certificate: Certificate,
}

impl Pair {
    pub fn cert_id(&self) -> CertId {
        CertId::of(&self.certificate)
    }

    pub fn not_after(&self) -> Time {
        self.certificate.not_after()
    }
}

/// A subject with its current pair.
#[derive(Clone)]
pub struct Person {
    pub subject: SubjectId,
    pub role: Role,
    pub name: Name,
    pub pair: Pair,
}

/// What a person is made of.
#[derive(Clone)]
pub struct Spec {
    pub contract: ContractId,
    pub role: Role,
    pub algorithm: Algorithm,
    pub not_before: Time,
    pub not_after: Time,
    pub pin: Option<&'static str>,
}

static COUNT: AtomicU64 = AtomicU64::new(1);

/// A number that no other call gives.
pub fn number() -> u64 {
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A name that no other call gives.
pub fn new_name() -> Name {
    let common = format!("Tanaka Hanako {}", number());
    Name::new(&[
        (Attribute::Country, "JP"),
        (Attribute::Organization, "Example K.K."),
        (Attribute::CommonName, &common),
    ])
    .expect("a name")
}

static FORMER: LazyLock<Ca> = LazyLock::new(Ca::new);

/// The CA that issued the customers' certificates before there was Koshin.
pub fn former_ca() -> &'static Ca {
    &FORMER
}

/// A CA of the tests.
pub struct Ca {
    key: Key,
    name: Name,
}

impl Ca {
    pub fn new() -> Self {
        let name = Name::new(&[(Attribute::CommonName, "Former CA")]).expect("a name");
        Self { key: Key::new(), name }
    }

    pub fn issue(&self, subject: &Name, key: &PublicKey, validity: (Time, Time)) -> Certificate {
        let mut serial = [0x40; 12];
        serial[4..].copy_from_slice(&number().to_be_bytes());
        let authority = key_id(self.key.public());
        let profile = Profile {
            serial: &serial,
            issuer: &self.name,
            not_before: validity.0,
            not_after: validity.1,
            subject,
            key,
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[CLIENT_AUTH],
            authority_key_id: Some(&authority),
            crl: &[],
        };
        profile.sign(self.key.signer()).expect("a certificate")
    }

    /// A pair that no bank knows.
    pub fn pair(&self, subject: &Name, validity: (Time, Time)) -> Pair {
        let key = Key::new();
        let certificate = self.issue(subject, key.public(), validity);
        Pair { key, certificate }
    }
}
