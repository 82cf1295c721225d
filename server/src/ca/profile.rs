//! What a customer's certificate says: clientAuth and nothing else, the subject byte for byte, and
//! how long it is valid.

use koshin_protocol::certificate::{CLIENT_AUTH, KeyUsages, Kind, Name, Profile};
use koshin_protocol::jwk::PublicKey;
use koshin_protocol::time::Time;

use super::{Authority, ToBeSigned};
use crate::clock::TimeOfIssue;
use crate::policy::Policy;

/// A certificate's first and last second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    not_before: Time,
    not_after: Time,
}

/// What decides how long a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// It follows one that ends then: renewing early loses nothing.
    Renewal {
        /// The predecessor's `notAfter`.
        predecessor: Time,
    },
    /// It is the first, or follows one that cannot renew.
    Enrollment,
}

/// Why no certificate can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unissuable {
    /// The issuing certificate ends too early for the new one to be of any use.
    #[error(
        "the issuing certificate ends at {issuer}, so that a new certificate would not last longer than the old one"
    )]
    IssuerEnds {
        /// Its `notAfter`.
        issuer: Time,
    },
    /// The validity is no stretch of time in 1970 or later.
    #[error("a validity from {not_before} to {not_after} is none, or begins before 1970")]
    NoValidity {
        /// Its first second.
        not_before: Time,
        /// Its last.
        not_after: Time,
    },
    /// The system has no randomness for a serial number.
    #[error("the system has no randomness")]
    NoRandomness,
}

impl Validity {
    /// Both ends included.
    pub fn new(not_before: Time, not_after: Time) -> Result<Self, Unissuable> {
        if not_before > not_after || not_before.unix() < 0 {
            return Err(Unissuable::NoValidity { not_before, not_after });
        }
        Ok(Self { not_before, not_after })
    }

    /// The validity of a certificate that is issued at that moment: from a little before, for clocks that are
    /// behind, until a term after its predecessor or after now, but not past its issuer's end.
    ///
    /// Where the bank's clock is in doubt it begins by the earlier time (CRT-07): a successor from the
    /// future would leave its holder with a superseded certificate and one that is not valid yet.
    pub fn of(
        basis: Basis,
        policy: &Policy,
        authority: &Authority,
        moment: TimeOfIssue,
    ) -> Result<Self, Unissuable> {
        let now = moment.earliest;
        let (useful_after, wanted) = match basis {
            Basis::Renewal { predecessor } => (predecessor.max(now), policy.not_after(predecessor)),
            Basis::Enrollment => (now, policy.not_after(moment.counted_from)),
        };
        let issuer = authority.certificate();
        let not_after = wanted.min(issuer.not_after());
        if not_after <= useful_after {
            return Err(Unissuable::IssuerEnds { issuer: issuer.not_after() });
        }
        let not_before = now.checked_sub(policy.certificate.backdate).unwrap_or(now);
        Self::new(not_before.max(issuer.not_before()).min(now), not_after)
    }

    /// The first second.
    pub fn not_before(&self) -> Time {
        self.not_before
    }

    /// The last second.
    pub fn not_after(&self) -> Time {
        self.not_after
    }
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Customer<'a> {
    /// The subject's name, taken over byte for byte.
    pub subject: &'a Name,
    /// The key that the CSR proved.
    pub key: &'a PublicKey,
    /// How long.
    pub validity: Validity,
}

impl Customer<'_> {
    /// The certificate to be signed by `authority`, with a fresh serial number.
    pub fn prepare(&self, authority: &Authority) -> Result<ToBeSigned, Unissuable> {
        let serial = serial().map_err(|_| Unissuable::NoRandomness)?;
        let profile = Profile {
            serial: &serial,
            issuer: authority.issuing.subject(),
            not_before: self.validity.not_before,
            not_after: self.validity.not_after,
            subject: self.subject,
            key: self.key,
            kind: Kind::Leaf,
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: &[CLIENT_AUTH],
            authority_key_id: Some(&authority.key_id),
            crl: &[&authority.crl_url],
        };
        let tbs = profile
            .to_tbs(authority.algorithm)
            .expect("an authority's algorithm signs certificates");
        Ok(ToBeSigned::stored(serial.to_vec(), tbs))
    }
}

/// A serial number: 126 random bits under a fixed one, so that each is positive and has the same 16
/// octets in DER and as a number (RFC 5280 4.1.2.2 allows 20; the CA/Browser Forum wants 64 random
/// bits).
pub(super) fn serial() -> Result<[u8; 16], getrandom::Error> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}
