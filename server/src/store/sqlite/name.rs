//! How a name stands in its column: an octet for its kind, then its bytes.

use crate::rule::Name;

/// The bytes of a name.
pub(super) fn bytes(name: &Name) -> Vec<u8> {
    let (kind, value): (u8, &[u8]) = match name {
        Name::Key(key) => (b'K', key.as_bytes()),
        Name::Fingerprint(fingerprint) => (b'F', fingerprint.as_bytes()),
        Name::CertId(id) => (b'C', id.as_str().as_bytes()),
        Name::Reissue(id) => (b'R', id.as_bytes()),
        Name::Subject(id) => (b'S', id.as_bytes()),
        Name::SubjectName(name) => (b'N', name),
    };
    let mut bytes = Vec::with_capacity(1 + value.len());
    bytes.push(kind);
    bytes.extend_from_slice(value);
    bytes
}
