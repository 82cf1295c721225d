//! The binding of an enrollment: it proves the code without sending it (SPEC.md 13.4).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::embedded_jws::EmbeddedJws;
use crate::jwk::PublicKey;
use crate::jws::flattened::{Flattened, read_object};
use crate::reissue::ReissueId;
use crate::sign::{Es256Key, SignError};
use crate::url::Url;
use crate::verify::Verifier;

const TYP: &str = "koshin-binding+jws";

/// What a binding binds together: which code, where, and to which new key.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The reissue that the code belongs to.
    pub reissue: &'a ReissueId,
    /// `newEnrollment` of the directory.
    pub url: &'a Url,
    /// The new key: the request's `jwk`.
    pub key: &'a PublicKey,
}

/// Why a binding was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BindingError {
    /// Not a flattened JWS with exactly the header's four members: `malformed`.
    #[error("the binding is not a flattened JWS with the header of a binding")]
    Form,
    /// Of another code, place or key, or wrongly signed: `enrollmentRefused`, whichever it is.
    #[error("the binding does not prove the enrollment code")]
    Refused,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

impl Binding<'_> {
    /// Signs the binding with the key that the code yields.
    pub fn sign(&self, enrollment_key: &Es256Key) -> Result<EmbeddedJws, SignError> {
        let header = Header {
            alg: Algorithm::Es256.as_str().into(),
            kid: self.reissue.to_string().into(),
            typ: TYP.into(),
            url: self.url.as_str().into(),
        };
        let header = serde_json::to_vec(&header).expect("a header of strings is JSON");
        let payload = self.key.to_canonical_jwk();
        let jws = Flattened::sign(&header, payload.as_bytes(), enrollment_key)?;
        Ok(EmbeddedJws::from_slice(&jws).expect("a flattened JWS that was just written"))
    }

    /// Verifies that a binding is for this reissue, place and key, by the `enrollmentKey` that the
    /// reissue has.
    pub fn verify(
        &self,
        binding: &EmbeddedJws,
        enrollment_key: &PublicKey,
        verifier: &dyn Verifier,
    ) -> Result<(), BindingError> {
        let jws = Flattened::from_slice(&binding.to_vec()).map_err(|_| BindingError::Form)?;
        let header: Header<'_> = read_object(jws.header()).map_err(|_| BindingError::Form)?;
        let named = header.alg == Algorithm::Es256.as_str()
            && header.typ == TYP
            && header.kid == self.reissue.to_string()
            && header.url == self.url.as_str();
        let bound: bool = jws.payload().ct_eq(self.key.to_canonical_jwk().as_bytes()).into();
        let (input, signature) = (jws.signing_input(), jws.signature());
        let signed = verifier.verify(Algorithm::Es256, enrollment_key, input, signature).is_ok();
        if named && bound && signed { Ok(()) } else { Err(BindingError::Refused) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrollment_code::EnrollmentCode;
    use crate::sign::Signer;
    use crate::verify::RustCrypto;

    fn reissue(byte: u8) -> ReissueId {
        ReissueId::from_bytes([byte; 16])
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn code_key(byte: u8) -> Es256Key {
        EnrollmentCode::from_bytes([byte; 16]).key(&reissue(1))
    }

    const HERE: &str = "https://bank.example/koshin/new-enrollment";

    #[test]
    fn a_binding_proves_its_code_for_its_reissue_place_and_key_only() {
        let new_key = Es256Key::from_random(&[5; 48]);
        let (id, here, key) = (reissue(1), url(HERE), new_key.public_key());
        let binding = Binding { reissue: &id, url: &here, key };
        let signed = binding.sign(&code_key(1)).expect("signed");
        let right = code_key(1);
        let right = right.public_key();
        assert_eq!(binding.verify(&signed, right, &RustCrypto), Ok(()));

        let refused = Err(BindingError::Refused);
        let wrong_code = code_key(2);
        assert_eq!(binding.verify(&signed, wrong_code.public_key(), &RustCrypto), refused);
        let other_id = reissue(2);
        let other = Binding { reissue: &other_id, ..binding };
        assert_eq!(other.verify(&signed, right, &RustCrypto), refused);
        let elsewhere = url("https://evil.example/koshin/new-enrollment");
        let other = Binding { url: &elsewhere, ..binding };
        assert_eq!(other.verify(&signed, right, &RustCrypto), refused);
        let other_key = Es256Key::from_random(&[6; 48]);
        let other = Binding { key: other_key.public_key(), ..binding };
        assert_eq!(other.verify(&signed, right, &RustCrypto), refused);
    }

    #[test]
    fn a_header_with_other_members_is_malformed() {
        let new_key = Es256Key::from_random(&[5; 48]);
        let (id, here, key) = (reissue(1), url(HERE), new_key.public_key());
        let binding = Binding { reissue: &id, url: &here, key };
        for header in [
            format!(r#"{{"alg":"ES256","kid":"{id}","typ":"{TYP}"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{id}","typ":"{TYP}","url":"{HERE}","nonce":"x"}}"#),
            format!(r#"["ES256","{id}","{TYP}","{HERE}"]"#),
        ] {
            let payload = key.to_canonical_jwk();
            let jws = Flattened::sign(header.as_bytes(), payload.as_bytes(), &code_key(1));
            let jws = EmbeddedJws::from_slice(&jws.expect("signed")).expect("a JWS");
            let verified = binding.verify(&jws, code_key(1).public_key(), &RustCrypto);
            assert_eq!(verified, Err(BindingError::Form), "{header}");
        }
    }
}
