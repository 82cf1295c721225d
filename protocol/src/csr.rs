//! Certificate signing requests (PKCS#10, RFC 2986): made and checked.

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use thiserror::Error;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;

use crate::certificate::{self, Name, Signed};
use crate::jwk::{KeyError, PublicKey};
use crate::sign::{SignError, Signer};
use crate::verify::{BadSignature, Verifier};

/// The longest CSR that is read, in bytes.
pub const MAX_CSR: usize = 16_384;

/// `extensionRequest` (RFC 2985 section 5.4.2)
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// A CSR that proves possession of its key: the signature was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Csr {
    der: Box<[u8]>,
    subject: Name,
    key: PublicKey,
    attributes: Vec<ObjectIdentifier>,
    extensions: Vec<ObjectIdentifier>,
}

/// Why a CSR was refused. Each is the `badCSR` problem, with [`CsrError::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CsrError {
    /// Longer than [`MAX_CSR`] or not the DER of a CSR.
    #[error("not the DER of a certificate signing request of at most {MAX_CSR} bytes")]
    Encoding,
    /// A key of a type or an algorithm that is not supported here.
    #[error("the CSR's key type is not supported")]
    KeyType,
    /// A key that may not be used.
    #[error("the CSR's key is refused: {0}")]
    Key(KeyError),
    /// The signature is not the key's.
    #[error("the CSR's signature is wrong")]
    Signature,
    /// There is no subject.
    #[error("the CSR has no subject")]
    Subject,
    /// It asks for an extension.
    #[error("the CSR asks for the extension {0}")]
    Extension(ObjectIdentifier),
    /// It has an attribute other than a request for extensions.
    #[error("the CSR has the attribute {0}")]
    Attribute(ObjectIdentifier),
}

impl CsrError {
    /// The `reason` member of the `badCSR` problem.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::KeyType => "keyType",
            Self::Key(_) => "key",
            Self::Signature => "signature",
            Self::Subject => "subject",
            Self::Extension(_) => "extension",
            Self::Attribute(_) => "attribute",
        }
    }
}

impl Csr {
    /// Reads a CSR and verifies its signature.
    pub fn from_der(der: &[u8], verifier: &dyn Verifier) -> Result<Self, CsrError> {
        if der.len() > MAX_CSR {
            return Err(CsrError::Encoding);
        }
        let signed = Signed::from_der(der).map_err(|_| CsrError::Encoding)?;
        let info = Info::read(signed.content()).map_err(|_| CsrError::Encoding)?;
        let key = PublicKey::from_spki_der(info.spki).map_err(|error| match error {
            KeyError::UnsupportedType => CsrError::KeyType,
            KeyError::Encoding => CsrError::Encoding,
            KeyError::Members | KeyError::Point | KeyError::Modulus | KeyError::Exponent => {
                CsrError::Key(error)
            }
        })?;
        signed.verify(&key, verifier).map_err(|error| match error {
            BadSignature::Wrong | BadSignature::KeyMismatch => CsrError::Signature,
            BadSignature::Unsupported => CsrError::KeyType,
        })?;
        let subject = Name::from_der(info.subject).map_err(|_| CsrError::Encoding)?;
        if subject.is_empty() {
            return Err(CsrError::Subject);
        }
        let (attributes, extensions) = (info.attributes, info.extensions);
        Ok(Self { der: der.into(), subject, key, attributes, extensions })
    }

    /// Makes a CSR for that subject, with the signer's key and without attributes, in DER.
    pub fn make(subject: &Name, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let version = [2, 1, 0];
        let attributes = certificate::wrap(ATTRIBUTES, &[]);
        let key = signer.public_key().to_spki_der();
        let info = certificate::sequence(&[&version, subject.der(), &key, &attributes]);
        Signed::make(&info, signer)
    }

    /// The CSR in DER, as it came.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The key that it proves possession of.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The subject that it asks for; never empty.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// Attributes other than the request for extensions.
    pub fn attributes(&self) -> &[ObjectIdentifier] {
        &self.attributes
    }

    /// Extensions that it asks for.
    pub fn extensions(&self) -> &[ObjectIdentifier] {
        &self.extensions
    }

    /// Refuses a CSR that asks for more than a certificate of the bank's own making.
    pub fn without_extras(self) -> Result<Self, CsrError> {
        match (self.extensions.first(), self.attributes.first()) {
            (Some(extension), _) => Err(CsrError::Extension(*extension)),
            (None, Some(attribute)) => Err(CsrError::Attribute(*attribute)),
            (None, None) => Ok(self),
        }
    }
}

impl fmt::Debug for Csr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Csr({} {:?})", self.subject, self.key)
    }
}

const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// `CertificationRequestInfo` (RFC 2986 section 4.1)
struct Info<'a> {
    subject: &'a [u8],
    spki: &'a [u8],
    attributes: Vec<ObjectIdentifier>,
    extensions: Vec<ObjectIdentifier>,
}

impl<'a> Info<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let failed = || der::Error::from(der::ErrorKind::Failed);
        let mut reader = SliceReader::new(der)?;
        let info = reader.sequence(|info| {
            if u8::decode(info)? != 0 {
                return Err(failed());
            }
            let (subject, spki) = (info.tlv_bytes()?, info.tlv_bytes()?);
            // Not optional in RFC 2986, though often left out; who signed without, meant none.
            let set = certificate::tagged(info, 0)?.unwrap_or_default();
            let mut attributes = Vec::new();
            let mut extensions = Vec::new();
            let mut set = SliceReader::new(set)?;
            while !set.is_finished() {
                let attribute = Attribute::decode(&mut set)?;
                if attribute.oid != EXTENSION_REQUEST {
                    attributes.push(attribute.oid);
                    continue;
                }
                for value in attribute.values.iter() {
                    let list: Vec<Extension> = value.decode_as()?;
                    extensions.extend(list.iter().map(|extension| extension.extn_id));
                }
            }
            Ok(Self { subject, spki, attributes, extensions })
        })?;
        reader.finish()?;
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::*;
    use crate::certificate::Attribute as NameAttribute;
    use crate::sign::Es256Key;
    use crate::verify::RustCrypto;

    fn key() -> Es256Key {
        Es256Key::from_random(&[3; 48])
    }

    fn name() -> Name {
        Name::new(&[(NameAttribute::CommonName, "U-0001")]).expect("a name")
    }

    /// A correctly signed CSR with these DER attributes.
    fn with_attributes(attributes: &[&[u8]]) -> Vec<u8> {
        let set = certificate::wrap(ATTRIBUTES, attributes);
        let spki = key().public_key().to_spki_der();
        let info = certificate::sequence(&[&[2, 1, 0], name().der(), &spki, &set]);
        Signed::make(&info, &key()).expect("signed")
    }

    #[test]
    fn what_was_made_is_read_back() {
        let der = Csr::make(&name(), &key()).expect("a CSR");
        let csr = Csr::from_der(&der, &RustCrypto).expect("a CSR");
        assert_eq!(csr.key(), key().public_key());
        assert_eq!(csr.subject(), &name());
        assert_eq!(csr.der(), der);
        assert!(csr.without_extras().is_ok());
        assert_eq!(Csr::make(&name(), &key()).expect("again"), der, "the same bytes again");
    }

    #[test]
    fn every_flipped_byte_is_refused() {
        let der = Csr::make(&name(), &key()).expect("a CSR");
        for index in 0..der.len() {
            let mut broken = der.clone();
            broken[index] ^= 1;
            assert!(Csr::from_der(&broken, &RustCrypto).is_err(), "byte {index}");
        }
        assert_eq!(Csr::from_der(&[&der[..], &[0]].concat(), &RustCrypto), Err(CsrError::Encoding));
    }

    #[test]
    fn a_csr_without_subject_is_refused() {
        let nobody = Name::new(&[]).expect("a name");
        let der = Csr::make(&nobody, &key()).expect("a CSR");
        assert_eq!(Csr::from_der(&der, &RustCrypto), Err(CsrError::Subject));
    }

    #[test]
    fn attributes_and_extensions_are_reported() {
        let challenge = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
        let set = certificate::wrap(Tag::Set, &[&[0x0c, 1, b'x']]);
        let attribute = certificate::sequence(&[&challenge.to_der().expect("DER"), &set]);
        let csr = Csr::from_der(&with_attributes(&[&attribute]), &RustCrypto).expect("a CSR");
        assert_eq!(csr.without_extras(), Err(CsrError::Attribute(challenge)));

        let key_usage = ObjectIdentifier::new_unwrap("2.5.29.15").to_der().expect("DER");
        let extension = certificate::sequence(&[&key_usage, &[4, 4, 3, 2, 7, 0x80]]);
        let list = certificate::sequence(&[&extension]);
        let request = EXTENSION_REQUEST.to_der().expect("DER");
        let attribute = certificate::sequence(&[&request, &certificate::wrap(Tag::Set, &[&list])]);
        let csr = Csr::from_der(&with_attributes(&[&attribute]), &RustCrypto).expect("a CSR");
        assert_eq!(csr.extensions(), [ObjectIdentifier::new_unwrap("2.5.29.15")]);
        assert!(matches!(csr.without_extras(), Err(CsrError::Extension(_))));
    }

    #[test]
    fn another_keys_signature_is_refused() {
        let der = Csr::make(&name(), &key()).expect("a CSR");
        let signed = Signed::from_der(&der).expect("a CSR");
        let swapped = Signed::make(signed.content(), &Es256Key::from_random(&[4; 48]));
        let swapped = swapped.expect("signed");
        assert_eq!(Csr::from_der(&swapped, &RustCrypto), Err(CsrError::Signature));
    }
}
