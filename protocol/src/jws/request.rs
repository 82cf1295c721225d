//! Making a signed request.

use serde::Serialize;

use super::flattened::Flattened;
use super::{By, Nonce};
use crate::base64url;
use crate::jwk::PublicKey;
use crate::operation::Operation;
use crate::sign::{SignError, Signer};
use crate::url::Url;

/// A request before it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it asks for.
    pub operation: Operation,
    /// Where it goes.
    pub url: &'a Url,
    /// A nonce of that bank, never used before.
    pub nonce: &'a Nonce,
    /// Who signs: the signer's certificate, session or key.
    pub by: &'a By,
    /// The payload: empty to read, else a JSON object.
    pub payload: &'a [u8],
}

/// Members in the order in which they are written.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    nonce: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<&'a PublicKey>,
}

impl Request<'_> {
    /// Signs the request; the result is the body to send, `application/jose+json`.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let mut header = Header {
            alg: signer.algorithm().as_str(),
            typ: self.operation.typ(),
            nonce: self.nonce.as_str(),
            url: self.url.as_str(),
            x5c: None,
            kid: None,
            jwk: None,
        };
        match self.by {
            By::Certificate(der) => header.x5c = Some([base64url::encode_standard(der)]),
            By::Session(url) => header.kid = Some(url.as_str()),
            By::Key(key) => header.jwk = Some(key),
        }
        let header = serde_json::to_vec(&header).expect("a header of strings is JSON");
        Flattened::sign(&header, self.payload, signer)
    }
}
