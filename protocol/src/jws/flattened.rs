//! The outer form: a JSON object of `protected`, `payload` and `signature`.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error as _;
use zeroize::Zeroizing;

use super::JwsError;
use crate::base64url;
use crate::json::{JsonError, MAX_DOCUMENT};
use crate::sign::{SignError, Signer};

/// A flattened JWS, its parts decoded once; the signature is not verified.
#[derive(Debug)]
pub(crate) struct Flattened {
    /// `BASE64URL(protected) . BASE64URL(payload)`, the very characters that were sent.
    signing_input: Vec<u8>,
    header: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// All members are strings and unknown or repeated ones are errors, so that no separate walk for
/// duplicates, depth and the like is needed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    #[serde(borrow)]
    protected: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow)]
    signature: Cow<'a, str>,
}

impl Flattened {
    pub(crate) fn from_slice(bytes: &[u8]) -> Result<Self, JwsError> {
        let members: Members<'_> = read_object(bytes).map_err(JwsError::Flattened)?;
        let decode =
            |member, text: &str| base64url::decode(text).map_err(|_| JwsError::Base64(member));
        let header = decode("protected", &members.protected)?;
        let payload = decode("payload", &members.payload)?;
        let signature = decode("signature", &members.signature)?;
        let signing_input = join(&members.protected, &members.payload);
        Ok(Self { signing_input, header, payload, signature })
    }

    /// Signs header and payload and writes the JWS. Beside it no copy of the payload is left in memory: it may hold a PIN.
    pub(crate) fn sign(
        header: &[u8],
        payload: &[u8],
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, SignError> {
        let protected = base64url::encode(header);
        let payload = Zeroizing::new(base64url::encode(payload));
        let signature = signer.sign(&Zeroizing::new(join(&protected, &payload)))?;
        let signature = base64url::encode(&signature);
        let parts = [
            r#"{"protected":""#,
            &protected,
            r#"","payload":""#,
            &payload,
            r#"","signature":""#,
            &signature,
            r#""}"#,
        ];
        // In one piece: `concat` knows how long it is.
        Ok(parts.concat().into_bytes())
    }

    pub(crate) fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    pub(crate) fn header(&self) -> &[u8] {
        &self.header
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

fn join(protected: &str, payload: &str) -> Vec<u8> {
    let mut joined = Vec::with_capacity(protected.len() + 1 + payload.len());
    joined.extend_from_slice(protected.as_bytes());
    joined.push(b'.');
    joined.extend_from_slice(payload.as_bytes());
    joined
}

/// Reads an object whose type is itself strict about its members. serde would accept an array of
/// the members' values as well.
pub(crate) fn read_object<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, JsonError> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(JsonError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(JsonError::Shape(serde_json::Error::custom("it is not an object")));
    }
    serde_json::from_str(text).map_err(JsonError::Shape)
}
