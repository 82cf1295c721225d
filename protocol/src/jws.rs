//! Signed requests: flattened JWS (RFC 7515 section 7.2.2) with exactly the members of SPEC.md.
//!
//! A request is [`Parsed`] first: its form is right, and nothing of it is trusted. Only
//! [`Parsed::verify`] makes a [`Verified`] of it, whose payload may be read.

pub(crate) mod flattened;
mod header;
mod nonce;
mod request;

use serde::de::DeserializeOwned;
use thiserror::Error;

use self::flattened::Flattened;
pub use self::nonce::{InvalidNonce, Nonce};
pub use self::request::Request;
use crate::algorithm::Algorithm;
use crate::json::{self, JsonError};
use crate::jwk::{KeyError, PublicKey};
use crate::operation::{Identification, Operation};
use crate::url::{InvalidUrl, Url};
use crate::verify::{BadSignature, Verifier};

/// Who signs, named by exactly one of three header members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// `x5c`: the certificate itself, as DER that nobody has looked at yet.
    Certificate(Box<[u8]>),
    /// `kid`: the URL of the session.
    Session(Url),
    /// `jwk`: a bare key.
    Key(Box<PublicKey>),
}

impl By {
    /// Which member it was.
    pub const fn identification(&self) -> Identification {
        match self {
            Self::Certificate(_) => Identification::Certificate,
            Self::Session(_) => Identification::Session,
            Self::Key(_) => Identification::Key,
        }
    }
}

/// Where a request came to.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// The operation that is asked for there.
    pub operation: Operation,
    /// The bank's URL of it.
    pub url: &'a Url,
}

/// Why a request was refused on account of its JWS. The order of the variants is the order of the
/// checks.
#[derive(Debug, Error)]
pub enum JwsError {
    /// Not a JSON object of exactly `protected`, `payload` and `signature` within 64 KiB.
    #[error("the request is not a flattened JWS: {0}")]
    Flattened(#[source] JsonError),
    /// A part is not canonical base64url.
    #[error("the JWS member {0:?} is not canonical base64url")]
    Base64(&'static str),
    /// The protected header is not a JSON object of exactly the members it must have.
    #[error("the protected header is malformed: {0}")]
    Header(#[source] JsonError),
    /// None or several of `x5c`, `kid` and `jwk`.
    #[error("the protected header must have exactly one of x5c, kid and jwk")]
    NotOneSigner,
    /// The `nonce` cannot be one.
    #[error("the nonce is malformed")]
    Nonce,
    /// The `url` or `kid` is no URL of the protocol.
    #[error("the protected {member:?} is no URL of the protocol: {reason}")]
    Url {
        /// `url` or `kid`.
        member: &'static str,
        /// What is wrong with it.
        reason: InvalidUrl,
    },
    /// The `x5c` is not an array of one certificate in base64; that there is something other than a
    /// certificate in the base64 is noticed together with its key only.
    #[error("x5c must hold exactly one certificate in base64")]
    Certificate,
    /// The `typ` is of no operation.
    #[error("the protected typ is of no operation")]
    UnknownType,
    /// The `typ` is not that of the resource that it came to.
    #[error("the protected typ is that of another operation")]
    OtherType,
    /// The `url` is not that of the resource that it came to.
    #[error("the protected url is not the URL that the request was sent to")]
    OtherUrl,
    /// That header member may not name the signer of that operation.
    #[error("{operation} is not signed by {identification:?}")]
    WrongSigner {
        /// What was asked for.
        operation: Operation,
        /// How its signer was named.
        identification: Identification,
    },
    /// The `alg` is none of the protocol's.
    #[error("the protected alg is not supported")]
    UnknownAlgorithm,
    /// The `jwk` is not a key that may be used.
    #[error("the jwk is refused: {0}")]
    Key(#[source] KeyError),
    /// The `alg` does not fit the key, or is not supported here.
    #[error("the algorithm {0} does not fit the key or is not supported here")]
    Algorithm(Algorithm),
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// The payload is not what the operation wants.
    #[error("the payload is malformed: {0}")]
    Payload(#[source] JsonError),
    /// There must be no payload, and there is one; only `koshin-read+jws` has none.
    #[error("a request that reads has an empty payload")]
    PayloadNotEmpty,
}

/// A signed request whose form is right. Nothing is known yet of nonce, signature and payload.
#[derive(Debug)]
pub struct Parsed {
    operation: Operation,
    algorithm: Algorithm,
    url: Url,
    nonce: Nonce,
    by: By,
    /// Of `jwk` and `x5c`.
    own_key: Option<PublicKey>,
    jws: Flattened,
}

impl Parsed {
    /// Reads the body of a request. At most 64 KiB.
    pub fn from_slice(body: &[u8]) -> Result<Self, JwsError> {
        let jws = Flattened::from_slice(body)?;
        header::read(jws, None)
    }

    /// Reads the body of a request that came to a resource: what was signed for another operation
    /// or URL is refused before its algorithm and key are looked at (SPEC.md 5.7).
    pub fn for_resource(body: &[u8], resource: Resource<'_>) -> Result<Self, JwsError> {
        let jws = Flattened::from_slice(body)?;
        header::read(jws, Some(resource))
    }

    /// What it asks for (protected `typ`).
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// How it is signed (protected `alg`).
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Where it was meant to go (protected `url`); to be compared with where it came to.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Its nonce, to be spent before the signature is looked at.
    pub const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// Who says to have signed it.
    pub const fn by(&self) -> &By {
        &self.by
    }

    /// The key that the request itself carries in `jwk` or `x5c`.
    pub const fn own_key(&self) -> Option<&PublicKey> {
        self.own_key.as_ref()
    }

    /// Verifies the signature under the key of the session or certificate that [`Parsed::by`]
    /// names. Where the request carries a key it must be that very key.
    pub fn verify(self, verifier: &dyn Verifier, key: &PublicKey) -> Result<Verified, JwsError> {
        if self.own_key.as_ref().is_some_and(|own| own != key) {
            return Err(JwsError::Signature);
        }
        self.check(verifier, key)?;
        Ok(Verified { parsed: self })
    }

    /// Verifies the signature under the key that the request carries in `jwk` or `x5c`; refused
    /// for a request that names a session. For `x5c` it says nothing of the certificate but that
    /// its key signed.
    pub fn verify_by_own_key(self, verifier: &dyn Verifier) -> Result<Verified, JwsError> {
        let key = self.own_key.as_ref().ok_or(JwsError::Signature)?;
        self.check(verifier, key)?;
        Ok(Verified { parsed: self })
    }

    fn check(&self, verifier: &dyn Verifier, key: &PublicKey) -> Result<(), JwsError> {
        let (input, signature) = (self.jws.signing_input(), self.jws.signature());
        verifier.verify(self.algorithm, key, input, signature).map_err(|error| match error {
            BadSignature::Wrong => JwsError::Signature,
            BadSignature::KeyMismatch | BadSignature::Unsupported => {
                JwsError::Algorithm(self.algorithm)
            }
        })
    }
}

/// A request whose signature was verified. There is no other way to make one.
#[derive(Debug)]
pub struct Verified {
    parsed: Parsed,
}

impl Verified {
    /// What it asks for.
    pub const fn operation(&self) -> Operation {
        self.parsed.operation
    }

    /// Where it was meant to go.
    pub const fn url(&self) -> &Url {
        &self.parsed.url
    }

    /// Who signed it.
    pub const fn by(&self) -> &By {
        &self.parsed.by
    }

    /// The key that the request itself carries in `jwk` or `x5c`.
    pub const fn own_key(&self) -> Option<&PublicKey> {
        self.parsed.own_key.as_ref()
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        self.parsed.jws.payload()
    }

    /// The payload as the object that the operation wants.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        json::parse_request(self.payload()).map_err(JwsError::Payload)
    }

    /// Makes sure that there is no payload, as in a request that only reads.
    pub fn nothing(&self) -> Result<(), JwsError> {
        if self.payload().is_empty() { Ok(()) } else { Err(JwsError::PayloadNotEmpty) }
    }
}

#[cfg(test)]
mod tests;
