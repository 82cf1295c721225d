//! A TLS certificate of the bank's own CA, for a bank on this machine alone: tests, demonstrations
//! and first steps need no other root than the one that they have anyway.
//!
//! A bank that others reach has the TLS certificate of a public CA.

use std::net::{Ipv4Addr, Ipv6Addr};

use der::asn1::{AnyRef, Ia5String, IntRef, ObjectIdentifier, OctetString};
use der::{Decode, Encode, Sequence};
use koshin_protocol::algorithm::X509Algorithm;
use koshin_protocol::certificate::{Attribute, Certificate, InvalidName, Name, sign_tbs};
use koshin_protocol::sign::{Es256Key, SignError, Signer};
use koshin_protocol::time::{Period, Time};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time as X509Time;
use zeroize::Zeroizing;

use super::crl::x509_time;
use super::files::certificate_pem;
use super::profile::serial;
use super::{Embedded, Issuer};

/// As long as a demonstration may be left standing.
const LIFE: Period = Period::from_days(10 * 365);

/// Certificate chain and key for TLS on this machine's loopback addresses, both PEM.
pub struct LoopbackTls {
    /// The leaf, and the issuing CA above it.
    pub chain: String,
    /// The key, PKCS #8.
    pub key: Zeroizing<String>,
}

/// Why there is no TLS certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsCertificateError {
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// A value cannot stand in a certificate.
    #[error("the TLS certificate cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
    /// The name cannot stand in a certificate.
    #[error("the TLS certificate's name cannot be encoded")]
    Name(#[from] InvalidName),
    /// The CA's key does not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl Embedded {
    /// Makes a TLS key and certificate for `localhost`, `127.0.0.1` and `::1`, valid from `now` for
    /// ten years, or as long as the issuing CA.
    pub fn loopback_tls(&self, now: Time) -> Result<LoopbackTls, TlsCertificateError> {
        let mut random = Zeroizing::new([0; 48]);
        getrandom::fill(random.as_mut())?;
        let key = Es256Key::from_random(&random);
        let issuing = self.authority().certificate();
        let until = now.checked_add(LIFE).unwrap_or(Time::MAX).min(issuing.not_after());
        let tbs = tbs(issuing, self.signer(), &key, now, until)?;
        let leaf = sign_tbs(&tbs, self.signer())?;
        let chain: String =
            std::iter::once(&leaf).chain(self.authority().chain()).map(certificate_pem).collect();
        Ok(LoopbackTls { chain, key: key.to_pkcs8_pem() })
    }
}

fn tbs(
    issuing: &Certificate,
    signer: &dyn Signer,
    key: &Es256Key,
    now: Time,
    until: Time,
) -> Result<Vec<u8>, TlsCertificateError> {
    let subject = Name::new(&[(Attribute::CommonName, "localhost")])?;
    let algorithm = X509Algorithm::of(signer.algorithm())
        .ok_or(SignError::NotForX509(signer.algorithm()))?
        .to_der();
    let key = key.public_key().to_spki_der();
    let serial = serial()?;
    let key_id =
        AuthorityKeyId { key_id: OctetString::new(issuing.subject_key_id().unwrap_or_default())? };
    let tbs = TbsCertificate {
        version: 2,
        serial: IntRef::new(&serial)?,
        signature: AnyRef::from_der(&algorithm)?,
        issuer: AnyRef::from_der(issuing.subject().der())?,
        validity: Validity { not_before: x509_time(now)?, not_after: x509_time(until)? },
        subject: AnyRef::from_der(subject.der())?,
        key: AnyRef::from_der(&key)?,
        extensions: vec![
            Extension::new(ALTERNATIVE_NAMES, &names()?)?,
            Extension::new(EXTENDED_KEY_USAGE, &vec![SERVER_AUTH])?,
            Extension::new(AUTHORITY_KEY_ID, &key_id)?,
        ],
    };
    Ok(tbs.to_der()?)
}

fn names() -> der::Result<Vec<GeneralName>> {
    Ok(vec![
        GeneralName::DnsName(Ia5String::new("localhost")?),
        GeneralName::IpAddress(OctetString::new(Ipv4Addr::LOCALHOST.octets())?),
        GeneralName::IpAddress(OctetString::new(Ipv6Addr::LOCALHOST.octets())?),
    ])
}

const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

#[derive(Sequence)]
struct TbsCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: IntRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: Validity,
    subject: AnyRef<'a>,
    key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Validity {
    not_before: X509Time,
    not_after: X509Time,
}

#[derive(Sequence)]
struct Extension {
    id: ObjectIdentifier,
    value: OctetString,
}

impl Extension {
    fn new(id: ObjectIdentifier, value: &impl Encode) -> der::Result<Self> {
        Ok(Self { id, value: OctetString::new(value.to_der()?)? })
    }
}

#[derive(Sequence)]
struct AuthorityKeyId {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    key_id: OctetString,
}
