//! The name of a certificate on the wire, as RFC 9773 section 4.1 constructs it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::base64url;
use crate::certificate::Certificate;
use crate::text::serde_as_text;

/// `certID`: two parts of base64url with a dot between. The first is the key identifier of the
/// Authority Key Identifier, the second the content octets of the serial number's DER.
///
/// For a certificate without that key identifier the first part is the SHA-256 of the DER of its
/// issuer's name, 32 bytes (SPEC.md, Encodings).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertId(Box<str>);

/// The text is not a certID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a certID: two parts of canonical base64url, key identifier and serial number")]
pub struct InvalidCertId;

/// No key identifier that is in use is longer.
const MAX_AUTHORITY: usize = 64;
/// 20 octets (RFC 5280 section 4.1.2.2), and one for the sign in certificates that read it otherwise.
const MAX_SERIAL: usize = 21;

impl CertId {
    /// Names a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        match certificate.authority_key_id() {
            Some(id) if (1..=MAX_AUTHORITY).contains(&id.len()) => {
                Self::join(id, certificate.serial())
            }
            _ => Self::join(&Sha256::digest(certificate.issuer().der()), certificate.serial()),
        }
    }

    /// Makes a certID of its two parts.
    pub fn new(authority: &[u8], serial: &[u8]) -> Result<Self, InvalidCertId> {
        let good = (1..=MAX_AUTHORITY).contains(&authority.len())
            && (1..=MAX_SERIAL).contains(&serial.len())
            && is_minimal(serial);
        if good { Ok(Self::join(authority, serial)) } else { Err(InvalidCertId) }
    }

    /// The key identifier, or the hash in its place.
    pub fn authority(&self) -> Vec<u8> {
        self.part(0)
    }

    /// The content octets of the serial number's DER.
    pub fn serial(&self) -> Vec<u8> {
        self.part(1)
    }

    /// The certID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn join(authority: &[u8], serial: &[u8]) -> Self {
        Self(format!("{}.{}", base64url::encode(authority), base64url::encode(serial)).into())
    }

    fn part(&self, index: usize) -> Vec<u8> {
        let part = self.0.split('.').nth(index).expect("a certID has two parts");
        base64url::decode(part).expect("a certID's parts are base64url")
    }
}

/// DER integers have no needless leading octet (X.690 section 8.3.2).
fn is_minimal(integer: &[u8]) -> bool {
    !matches!(integer, [0, second, ..] if second & 0x80 == 0)
        && !matches!(integer, [0xff, second, ..] if second & 0x80 != 0)
}

impl FromStr for CertId {
    type Err = InvalidCertId;

    fn from_str(text: &str) -> Result<Self, InvalidCertId> {
        // Ahead of decoding, so that a long text costs nothing.
        if text.len() > (MAX_AUTHORITY + MAX_SERIAL) * 4 / 3 + 4 {
            return Err(InvalidCertId);
        }
        let (authority, serial) = text.split_once('.').ok_or(InvalidCertId)?;
        let read = |part| base64url::decode(part).map_err(|_| InvalidCertId);
        Self::new(&read(authority)?, &read(serial)?)
    }
}

impl fmt::Display for CertId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for CertId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

serde_as_text!(
    CertId,
    (Vec<u8>, Vec<u8>),
    |id| (id.authority(), id.serial()),
    |(authority, serial): (Vec<u8>, Vec<u8>)| Self::new(&authority, &serial)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_9773_is_made_and_read() {
        let authority = [
            0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0,
            0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4,
        ];
        let serial = [0x00, 0x87, 0x65, 0x43, 0x21];
        let text = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";
        assert_eq!(CertId::new(&authority, &serial).expect("a certID").as_str(), text);
        let read: CertId = text.parse().expect("a certID");
        assert_eq!(read.authority(), authority);
        assert_eq!(read.serial(), serial);
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("{}.AQ", "A".repeat(1000));
        for text in
            ["", ".", "AA", "AA.", ".AA", "AA.AA.AA", "AA.AH8", "AA.__8", "AB.AA", "AA.A", &long]
        {
            assert_eq!(text.parse::<CertId>(), Err(InvalidCertId), "{text}");
        }
    }
}
