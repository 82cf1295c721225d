//! What CRLs are made of, and the newest one.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;

/// A certificate of another CA that was imported and revoked here: no CRL of this bank lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedRevocation {
    /// Its name.
    pub cert_id: CertId,
    /// When it was revoked.
    pub revoked_at: Time,
    /// `CRLReason`; `None` for unspecified.
    pub crl_reason: Option<u8>,
}

/// A revoked certificate, as the CRL lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRow {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// When it was revoked.
    pub revoked_at: Time,
    /// `CRLReason` (RFC 5280 5.3.1); `None` for unspecified, which is left out.
    pub crl_reason: Option<u8>,
    /// Last second of the certificate's validity; `None` if only a former CRL knows it.
    pub not_after: Option<Time>,
}

/// A superseded certificate that cannot be restored any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededRow {
    /// Content octets of the serial's DER.
    pub serial: Vec<u8>,
    /// When its successor was confirmed.
    pub confirmed: Time,
}

/// A CRL as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRow {
    /// `cRLNumber`
    pub number: u64,
    /// When it was published.
    pub published: Time,
    /// The CRL itself.
    pub der: Vec<u8>,
}
