//! The newest CRL, as a restore takes it along: what it lists is revoked, whatever a backup says.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode, Sequence};
use koshin_protocol::algorithm::X509Algorithm;
use koshin_protocol::certificate::{Certificate, key_id};
use koshin_protocol::time::Time;
use koshin_protocol::verify::Verifier;
use thiserror::Error;
use x509_cert::crl::TbsCertList;

use crate::store::crl::RevocationRow;

/// A CRL whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestCrl {
    issuer: Vec<u8>,
    number: u64,
    published: Time,
    revoked: Vec<RevocationRow>,
    der: Vec<u8>,
}

/// Not a CRL of this issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadCrl {
    /// Not the DER of a numbered CRL.
    #[error("the CRL cannot be read, or it has no number")]
    Encoding,
    /// The issuer's name or signature is another's.
    #[error("the CRL was not signed by this issuer")]
    Issuer,
}

#[derive(Sequence)]
struct Signed<'a> {
    tbs: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");

impl LatestCrl {
    /// Reads a CRL that `issuer` signed. Whether it is still fresh does not matter here.
    pub fn from_der(
        der: &[u8],
        issuer: &Certificate,
        verifier: &dyn Verifier,
    ) -> Result<Self, BadCrl> {
        let signed = Signed::from_der(der).map_err(bad)?;
        let tbs = signed.tbs.to_der().map_err(bad)?;
        let algorithm = signed.algorithm.to_der().map_err(bad)?;
        let algorithm = X509Algorithm::from_der(&algorithm).map_err(bad)?;
        let signature = signed.signature.as_bytes().ok_or(BadCrl::Encoding)?;
        verifier
            .verify_x509(algorithm, issuer.key(), &tbs, signature)
            .map_err(|_| BadCrl::Issuer)?;
        let list: TbsCertList = TbsCertList::from_der(&tbs).map_err(bad)?;
        if list.issuer.to_der().map_err(bad)? != issuer.subject().der() {
            return Err(BadCrl::Issuer);
        }
        let extensions = list.crl_extensions.unwrap_or_default();
        let number = extensions.iter().find(|extension| extension.extn_id == CRL_NUMBER);
        let number = number.ok_or(BadCrl::Encoding)?.extn_value.as_bytes();
        let mut revoked = Vec::new();
        for entry in list.revoked_certificates.unwrap_or_default() {
            let reason = entry.crl_entry_extensions.unwrap_or_default();
            let reason = reason.iter().find(|extension| extension.extn_id == REASON_CODE);
            revoked.push(RevocationRow {
                serial: content(&entry.serial_number.to_der().map_err(bad)?)?,
                revoked_at: time(entry.revocation_date)?,
                crl_reason: reason.and_then(|value| value.extn_value.as_bytes().last().copied()),
                not_after: None,
            });
        }
        Ok(Self {
            issuer: issuer
                .subject_key_id()
                .map_or_else(|| key_id(issuer.key()).to_vec(), <[u8]>::to_vec),
            number: u64::from_der(number).map_err(bad)?,
            published: time(list.this_update)?,
            revoked,
            der: der.to_vec(),
        })
    }

    /// The issuer's key identifier: the first part of its certificates' certIDs.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// `cRLNumber`
    pub fn number(&self) -> u64 {
        self.number
    }

    /// `thisUpdate`
    pub fn published(&self) -> Time {
        self.published
    }

    /// What it lists.
    pub fn revoked(&self) -> &[RevocationRow] {
        &self.revoked
    }

    /// The CRL itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

fn time(time: x509_cert::time::Time) -> Result<Time, BadCrl> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(bad)?;
    Time::from_unix(seconds).map_err(bad)
}

/// The content octets of a short INTEGER's DER.
fn content(integer: &[u8]) -> Result<Vec<u8>, BadCrl> {
    match integer {
        [0x02, length, content @ ..] if usize::from(*length) == content.len() => {
            Ok(content.to_vec())
        }
        _ => Err(BadCrl::Encoding),
    }
}

fn bad<E>(_: E) -> BadCrl {
    BadCrl::Encoding
}
