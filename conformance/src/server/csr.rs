//! Certificate signing requests of which everything can be made wrong.

use der::asn1::BmpString;
use der::{Decode as _, Encode as _, Tag, Tagged as _};
use koshin_protocol::algorithm::{Algorithm, X509Algorithm};
use koshin_protocol::certificate::Name;
use x509_cert::attr::{AttributeTypeAndValue, AttributeValue};
use x509_cert::name::{Name as X509Name, RdnSequence, RelativeDistinguishedName};

use super::key::Key;

/// A CSR before it is signed.
#[derive(Debug, Clone)]
pub struct Csr {
    /// Its version; 0 is right.
    pub version: u8,
    /// The subject in DER.
    pub subject: Vec<u8>,
    /// The public key in DER.
    pub spki: Vec<u8>,
    /// The attributes in DER, one after the other.
    pub attributes: Vec<u8>,
    /// What it is said to be signed with.
    pub algorithm: X509Algorithm,
}

/// OID of extensionRequest.
const EXTENSION_REQUEST: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

/// OID of challengePassword.
const CHALLENGE_PASSWORD: &[u8] = &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];

impl Csr {
    /// A right one.
    pub fn new(name: &Name, key: &Key) -> Self {
        let algorithm = X509Algorithm::of(key.algorithm()).unwrap_or(X509Algorithm::EcdsaSha256);
        Self {
            version: 0,
            subject: name.der().to_vec(),
            spki: key.public().to_spki_der(),
            attributes: Vec::new(),
            algorithm,
        }
    }

    /// With an extensionRequest of these extensions in DER.
    pub fn asking_for(mut self, extensions: &[u8]) -> Self {
        let values = tlv(0x31, &tlv(0x30, extensions));
        self.attributes.extend(tlv(0x30, &[EXTENSION_REQUEST, &values].concat()));
        self
    }

    /// With a challenge password.
    pub fn with_password(mut self) -> Self {
        let values = tlv(0x31, &tlv(0x0c, b"password"));
        self.attributes.extend(tlv(0x30, &[CHALLENGE_PASSWORD, &values].concat()));
        self
    }

    /// Signed by this key.
    pub fn signed(&self, key: &Key) -> Vec<u8> {
        let version = tlv(0x02, &[self.version]);
        let attributes = tlv(0xa0, &self.attributes);
        let info = tlv(0x30, &[&version[..], &self.subject, &self.spki, &attributes].concat());
        let signature = key.sign(&info);
        let signature = match key.algorithm() {
            Algorithm::Es256 | Algorithm::Es384 => der_signature(&signature),
            Algorithm::EdDsa | Algorithm::Rs256 | Algorithm::Ps256 => signature,
        };
        let bits = tlv(0x03, &[&[0], &signature[..]].concat());
        tlv(0x30, &[&info[..], &self.algorithm.to_der(), &bits].concat())
    }
}

/// One element of DER.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let octets = length.to_be_bytes();
    let octets = &octets[octets.iter().take_while(|&&octet| octet == 0).count()..];
    let mut out = vec![tag];
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or_default());
    } else {
        out.push(0x80 | u8::try_from(octets.len()).unwrap_or_default());
        out.extend(octets);
    }
    out.extend(content);
    out
}

/// The DER of an equal name (SPEC.md 4.7): its texts in `BMPString`, its RDNs sorted anew.
///
/// # Errors
/// A name that the X.509 library cannot read.
pub fn in_bmp_strings(name: &Name) -> der::Result<Vec<u8>> {
    let recoded = |attribute: &AttributeTypeAndValue| {
        let is_text = matches!(
            attribute.value.tag(),
            Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
        );
        let text = std::str::from_utf8(attribute.value.value()).ok().filter(|_| is_text);
        // A character beyond the Basic Multilingual Plane stays as it is.
        let value = match text.and_then(|text| BmpString::from_utf8(text).ok()) {
            Some(bmp) => AttributeValue::encode_from(&bmp)?,
            None => attribute.value.clone(),
        };
        Ok(AttributeTypeAndValue { oid: attribute.oid, value })
    };
    let mut rdns = Vec::new();
    for rdn in X509Name::from_der(name.der())?.iter_rdn() {
        let attributes = rdn.iter().map(recoded).collect::<der::Result<Vec<_>>>()?;
        rdns.push(RelativeDistinguishedName::try_from(attributes)?);
    }
    RdnSequence::from(rdns).to_der()
}

/// `r` and `s` one after the other as the SEQUENCE of X.509.
pub fn der_signature(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits = &half[half.iter().take_while(|&&octet| octet == 0).count()..];
        let sign =
            if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0][..] } else { &[] };
        tlv(0x02, &[sign, digits].concat())
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    tlv(0x30, &[integer(r), integer(s)].concat())
}

/// A subjectAltName of `evil.example`, as an extension.
pub fn subject_alt_name() -> Vec<u8> {
    let name = tlv(0x30, &tlv(0x82, b"evil.example"));
    tlv(0x30, &[&[0x06, 3, 0x55, 0x1d, 0x11][..], &tlv(0x04, &name)].concat())
}

/// basicConstraints with `cA` TRUE, as an extension.
pub fn authority() -> Vec<u8> {
    let constraints = tlv(0x30, &[0x01, 1, 0xff]);
    tlv(
        0x30,
        &[&[0x06, 3, 0x55, 0x1d, 0x13][..], &[0x01, 1, 0xff], &tlv(0x04, &constraints)].concat(),
    )
}
