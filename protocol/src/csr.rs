//! Certificate signing requests (PKCS#10, RFC 2986): made and checked.

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use thiserror::Error;
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;

use crate::algorithm::{KeyType, X509Algorithm};
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
}

/// Why a CSR was refused, in the order of the checks (SPEC.md 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CsrError {
    /// Longer than [`MAX_CSR`] or not the DER of a CSR: `malformed`.
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
    /// It has an attribute other than one request for extensions.
    #[error("the CSR has the attribute {0}")]
    Attribute(ObjectIdentifier),
    /// It asks for an extension.
    #[error("the CSR asks for the extension {0}")]
    Extension(ObjectIdentifier),
    /// There is no subject.
    #[error("the CSR has no subject")]
    Subject,
}

impl CsrError {
    /// The `reason` member of the `badCSR` problem; `None` where the problem is `malformed`.
    pub const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Encoding => None,
            Self::KeyType => Some("keyType"),
            Self::Key(_) => Some("key"),
            Self::Signature => Some("signature"),
            Self::Attribute(_) => Some("attribute"),
            Self::Extension(_) => Some("extension"),
            Self::Subject => Some("subject"),
        }
    }
}

impl Csr {
    /// The types of key that a new certificate may have.
    pub const KEY_TYPES: [KeyType; 3] = [KeyType::P256, KeyType::P384, KeyType::Ed25519];

    /// Reads and checks a CSR with a key of any type of [`Csr::KEY_TYPES`].
    pub fn from_der(der: &[u8], verifier: &dyn Verifier) -> Result<Self, CsrError> {
        Self::from_der_of(&Self::KEY_TYPES, der, verifier)
    }

    /// Reads and checks a CSR with a key of one of these types (`meta.keyTypes`).
    pub fn from_der_of(
        key_types: &[KeyType],
        der: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, CsrError> {
        if der.len() > MAX_CSR {
            return Err(CsrError::Encoding);
        }
        let signed = Signed::from_der(der).map_err(|_| CsrError::Encoding)?;
        let info = Info::read(signed.content()).map_err(|_| CsrError::Encoding)?;
        let subject = Name::from_der(info.subject).map_err(|_| CsrError::Encoding)?;
        let key = PublicKey::from_spki_der(info.spki).map_err(|error| match error {
            KeyError::UnsupportedType => CsrError::KeyType,
            KeyError::Encoding => CsrError::Encoding,
            KeyError::Members | KeyError::Point | KeyError::Modulus | KeyError::Exponent => {
                CsrError::Key(error)
            }
        })?;
        if !key_types.contains(&key.key_type()) {
            return Err(CsrError::KeyType);
        }
        let algorithm = match key.key_type() {
            KeyType::P256 => X509Algorithm::EcdsaSha256,
            KeyType::P384 => X509Algorithm::EcdsaSha384,
            KeyType::Ed25519 => X509Algorithm::Ed25519,
            KeyType::Rsa => return Err(CsrError::KeyType),
        };
        signed.verify_as(algorithm, &key, verifier).map_err(|error| match error {
            BadSignature::Wrong | BadSignature::KeyMismatch => CsrError::Signature,
            BadSignature::Unsupported => CsrError::KeyType,
        })?;
        info.refuse_extras()?;
        if subject.is_empty() {
            return Err(CsrError::Subject);
        }
        Ok(Self { der: der.into(), subject, key })
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
            let mut requested = false;
            let mut attributes = Vec::new();
            let mut extensions = Vec::new();
            let mut set = SliceReader::new(set)?;
            while !set.is_finished() {
                let attribute = Attribute::decode(&mut set)?;
                if attribute.oid != EXTENSION_REQUEST || requested {
                    attributes.push(attribute.oid);
                    continue;
                }
                requested = true;
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

    /// What the bank does not give is refused, not dropped in silence.
    fn refuse_extras(&self) -> Result<(), CsrError> {
        match (self.attributes.first(), self.extensions.first()) {
            (Some(attribute), _) => Err(CsrError::Attribute(*attribute)),
            (None, Some(extension)) => Err(CsrError::Extension(*extension)),
            (None, None) => Ok(()),
        }
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

    fn attribute(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
        let oid = oid.to_der().expect("DER");
        certificate::sequence(&[&oid, &certificate::wrap(Tag::Set, &[value])])
    }

    #[test]
    fn attributes_and_extensions_are_refused() {
        let challenge = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
        let attributes = attribute(challenge, &[0x0c, 1, b'x']);
        let read = |attributes: &[&[u8]]| Csr::from_der(&with_attributes(attributes), &RustCrypto);
        assert_eq!(read(&[&attributes]), Err(CsrError::Attribute(challenge)));

        let oid = ObjectIdentifier::new_unwrap("2.5.29.15");
        let extension =
            certificate::sequence(&[&oid.to_der().expect("DER"), &[4, 4, 3, 2, 7, 0x80]]);
        let request = attribute(EXTENSION_REQUEST, &certificate::sequence(&[&extension]));
        assert_eq!(read(&[&request]), Err(CsrError::Extension(oid)));

        let nothing = attribute(EXTENSION_REQUEST, &certificate::sequence(&[]));
        assert!(read(&[&nothing]).is_ok(), "a request for no extension");
        assert_eq!(read(&[&nothing, &nothing]), Err(CsrError::Attribute(EXTENSION_REQUEST)));
    }

    #[test]
    fn only_key_types_that_are_allowed_are_accepted() {
        let der = Csr::make(&name(), &key()).expect("a CSR");
        assert!(Csr::from_der_of(&[KeyType::P256], &der, &RustCrypto).is_ok());
        let refused = Csr::from_der_of(&[KeyType::P384, KeyType::Rsa], &der, &RustCrypto);
        assert_eq!(refused, Err(CsrError::KeyType));
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
