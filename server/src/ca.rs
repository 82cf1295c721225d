//! The certification authority (an embedded one, a remote one, an HSM): what issues certificates
//! and signs CRLs.
//!
//! Issuing once is a matter of order. An [`Issuer`] that signs at once is asked first, and order,
//! bytes and certificate are stored in one commit. Of any other, serial and exact bytes
//! ([`ToBeSigned`]) are stored first, then it is asked, then its certificate is stored; after a
//! crash in between it is asked for the same bytes again. Either way no certificate leaves the bank
//! before it is stored, and only what was stored counts.

mod crl;
mod embedded;
mod faulty;
mod files;
mod init;
mod profile;
mod tls;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use koshin_protocol::algorithm::Algorithm;
use koshin_protocol::certificate::Certificate;

pub use self::crl::{BadList, Crl, Entry, Reason};
pub use self::embedded::{Embedded, Receipts};
pub use self::faulty::{Fault, FaultyIssuer};
pub use self::files::{FileError, Passphrase};
pub use self::init::{InitError, NewAuthority};
pub use self::profile::{Basis, Customer, Unissuable, Validity};
pub use self::tls::{LoopbackTls, TlsCertificateError};

use crate::config::Origin;
use crate::route::Route;
use crate::urls::Urls;

/// An answer that is still being worked on. Dropping it asks nothing back: what was asked for may
/// still be signed.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Issues certificates under one issuing certificate.
pub trait Issuer: Send + Sync {
    /// Under which certificate, and what goes with it.
    fn authority(&self) -> &Authority;

    /// Whether it answers [`Answer::Issued`] without waiting for anybody, so that nothing needs to
    /// be stored before it is asked.
    fn signs_at_once(&self) -> bool;

    /// Signs the certificate, or says when to ask again.
    ///
    /// May be asked for the same bytes again, as often as it takes. Not every issuer gives the same
    /// signature then: the store keeps the first certificate of an order and throws any other away.
    fn issue<'a>(&'a self, request: &'a ToBeSigned) -> Answering<'a, Answer>;

    /// Signs a CRL.
    fn sign_crl<'a>(&'a self, crl: &'a Crl) -> Answering<'a, Result<Vec<u8>, Unavailable>>;
}

/// What an issuer made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Here it is.
    Issued(Box<Certificate>),
    /// Not yet: slow, or down. Ask again with the same bytes.
    Pending {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Never: the order becomes `invalid` (problem `issueFailed`).
    Refused {
        /// What the issuer says, for the bank's log.
        reason: String,
    },
}

/// The issuer cannot be reached or cannot sign just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certification authority does not answer; try again in {} s", retry_after.as_secs())]
pub struct Unavailable {
    /// When to ask again.
    pub retry_after: Duration,
}

/// A certificate before it is signed: what is stored before a slow issuer is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct ToBeSigned {
    serial: Vec<u8>,
    tbs: Vec<u8>,
}

impl ToBeSigned {
    /// Takes up again what was stored.
    pub fn stored(serial: Vec<u8>, tbs: Vec<u8>) -> Self {
        Self { serial, tbs }
    }

    /// Content octets of the serial number's DER.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The exact bytes to be signed: a `TBSCertificate` in DER.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }
}

impl fmt::Debug for ToBeSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToBeSigned({})", hex(&self.serial))
    }
}

/// An issuing certificate and what goes with it: everything about an issuer but its key.
#[derive(Debug, Clone)]
pub struct Authority {
    issuing: Certificate,
    above: Vec<Certificate>,
    algorithm: Algorithm,
    key_id: Vec<u8>,
    crl_url: String,
}

/// The certificates cannot be those of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAuthority {
    /// It may not issue certificates and CRLs, or has no Subject Key Identifier.
    #[error(
        "the issuing certificate is no CA certificate for certificates and CRLs with a Subject Key Identifier"
    )]
    Certificate,
    /// Its key is of a type that does not sign certificates here.
    #[error("the issuing certificate's key is neither P-256, P-384, Ed25519 nor RSA")]
    Key,
}

impl Authority {
    /// An issuer with the certificate `issuing`, under `above` (next issuer first, the root last),
    /// whose CRL the bank with `origin` publishes.
    pub fn new(
        issuing: Certificate,
        above: Vec<Certificate>,
        algorithm: Algorithm,
        origin: &Origin,
    ) -> Result<Self, NotAnAuthority> {
        let usable = issuing.is_authority()
            && issuing
                .key_usages()
                .is_some_and(|usages| usages.signs_certificates() && usages.signs_crls());
        let key_id = issuing
            .subject_key_id()
            .filter(|_| usable)
            .ok_or(NotAnAuthority::Certificate)?
            .to_vec();
        if algorithm.key_type() != issuing.key().key_type() {
            return Err(NotAnAuthority::Key);
        }
        let crl_url = crl_url(origin, &key_id);
        Ok(Self { issuing, above, algorithm, key_id, crl_url })
    }

    /// The issuing certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.issuing
    }

    /// The issuing certificate and those above it, without the root: what follows a leaf in a chain
    /// (`chain`, `meta.issuers`).
    pub fn chain(&self) -> impl Iterator<Item = &Certificate> {
        let above = self.above.iter().take(self.above.len().saturating_sub(1));
        std::iter::once(&self.issuing).chain(above)
    }

    /// The root, which clients are configured with.
    pub fn root(&self) -> &Certificate {
        self.above.last().unwrap_or(&self.issuing)
    }

    /// What names its CRL in a URL (`crl/{issuer}`): its Subject Key Identifier in hexadecimal.
    pub fn id(&self) -> String {
        hex(&self.key_id)
    }

    /// Where the CRL is, as each certificate's CRL distribution point says.
    pub fn crl_url(&self) -> &str {
        &self.crl_url
    }
}

/// Where the bank with `origin` publishes the CRL of the issuer with that Subject Key Identifier.
fn crl_url(origin: &Origin, key_id: &[u8]) -> String {
    Urls::new(origin).of(&Route::Crl(hex(key_id))).to_string()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| DIGITS[usize::from(digit)])
        .collect()
}

#[cfg(test)]
mod tests;
