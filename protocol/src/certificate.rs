//! Certificates: the fields that matter to the protocol (RFC 5280).

mod build;
mod extensions;
mod name;
mod path;
mod signed;

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_cert::time::Time as X509Time;

pub use self::build::{KeyUsages, Kind, Profile, key_id, sign_crl, sign_tbs};
use self::extensions::Extensions;
pub use self::name::{Attribute, InvalidName, Name};
pub use self::path::{PathError, verify_path};
pub(crate) use self::signed::{Signed, sequence, tagged, wrap};
use crate::jwk::{KeyError, PublicKey};
use crate::time::Time;
use crate::verify::{BadSignature, Verifier};

/// Extended key usage of customers' certificates: `id-kp-clientAuth`.
pub const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// Extended key usage of receipt certificates: `id-kp-documentSigning` (RFC 9336).
pub const DOCUMENT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");

/// The longest certificate that is read, in bytes.
pub const MAX_CERTIFICATE: usize = 16_384;

/// A certificate that could be read. Nothing is said of its signature, its issuer or the time.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Box<[u8]>,
    serial: Box<[u8]>,
    issuer: Name,
    subject: Name,
    not_before: Time,
    not_after: Time,
    key: PublicKey,
    extensions: Extensions,
}

/// Why a certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Longer than [`MAX_CERTIFICATE`].
    #[error("the certificate is longer than {MAX_CERTIFICATE} bytes")]
    TooLong,
    /// Not the DER of a certificate.
    #[error("not the DER of a certificate")]
    Encoding,
    /// Neither X.509 version 1 nor 3, or version 1 with extensions.
    #[error("neither version 1 nor 3")]
    Version,
    /// A validity outside the years 0000 to 9999, or one that ends before it begins.
    #[error("the validity is not a period of time")]
    Validity,
    /// An extension that occurs twice or that cannot be read.
    #[error("an extension occurs twice or cannot be read")]
    Extension,
    /// A key that may not be used.
    #[error("the certificate's key is refused: {0}")]
    Key(KeyError),
}

/// Why a certificate was not issued by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotIssuedBy {
    /// The issuer's name is another one, or its key identifier is.
    #[error("the certificate names another issuer")]
    Name,
    /// The issuer may not issue certificates (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
    #[error("the issuer's certificate is not one of a certification authority")]
    NotAuthority,
    /// The signature is not the issuer's.
    #[error("the certificate's signature: {0}")]
    Signature(BadSignature),
}

impl Certificate {
    /// Reads a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE {
            return Err(CertificateError::TooLong);
        }
        let signed = Signed::from_der(der).map_err(|_| CertificateError::Encoding)?;
        let fields = Fields::read(&signed).map_err(|_| CertificateError::Encoding)?;
        let extensions = match (fields.version, fields.extensions) {
            (0 | 2, None) => Extensions::default(),
            (2, Some(extensions)) => {
                Extensions::read(extensions).map_err(|_| CertificateError::Extension)?
            }
            _ => return Err(CertificateError::Version),
        };
        let (not_before, not_after) = (time(fields.not_before)?, time(fields.not_after)?);
        if not_after < not_before {
            return Err(CertificateError::Validity);
        }
        Ok(Self {
            der: der.into(),
            serial: fields.serial.into(),
            issuer: Name::from_der(fields.issuer).map_err(|_| CertificateError::Encoding)?,
            subject: Name::from_der(fields.subject).map_err(|_| CertificateError::Encoding)?,
            not_before,
            not_after,
            key: PublicKey::from_spki_der(fields.spki).map_err(CertificateError::Key)?,
            extensions,
        })
    }

    /// The whole certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the whole certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The content octets of the serial number's DER: big-endian, a leading zero where the number
    /// would look negative.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Who issued it.
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Whom it belongs to.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The first second of its validity.
    pub const fn not_before(&self) -> Time {
        self.not_before
    }

    /// The last second of its validity.
    pub const fn not_after(&self) -> Time {
        self.not_after
    }

    /// Whether it is valid at that instant; both ends are inclusive, to the second.
    pub fn is_valid_at(&self, now: Time) -> bool {
        self.not_before <= now && now <= self.not_after
    }

    /// Its public key.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Key identifier of the Authority Key Identifier, if there is one.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.extensions.authority_key_id.as_deref()
    }

    /// The Subject Key Identifier, if there is one.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.extensions.subject_key_id.as_deref()
    }

    /// Its extended key usages, in their order; `None` without that extension.
    pub fn extended_key_usages(&self) -> Option<&[ObjectIdentifier]> {
        self.extensions.extended_key_usages.as_deref()
    }

    /// Its key usages; `None` without that extension.
    pub const fn key_usages(&self) -> Option<KeyUsages> {
        self.extensions.key_usages
    }

    /// Whether its basic constraints make it one of a certification authority.
    pub const fn is_authority(&self) -> bool {
        self.extensions.authority
    }

    /// How many further authorities may stand below this one, where that is limited.
    pub const fn path_length(&self) -> Option<u8> {
        self.extensions.path_length
    }

    /// Critical extensions that this crate does not understand.
    pub fn unknown_critical(&self) -> &[ObjectIdentifier] {
        &self.extensions.unknown_critical
    }

    /// Whether it was issued under that certificate: names, key identifiers, the right to issue,
    /// and the signature. It says nothing of validity in time.
    pub fn verify_issued_by(
        &self,
        issuer: &Self,
        verifier: &dyn Verifier,
    ) -> Result<(), NotIssuedBy> {
        if self.issuer != issuer.subject {
            return Err(NotIssuedBy::Name);
        }
        if let (Some(named), Some(own)) = (self.authority_key_id(), issuer.subject_key_id())
            && named != own
        {
            return Err(NotIssuedBy::Name);
        }
        let may_sign = issuer.key_usages().is_none_or(KeyUsages::signs_certificates);
        if !issuer.is_authority() || !may_sign {
            return Err(NotIssuedBy::NotAuthority);
        }
        let signed = Signed::from_der(&self.der).expect("a certificate that was read before");
        signed.verify(&issuer.key, verifier).map_err(NotIssuedBy::Signature)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({} {:02x?})", self.subject, self.serial)
    }
}

/// The key of a certificate, without a look at the rest: a registry knows that by the bytes.
pub(crate) fn public_key(der: &[u8]) -> Result<PublicKey, CertificateError> {
    if der.len() > MAX_CERTIFICATE {
        return Err(CertificateError::TooLong);
    }
    let signed = Signed::from_der(der).map_err(|_| CertificateError::Encoding)?;
    let fields = Fields::read(&signed).map_err(|_| CertificateError::Encoding)?;
    PublicKey::from_spki_der(fields.spki).map_err(CertificateError::Key)
}

/// `TBSCertificate` (RFC 5280 section 4.1.2), the bytes of its fields.
struct Fields<'a> {
    version: u8,
    serial: &'a [u8],
    issuer: &'a [u8],
    not_before: X509Time,
    not_after: X509Time,
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(signed: &Signed<'a>) -> der::Result<Self> {
        let mut reader = SliceReader::new(signed.content())?;
        let fields = reader.sequence(|tbs| {
            let version = signed::tagged(tbs, 0)?;
            let version = version.map_or(Ok(0), u8::from_der)?;
            let serial = signed::integer(tbs)?;
            // RFC 5280 section 4.1.1.2: the same as outside the signed part.
            if tbs.tlv_bytes()? != signed.algorithm() {
                return Err(der::Error::from(der::ErrorKind::Failed));
            }
            let issuer = tbs.tlv_bytes()?;
            let (not_before, not_after) =
                tbs.sequence(|validity| der::Result::Ok((validity.decode()?, validity.decode()?)))?;
            let (subject, spki) = (tbs.tlv_bytes()?, tbs.tlv_bytes()?);
            let extensions = signed::tagged(tbs, 3)?;
            Ok(Self { version, serial, issuer, not_before, not_after, subject, spki, extensions })
        })?;
        reader.finish()?;
        Ok(fields)
    }
}

fn time(time: X509Time) -> Result<Time, CertificateError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs());
    // RFC 5280 section 4.1.2.5: 99991231235959Z says that there is no end.
    let seconds = seconds.map_err(|_| CertificateError::Validity)?.min(Time::MAX.unix());
    Time::from_unix(seconds).map_err(|_| CertificateError::Validity)
}

#[cfg(test)]
mod tests;
