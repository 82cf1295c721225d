//! What certificates and CSRs have in common: bytes, an algorithm, a signature.

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};

use crate::algorithm::X509Algorithm;
use crate::jwk::PublicKey;
use crate::sign::{SignError, Signer, sign_x509};
use crate::verify::{BadSignature, Verifier};

/// `SIGNED{}` (RFC 5280 section 4.1.1): the parts, borrowed.
pub(crate) struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|outer| {
            let (content, algorithm) = (outer.tlv_bytes()?, outer.tlv_bytes()?);
            let signature = BitStringRef::decode(outer)?;
            let signature = signature.as_bytes().ok_or(der::ErrorKind::Failed)?;
            der::Result::Ok(Self { content, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// Signs the content and puts the three parts together.
    pub(crate) fn make(content: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let (algorithm, signature) = sign_x509(signer, content)?;
        let bits = BitStringRef::from_bytes(&signature).expect("a signature is short");
        let bits = bits.to_der().expect("a signature is short");
        Ok(sequence(&[content, &algorithm.to_der(), &bits]))
    }

    /// What was signed, tag and length included.
    pub(crate) const fn content(&self) -> &'a [u8] {
        self.content
    }

    /// The `AlgorithmIdentifier`.
    pub(crate) const fn algorithm(&self) -> &'a [u8] {
        self.algorithm
    }

    pub(crate) fn verify(
        &self,
        key: &PublicKey,
        verifier: &dyn Verifier,
    ) -> Result<(), BadSignature> {
        let algorithm = X509Algorithm::from_der(self.algorithm);
        let algorithm = algorithm.map_err(|_| BadSignature::Unsupported)?;
        verifier.verify_x509(algorithm, key, self.content, self.signature)
    }

    /// Verifies a signature that must be of that algorithm.
    pub(crate) fn verify_as(
        &self,
        algorithm: X509Algorithm,
        key: &PublicKey,
        verifier: &dyn Verifier,
    ) -> Result<(), BadSignature> {
        if X509Algorithm::from_der(self.algorithm) != Ok(algorithm) {
            return Err(BadSignature::Wrong);
        }
        verifier.verify_x509(algorithm, key, self.content, self.signature)
    }
}

/// A SEQUENCE of parts that are DER already.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    wrap(Tag::Sequence, parts)
}

/// Parts that are DER already, under one tag.
pub(crate) fn wrap(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    AnyRef::new(tag, &content)
        .and_then(|any| any.to_der())
        .expect("what is made here is shorter than 256 MiB")
}

/// The content of an `[number] EXPLICIT` field, if it comes next.
pub(crate) fn tagged<'a>(
    reader: &mut SliceReader<'a>,
    number: u32,
) -> der::Result<Option<&'a [u8]>> {
    let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(number) };
    if reader.is_finished() || Tag::peek(reader)? != tag {
        return Ok(None);
    }
    Ok(Some(AnyRef::decode(reader)?.value()))
}

/// The content octets of an INTEGER, in the shortest form as DER wants it.
pub(crate) fn integer<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    let any = AnyRef::decode(reader)?;
    any.tag().assert_eq(Tag::Integer)?;
    match any.value() {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(der::ErrorKind::Failed.into()),
        value => Ok(value),
    }
}
