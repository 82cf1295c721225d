//! Making certificates: the bank's authority and the fixtures share it. Same input, same bytes
//! signed.

use der::asn1::{BitStringRef, GeneralizedTime, Ia5StringRef, ObjectIdentifier, OctetStringRef};
use der::asn1::{Uint, UtcTime};
use der::{Decode, Encode, Tag, TagNumber};
use sha2::{Digest, Sha256};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::extensions::{
    AUTHORITY_KEY_ID, BASIC_CONSTRAINTS, CRL_POINTS, EXTENDED_KEY_USAGE, KEY_USAGE, SUBJECT_KEY_ID,
};
use super::signed::{Signed, sequence, wrap};
use super::{Certificate, Name};
use crate::algorithm::{Algorithm, X509Algorithm};
use crate::jwk::PublicKey;
use crate::sign::{SignError, Signer};
use crate::time::Time;

/// What a key may be used for (RFC 5280 section 4.2.1.3); bit 0 is `digitalSignature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyUsages(u16);

impl KeyUsages {
    /// `digitalSignature`
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// `keyCertSign` and `cRLSign`
    pub const AUTHORITY: Self = Self(1 << 5 | 1 << 6);

    /// Whether `digitalSignature` is among them.
    pub const fn signs(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether `keyCertSign` is among them.
    pub const fn signs_certificates(self) -> bool {
        self.0 & 1 << 5 != 0
    }

    /// Whether `cRLSign` is among them.
    pub const fn signs_crls(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    /// Both together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn from_der(der: &[u8]) -> der::Result<Self> {
        let bits = BitStringRef::from_der(der)?;
        let bits = bits.bits().take(9).enumerate();
        Ok(Self(bits.fold(0, |all, (index, bit)| all | u16::from(bit) << index)))
    }

    fn to_der(self) -> Vec<u8> {
        let used = 16 - self.0.leading_zeros();
        let bytes: [u8; 2] = self.0.reverse_bits().to_be_bytes();
        let bytes = &bytes[..used.div_ceil(8) as usize];
        let unused = u8::try_from((8 - used % 8) % 8).expect("less than eight");
        BitStringRef::new(unused, bytes).and_then(|bits| bits.to_der()).expect("nine bits are DER")
    }
}

/// What the basic constraints say (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It issues nothing.
    Leaf,
    /// It issues certificates.
    Authority {
        /// How many further authorities may stand below it; `None` for any number.
        path_length: Option<u8>,
    },
}

/// A certificate before it is signed.
#[derive(Clone, Debug)]
pub struct Profile<'a> {
    /// A positive number of at most 20 bytes, big-endian.
    pub serial: &'a [u8],
    /// Who signs it; its own subject for a root.
    pub issuer: &'a Name,
    /// The first second of its validity.
    pub not_before: Time,
    /// The last second of its validity.
    pub not_after: Time,
    /// Whom it belongs to.
    pub subject: &'a Name,
    /// The subject's key.
    pub key: &'a PublicKey,
    /// Whether it is an authority's.
    pub kind: Kind,
    /// What the key may be used for.
    pub key_usages: KeyUsages,
    /// No such extension if there are none.
    pub extended_key_usages: &'a [ObjectIdentifier],
    /// The issuer's Subject Key Identifier; `None` to have no Authority Key Identifier.
    pub authority_key_id: Option<&'a [u8]>,
    /// Where the issuer's CRL is; no such extension if nowhere.
    pub crl: &'a [&'a str],
}

impl Profile<'_> {
    /// Signs the certificate.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Certificate, SignError> {
        sign_tbs(&self.to_tbs(signer.algorithm())?, signer)
    }

    /// The exact bytes to be signed, for whoever must store them before they are signed.
    pub fn to_tbs(&self, algorithm: Algorithm) -> Result<Vec<u8>, SignError> {
        let algorithm = X509Algorithm::of(algorithm).ok_or(SignError::NotForX509(algorithm))?;
        let version = wrap(context(0), &[&2_u8.to_der().expect("DER")]);
        let serial = Uint::new(self.serial).and_then(|serial| serial.to_der());
        let validity = sequence(&[&time(self.not_before), &time(self.not_after)]);
        Ok(sequence(&[
            &version,
            &serial.expect("a serial number of at most 20 bytes"),
            &algorithm.to_der(),
            self.issuer.der(),
            &validity,
            self.subject.der(),
            &self.key.to_spki_der(),
            &wrap(context(3), &[&self.extensions()]),
        ]))
    }

    fn extensions(&self) -> Vec<u8> {
        let mut list = Vec::new();
        let constraints = match self.kind {
            Kind::Leaf => sequence(&[]),
            Kind::Authority { path_length } => {
                let yes = true.to_der().expect("DER");
                let length = path_length.map(|length| length.to_der().expect("DER"));
                sequence(&[&yes, length.as_deref().unwrap_or_default()])
            }
        };
        list.push(extension(BASIC_CONSTRAINTS, true, &constraints));
        list.push(extension(KEY_USAGE, true, &self.key_usages.to_der()));
        if !self.extended_key_usages.is_empty() {
            let usages = self.extended_key_usages.to_vec().to_der().expect("a few identifiers");
            list.push(extension(EXTENDED_KEY_USAGE, false, &usages));
        }
        let own = octets(&key_id(self.key));
        list.push(extension(SUBJECT_KEY_ID, false, &own));
        if let Some(id) = self.authority_key_id {
            let id = wrap(primitive(0), &[id]);
            list.push(extension(AUTHORITY_KEY_ID, false, &sequence(&[&id])));
        }
        if !self.crl.is_empty() {
            list.push(extension(CRL_POINTS, false, &crl_points(self.crl)));
        }
        let list: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
        sequence(&list)
    }
}

/// Signs what [`Profile::to_tbs`] made, with a signer of the same algorithm.
pub fn sign_tbs(tbs: &[u8], signer: &dyn Signer) -> Result<Certificate, SignError> {
    let der = Signed::make(tbs, signer)?;
    Certificate::from_der(&der).map_err(|error| SignError::Refused(Box::new(error)))
}

/// Signs a `TBSCertList` that names the signer's algorithm: the CRL in DER (RFC 5280 section 5.1.1).
pub fn sign_crl(tbs: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    Signed::make(tbs, signer)
}

/// The key identifier that certificates made here have: the leftmost 160 bits of the SHA-256 of
/// the key (RFC 7093 section 2, method 1).
pub fn key_id(key: &PublicKey) -> [u8; 20] {
    let spki = key.to_spki_der();
    let spki = SubjectPublicKeyInfoRef::from_der(&spki).expect("SPKI that was just written");
    let hash = Sha256::digest(spki.subject_public_key.raw_bytes());
    *hash.first_chunk().expect("SHA-256 has 32 bytes")
}

/// One distribution point with one URI each (RFC 5280 section 4.2.1.13).
fn crl_points(urls: &[&str]) -> Vec<u8> {
    let points: Vec<Vec<u8>> = urls
        .iter()
        .map(|url| {
            let uri = Ia5StringRef::new(*url).expect("a URL is ASCII");
            let uri = wrap(primitive(6), &[uri.as_bytes()]);
            sequence(&[&wrap(context(0), &[&wrap(context(0), &[&uri])])])
        })
        .collect();
    let points: Vec<&[u8]> = points.iter().map(Vec::as_slice).collect();
    sequence(&points)
}

fn extension(oid: ObjectIdentifier, critical: bool, value: &[u8]) -> Vec<u8> {
    let oid = oid.to_der().expect("an object identifier is DER");
    let yes = if critical { true.to_der().expect("DER") } else { Vec::new() };
    sequence(&[&oid, &yes, &octets(value)])
}

fn octets(value: &[u8]) -> Vec<u8> {
    OctetStringRef::new(value).and_then(|octets| octets.to_der()).expect("an extension is short")
}

/// RFC 5280 section 4.1.2.5: `UTCTime` until 2049, `GeneralizedTime` from then on.
fn time(time: Time) -> Vec<u8> {
    let seconds = u64::try_from(time.unix()).expect("certificates are not valid before 1970");
    let since = std::time::Duration::from_secs(seconds);
    UtcTime::from_unix_duration(since)
        .and_then(|time| time.to_der())
        .or_else(|_| GeneralizedTime::from_unix_duration(since).and_then(|time| time.to_der()))
        .expect("a time until the year 9999")
}

const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}
