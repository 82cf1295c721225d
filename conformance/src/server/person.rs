//! Subjects, made by the tester's provisioning.

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Bank;
use super::key::{Key, Pair, algorithm_of};
use crate::adapter::AdapterError;
use crate::case::{Outcome, Stop};
use crate::provision::{Issuer, Provided, Request};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A subject with its current pair.
#[derive(Debug, Clone)]
pub struct Person {
    /// The subject's id.
    pub subject: String,
    /// Its role.
    pub role: Role,
    /// Its certificate and key.
    pub pair: Pair,
    /// Its PIN, where it has one.
    pub pin: Option<String>,
}

/// What a subject is to be, in words of [`Request`].
#[derive(Debug, Clone)]
pub struct Wanted(Request);

impl Wanted {
    /// In this contract: the same label in one case is the same contract, and no other case's.
    pub fn of(mut self, contract: &str) -> Self {
        self.0.contract = Some(contract.to_owned());
        self
    }

    /// With a PIN.
    pub fn with_pin(mut self, pin: &str) -> Self {
        self.0.pin = Some(pin.to_owned());
        self
    }

    /// With a key that signs so.
    pub fn signing(mut self, algorithm: Algorithm) -> Self {
        self.0.alg = algorithm;
        self
    }

    /// With a certificate of another CA.
    pub fn foreign(mut self) -> Self {
        self.0.issuer = Issuer::Foreign;
        self
    }

    /// Valid through this second.
    pub fn until(mut self, not_after: Time) -> Self {
        self.0.not_after = not_after;
        self.0.not_before = self.0.not_before.min(seconds_after(not_after, -300 * DAY));
        self
    }

    /// Valid from this second on.
    pub fn from(mut self, not_before: Time) -> Self {
        self.0.not_before = not_before;
        self
    }
}

/// So many seconds later.
pub fn seconds_after(time: Time, seconds: i64) -> Time {
    Time::from_unix(time.unix() + seconds).expect("a time near the present")
}

impl Bank {
    /// A user or administrator, within the renewal window.
    pub async fn wanted(&self, role: Role) -> Outcome<Wanted> {
        let window = i64::from(self.directory().await?.meta.window.days());
        let now = self.now();
        Ok(Wanted(Request {
            role,
            contract: None,
            issuer: Issuer::Bank,
            alg: Algorithm::Es256,
            not_before: seconds_after(now, -300 * DAY),
            not_after: seconds_after(now, window * DAY * 2 / 3),
            pin: None,
        }))
    }

    /// A user whose certificate is in its window.
    pub async fn user(&self) -> Outcome<Person> {
        self.person(self.wanted(Role::User).await?).await
    }

    /// One whose key signs with this algorithm; skipped where the bank has it not.
    pub async fn user_signing(&self, algorithm: Algorithm) -> Outcome<Person> {
        if !self.directory().await?.meta.algorithms.contains(&algorithm) {
            return Err(Stop::Skipped(format!("this bank has no {algorithm}")));
        }
        self.person(self.wanted(Role::User).await?.signing(algorithm)).await
    }

    /// An administrator whose certificate is in its window.
    pub async fn administrator(&self) -> Outcome<Person> {
        self.person(self.wanted(Role::Administrator).await?).await
    }

    /// An administrator and a user of one contract.
    pub async fn contract(&self) -> Outcome<(Person, Person)> {
        let administrator = self.wanted(Role::Administrator).await?.of("together");
        let user = self.wanted(Role::User).await?.of("together");
        Ok((self.person(administrator).await?, self.person(user).await?))
    }

    /// A user whose certificate is valid for this many seconds more.
    pub async fn user_for(&self, seconds: i64) -> Outcome<Person> {
        let until = seconds_after(self.now(), seconds);
        self.person(self.wanted(Role::User).await?.until(until)).await
    }

    /// Whoever is wanted.
    pub async fn person(&self, wanted: Wanted) -> Outcome<Person> {
        let Some(provision) = &self.target.provision else {
            return Err(Stop::Skipped("no --provision command was given".to_owned()));
        };
        let mut request = wanted.0;
        // Contracts are kept apart by case, and by run: a bank remembers labels.
        request.contract =
            request.contract.map(|label| format!("{}/{}/{label}", self.target.run_id(), self.slug));
        let (role, asked) = (request.role, request.alg);
        let provided = provision.provision(request).await.map_err(|error| match error {
            AdapterError::Cannot(why) => Stop::Skipped(format!("provisioning: {why}")),
            AdapterError::Fault(why) => Stop::Blocked(format!("provisioning: {why}")),
        })?;
        person(role, asked, provided)
            .map_err(|why| Stop::Blocked(format!("provisioning gave {why}")))
    }
}

fn person(role: Role, asked: Algorithm, provided: Provided) -> Result<Person, String> {
    let der = CertificateDer::from_pem_slice(provided.certificate.as_bytes())
        .map_err(|error| format!("a certificate that is no PEM: {error}"))?;
    let certificate = Certificate::from_der(&der)
        .map_err(|error| format!("a certificate that cannot be read: {error}"))?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(provided.key.as_bytes())
        .map_err(|error| format!("a key that is no PEM of PKCS #8: {error}"))?;
    let algorithm = algorithm_of(certificate.key().key_type(), asked);
    let key = Key::read(algorithm, key.secret_pkcs8_der())
        .filter(|key| key.public() == certificate.key())
        .ok_or("a key that is not the certificate's")?;
    let pair = Pair { key, certificate };
    Ok(Person { subject: provided.subject, role, pair, pin: provided.pin })
}
