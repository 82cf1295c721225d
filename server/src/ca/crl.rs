//! Certificate revocation lists: version 2, complete, numbered (RFC 5280 section 5).

use der::asn1::{AnyRef, GeneralizedTime, IntRef, ObjectIdentifier, OctetString, UtcTime};
use der::{Decode, Encode, Enumerated, Sequence};
use koshin_protocol::algorithm::X509Algorithm;
use koshin_protocol::time::{Period, Time};
use x509_cert::time::Time as X509Time;

use super::Authority;

/// A CRL before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    tbs: Vec<u8>,
}

/// One revoked certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Content octets of its serial number's DER.
    pub serial: &'a [u8],
    /// When it was revoked.
    pub revoked_at: Time,
    /// Why; `None` leaves the reason out, which is how `unspecified` is said (RFC 5280 5.3.1).
    pub reason: Option<Reason>,
}

/// Why a certificate is on the list (RFC 5280 5.3.1): the reasons that this bank gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enumerated)]
#[asn1(type = "ENUMERATED")]
#[repr(u8)]
pub enum Reason {
    /// The private key is in other hands, or the device is.
    KeyCompromise = 1,
    /// The subject's data changed.
    AffiliationChanged = 3,
    /// A newer certificate took its place.
    Superseded = 4,
    /// It is not needed any more; a canceled or rolled back successor, too.
    CessationOfOperation = 5,
}

impl Reason {
    /// The reason with that `CRLReason` number; `None` for numbers that this bank does not give.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::KeyCompromise,
            Self::AffiliationChanged,
            Self::Superseded,
            Self::CessationOfOperation,
        ]
        .into_iter()
        .find(|reason| reason.code() == code)
    }

    /// Its `CRLReason` number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The list cannot be made: a serial is empty, a time is before 1970 or the list is longer than DER
/// can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the list has a serial number or a time that a CRL cannot hold")]
pub struct BadList;

impl Crl {
    /// The list of all revoked certificates of `authority`: number `number`, true at `now`, and
    /// replaced by a newer one within `life`.
    pub fn new<'a>(
        authority: &Authority,
        number: u64,
        now: Time,
        life: Period,
        entries: impl IntoIterator<Item = Entry<'a>>,
    ) -> Result<Self, BadList> {
        let algorithm = X509Algorithm::of(authority.algorithm).ok_or(BadList)?;
        // The certificates below this issuer name it by its own key identifier. Taking over the AKI
        // of the issuer's certificate instead would name the issuer above it, and OpenSSL would not
        // find the CRL.
        list(
            &algorithm.to_der(),
            authority.issuing.subject().der(),
            &authority.key_id,
            number,
            (now, now.checked_add(life).ok_or(BadList)?),
            entries,
        )
        .map(|tbs| Self { tbs })
        .map_err(|_| BadList)
    }

    /// The exact bytes to be signed: a `TBSCertList` in DER.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }
}

fn list<'a>(
    algorithm: &[u8],
    issuer: &[u8],
    key_id: &[u8],
    number: u64,
    (this_update, next_update): (Time, Time),
    entries: impl IntoIterator<Item = Entry<'a>>,
) -> der::Result<Vec<u8>> {
    let revoked = entries.into_iter().map(Revoked::new).collect::<der::Result<Vec<_>>>()?;
    TbsCertList {
        version: 1,
        signature: AnyRef::from_der(algorithm)?,
        issuer: AnyRef::from_der(issuer)?,
        this_update: x509_time(this_update)?,
        next_update: x509_time(next_update)?,
        // RFC 5280 5.1.2.6: absent, not empty.
        revoked: (!revoked.is_empty()).then_some(revoked),
        extensions: vec![
            Extension::new(
                AUTHORITY_KEY_ID,
                &AuthorityKeyId { key_id: OctetString::new(key_id)? },
            )?,
            Extension::new(CRL_NUMBER, &number)?,
        ],
    }
    .to_der()
}

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

#[derive(Sequence)]
struct TbsCertList<'a> {
    version: u8,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    this_update: X509Time,
    next_update: X509Time,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Revoked<'a>>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Revoked<'a> {
    serial: IntRef<'a>,
    since: X509Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

impl<'a> Revoked<'a> {
    fn new(entry: Entry<'a>) -> der::Result<Self> {
        if entry.serial.is_empty() {
            return Err(der::ErrorKind::Length { tag: der::Tag::Integer }.into());
        }
        let reason = entry.reason.map(|reason| Extension::new(REASON_CODE, &reason)).transpose()?;
        Ok(Self {
            serial: IntRef::new(entry.serial)?,
            since: x509_time(entry.revoked_at)?,
            extensions: reason.map(|reason| vec![reason]),
        })
    }
}

/// None of the extensions here is critical, so that the flag stays out.
#[derive(Sequence)]
struct Extension {
    id: ObjectIdentifier,
    value: OctetString,
}

impl Extension {
    fn new(id: ObjectIdentifier, value: &impl Encode) -> der::Result<Self> {
        Ok(Self { id, value: OctetString::new(value.to_der()?)? })
    }
}

#[derive(Sequence)]
struct AuthorityKeyId {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    key_id: OctetString,
}

/// RFC 5280 5.1.2.4: `UTCTime` through 2049, `GeneralizedTime` after.
pub(super) fn x509_time(time: Time) -> der::Result<X509Time> {
    let seconds = u64::try_from(time.unix()).map_err(|_| der::ErrorKind::DateTime)?;
    let since = std::time::Duration::from_secs(seconds);
    UtcTime::from_unix_duration(since)
        .map(X509Time::UtcTime)
        .or_else(|_| GeneralizedTime::from_unix_duration(since).map(X509Time::GeneralTime))
}
