//! Subjects and certificates made to measure, for tests and conformance runs (SPEC.md B.1): of any
//! validity, by this bank or a foreign CA. Only where the configuration says `testing = true`.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use der::SecretDocument;
use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::{
    Attribute, CLIENT_AUTH, Certificate, KeyUsages, Kind, Name, Profile, key_id,
};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::pin::Pin;
use koshin_protocol::sign::{AwsLcKey, Es256Key, Signer};
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use pkcs8::LineEnding;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::bank::Bank;
use crate::ca::{Answer as Issued, Customer, Validity};
use crate::rule::command::{Actor, Import, ImportOutcome, ImportRefused, NewContract, PinCheck};
use crate::id::{ContractId, SubjectId};
use crate::registry::Failure;
use crate::store::StoreError;

/// What is to be made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The subject's role.
    pub role: Role,
    /// A label; the same label is the same contract. Absent: a contract of its own.
    #[serde(default)]
    pub contract: Option<String>,
    /// Who issued the certificate.
    #[serde(default)]
    pub issuer: Issuer,
    /// What its key signs with.
    #[serde(default = "es256")]
    pub alg: Algorithm,
    /// First second of the certificate's validity.
    pub not_before: Time,
    /// Last second of it.
    pub not_after: Time,
    /// The subject's PIN; absent: none.
    #[serde(default)]
    pub pin: Option<String>,
}

fn es256() -> Algorithm {
    Algorithm::Es256
}

/// Who issued a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Issuer {
    /// This bank's issuing CA.
    #[default]
    Bank,
    /// Another CA, made for this one certificate.
    Foreign,
}

/// What was made, or why not.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A subject with its current certificate.
    Made(Box<Made>),
    /// This bank does not have such.
    Cannot {
        /// Why.
        cannot: String,
    },
}

/// A subject with its current certificate. It has no `Debug` that prints the key.
#[derive(Serialize)]
pub struct Made {
    /// The subject's id.
    pub subject: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// Its key, PKCS #8 in PEM.
    pub key: Zeroizing<String>,
    /// The PIN, where one was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why nothing was made, for a reason that is not the request's.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The bank is no test environment.
    #[error(
        "provisioning is for test environments: this configuration does not say testing = true"
    )]
    NotTesting,
    /// The store refused or failed.
    #[error("{0:?}")]
    Store(Failure),
    /// The system has no randomness, or a key cannot be made of it.
    #[error("a key cannot be made")]
    Key,
    /// The CA does not sign.
    #[error("the CA does not sign: {0}")]
    Authority(String),
}

impl From<Failure> for ProvisionError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

/// Makes what `request` asks for at a bank that is a test environment: whoever calls this made sure
/// of it.
pub async fn provision(bank: &Bank, request: &Request) -> Result<Answer, ProvisionError> {
    match make(bank, request).await {
        Ok(made) => Ok(Answer::Made(Box::new(made))),
        Err(Stop::Cannot(cannot)) => Ok(Answer::Cannot { cannot }),
        Err(Stop::Error(error)) => Err(error),
    }
}

enum Stop {
    Cannot(String),
    Error(ProvisionError),
}

impl<E: Into<ProvisionError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

fn cannot(why: &dyn fmt::Display) -> Stop {
    Stop::Cannot(why.to_string())
}

async fn make(bank: &Bank, request: &Request) -> Result<Made, Stop> {
    if !bank.policy.algorithms.contains(&request.alg) {
        return Err(cannot(&format_args!("this bank's policy has no {}", request.alg)));
    }
    let pin = request.pin.clone().map(Pin::new);
    let hash = match (&pin, &bank.policy.pin, &bank.pins) {
        (None, _, _) => None,
        (Some(pin), Some(rules), Some(pins)) if rules.rule.admits(pin) => {
            Some(pins.hash(pin.clone()).await.map_err(|_| ProvisionError::Key)?)
        }
        (Some(_), _, _) => return Err(cannot(&"this bank's policy has no such PINs")),
    };
    let validity =
        Validity::new(request.not_before, request.not_after).map_err(|why| cannot(&why))?;
    let id = SubjectId::random();
    let subject = Name::new(&[
        (Attribute::Organization, "Example K.K."),
        (Attribute::CommonName, &format!("{} {id}", request.role)),
    ]);
    let subject = subject.expect("two short texts are a name");
    let (pem, key) = new_key(request.alg)?;
    let customer = Customer { subject: &subject, key: &key, validity };
    let certificate = match request.issuer {
        Issuer::Bank => by_the_bank(bank, &customer).await?,
        Issuer::Foreign => by_another(&customer)?,
    };
    let der = certificate.der().to_vec();
    let contract = contract(bank, request.contract.as_deref()).await?;
    register(bank, Import { certificate, contract, subject: id, role: request.role }).await?;
    if let Some(hash) = hash {
        let hash = hash.as_phc().to_owned();
        bank.registry
            .set_pin_hash(id, hash, PinCheck::NotAsked, Actor::Bank, bank.clock.now())
            .await?;
    }
    let certificate = der::pem::encode_string("CERTIFICATE", LineEnding::LF, &der)
        .map_err(|_| ProvisionError::Key)?;
    Ok(Made { subject: id.to_string(), certificate, key: pem, pin: request.pin.clone() })
}

/// The same label is the same contract, also for the next process.
async fn contract(bank: &Bank, label: Option<&str>) -> Result<ContractId, Stop> {
    let id = match label {
        None => ContractId::random(),
        Some(label) => {
            let hash = Sha256::digest(format!("koshin provision contract {label}"));
            let (id, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
            ContractId::from_bytes(*id)
        }
    };
    let name = label.map_or_else(|| id.to_string(), ToOwned::to_owned);
    bank.registry.add_contract(NewContract { id, name }, Actor::Bank, bank.clock.now()).await?;
    Ok(id)
}

/// As an import. One that has expired is taken in as of the last second in which it could be.
async fn register(bank: &Bank, import: Import) -> Result<(), Stop> {
    let as_of = bank.clock.now().min(import.certificate.not_after());
    let outcomes = bank.registry.import_certificates(vec![import], false, Actor::Bank, as_of).await?;
    match outcomes.first() {
        Some(ImportOutcome::Imported { .. }) => Ok(()),
        Some(ImportOutcome::Refused(refused)) => Err(cannot(refused)),
        Some(ImportOutcome::Unchanged { .. }) => Err(cannot(&ImportRefused::SerialReused)),
        None => Err(Failure::from(StoreError::Panicked).into()),
    }
}

async fn by_the_bank(bank: &Bank, customer: &Customer<'_>) -> Result<Certificate, Stop> {
    let authority = bank.issuer.authority();
    let end = authority.certificate().not_after();
    if customer.validity.not_after() > end {
        return Err(cannot(&format_args!("this bank's issuing certificate ends at {end}")));
    }
    let prepared = customer.prepare(authority).map_err(|why| cannot(&why))?;
    match bank.issuer.issue(&prepared).await {
        Issued::Issued(certificate) => Ok(*certificate),
        Issued::Pending { .. } => Err(ProvisionError::Authority("not now".to_owned()).into()),
        Issued::Refused { reason } => Err(ProvisionError::Authority(reason).into()),
    }
}

/// A CA that nobody hears of again.
fn by_another(customer: &Customer<'_>) -> Result<Certificate, Stop> {
    let mut random = Zeroizing::new([0; 48]);
    getrandom::fill(random.as_mut()).map_err(|_| ProvisionError::Key)?;
    let signer = Es256Key::from_random(&random);
    let issuer = Name::new(&[(Attribute::CommonName, "Another CA")]).expect("a short text");
    let id = key_id(signer.public_key());
    let profile = Profile {
        // Its key signs this one certificate.
        serial: &[1],
        issuer: &issuer,
        not_before: customer.validity.not_before(),
        not_after: customer.validity.not_after(),
        subject: customer.subject,
        key: customer.key,
        kind: Kind::Leaf,
        key_usages: KeyUsages::DIGITAL_SIGNATURE,
        extended_key_usages: &[CLIENT_AUTH],
        authority_key_id: Some(&id),
        crl: &[],
    };
    profile.sign(&signer).map_err(|error| ProvisionError::Authority(error.to_string()).into())
}

/// A private key as PKCS #8 in PEM, and its public half.
fn new_key(algorithm: Algorithm) -> Result<(Zeroizing<String>, PublicKey), ProvisionError> {
    let der = new_pkcs8(algorithm)?;
    let key = AwsLcKey::from_pkcs8_der(algorithm, &der).map_err(|_| ProvisionError::Key)?;
    let document = SecretDocument::try_from(&der[..]).map_err(|_| ProvisionError::Key)?;
    let pem = document.to_pem("PRIVATE KEY", LineEnding::LF).map_err(|_| ProvisionError::Key)?;
    Ok((pem, key.public_key().clone()))
}

fn new_pkcs8(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, ProvisionError> {
    let failed = |_| ProvisionError::Key;
    let random = SystemRandom::new();
    Ok(match algorithm {
        Algorithm::Es256 => {
            let mut bytes = Zeroizing::new([0; 48]);
            getrandom::fill(bytes.as_mut()).map_err(|_| ProvisionError::Key)?;
            Es256Key::from_random(&bytes).to_pkcs8_der()
        }
        Algorithm::Es384 => {
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random);
            Zeroizing::new(document.map_err(failed)?.as_ref().to_vec())
        }
        Algorithm::EdDsa => {
            let key = Ed25519KeyPair::generate().map_err(failed)?;
            let der: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
            Zeroizing::new(der.as_ref().to_vec())
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
            Zeroizing::new(der.as_ref().to_vec())
        }
    })
}
