//! The protected header of a signed request.

use std::borrow::Cow;

use serde::Deserialize;

use super::flattened::{Flattened, read_object};
use super::{By, JwsError, Parsed, Resource};
use crate::algorithm::Algorithm;
use crate::base64url;
use crate::certificate::{self, CertificateError};
use crate::json::present;
use crate::jwk::{Members, PublicKey};
use crate::operation::{Identification, Operation};
use crate::url::Url;

/// All members known, none twice, no strings in between: strict without a walk of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    x5c: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    jwk: Option<Members<'a>>,
}

/// The signer as it is named, not yet checked.
enum Named<'a> {
    Certificate(Box<[u8]>),
    Session(Url),
    Key(Members<'a>),
}

/// The checks stand in the order of SPEC.md 5.7: form, then operation, then algorithm and key.
pub(super) fn read(jws: Flattened, resource: Option<Resource<'_>>) -> Result<Parsed, JwsError> {
    let header: Header<'_> = read_object(jws.header()).map_err(JwsError::Header)?;
    let named = match (header.x5c, header.kid, header.jwk) {
        (Some(x5c), None, None) => Named::Certificate(certificate_der(&x5c)?),
        (None, Some(kid), None) => Named::Session(url("kid", &kid)?),
        (None, None, Some(members)) => Named::Key(members),
        _ => return Err(JwsError::NotOneSigner),
    };
    let nonce = header.nonce.parse().map_err(|_| JwsError::Nonce)?;
    let url = url("url", &header.url)?;
    let operation = Operation::from_typ(&header.typ).map_err(|_| JwsError::UnknownType)?;
    if let Some(resource) = resource {
        resource.admits(operation, &url)?;
    }
    let identification = named.identification();
    if !operation.allows(identification) {
        return Err(JwsError::WrongSigner { operation, identification });
    }
    let algorithm: Algorithm = header.alg.parse().map_err(|_| JwsError::UnknownAlgorithm)?;
    let (by, own_key) = named.check()?;
    if own_key.as_ref().is_some_and(|key| key.key_type() != algorithm.key_type()) {
        return Err(JwsError::Algorithm(algorithm));
    }
    Ok(Parsed { operation, algorithm, url, nonce, by, own_key, jws })
}

impl Resource<'_> {
    fn admits(self, operation: Operation, url: &Url) -> Result<(), JwsError> {
        if operation != self.operation {
            return Err(JwsError::OtherType);
        }
        if url != self.url {
            return Err(JwsError::OtherUrl);
        }
        Ok(())
    }
}

impl Named<'_> {
    const fn identification(&self) -> Identification {
        match self {
            Self::Certificate(_) => Identification::Certificate,
            Self::Session(_) => Identification::Session,
            Self::Key(_) => Identification::Key,
        }
    }

    /// The signer, and its key if the request carries it.
    fn check(self) -> Result<(By, Option<PublicKey>), JwsError> {
        match self {
            Self::Session(url) => Ok((By::Session(url), None)),
            Self::Key(members) => {
                let key = PublicKey::try_from(members).map_err(JwsError::Key)?;
                Ok((By::Key(Box::new(key.clone())), Some(key)))
            }
            Self::Certificate(der) => {
                let key = certificate::public_key(&der).map_err(|error| match error {
                    CertificateError::Key(error) => JwsError::Key(error),
                    CertificateError::TooLong
                    | CertificateError::Encoding
                    | CertificateError::Version
                    | CertificateError::Validity
                    | CertificateError::Extension => JwsError::Certificate,
                })?;
                Ok((By::Certificate(der), Some(key)))
            }
        }
    }
}

fn url(member: &'static str, text: &str) -> Result<Url, JwsError> {
    Url::parse(text).map_err(|reason| JwsError::Url { member, reason })
}

/// Only the certificate itself: its issuers are the bank's to know.
fn certificate_der(x5c: &[Cow<'_, str>]) -> Result<Box<[u8]>, JwsError> {
    match x5c {
        [one] => match base64url::decode_standard(one) {
            Ok(der) if !der.is_empty() => Ok(der.into()),
            _ => Err(JwsError::Certificate),
        },
        _ => Err(JwsError::Certificate),
    }
}
