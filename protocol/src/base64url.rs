//! base64url without padding, in its one canonical form (RFC 4648 section 5, RFC 7515 section 2).
//!
//! Padding, white space, characters of the other alphabet and unused bits that are not zero are
//! refused, so that no two texts stand for the same bytes.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use thiserror::Error;

/// The text is not canonical base64url without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not canonical base64url without padding")]
pub struct Invalid;

/// Writes bytes as base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Reads base64url without padding; anything but the canonical text of some bytes is refused.
pub fn decode(text: &str) -> Result<Vec<u8>, Invalid> {
    Base64UrlUnpadded::decode_vec(text).map_err(|_| Invalid)
}

/// Whether every character is of the base64url alphabet; it says nothing of length or unused bits.
pub fn is_alphabet(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Writes standard base64 with padding, as `x5c` and `chain` want it (RFC 7515 section 4.1.6).
pub fn encode_standard(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Reads standard base64 with padding, in its canonical form only (RFC 7515 section 4.1.6).
pub fn decode_standard(text: &str) -> Result<Vec<u8>, Invalid> {
    Base64::decode_vec(text).map_err(|_| Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7515_appendix_c_is_read_and_written() {
        assert_eq!(encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME"), Ok(vec![3, 236, 255, 224, 193]));
    }

    #[test]
    fn the_empty_text_is_no_bytes() {
        assert_eq!(encode(b""), "");
        assert_eq!(decode(""), Ok(Vec::new()));
    }

    #[test]
    fn anything_but_the_canonical_text_is_refused() {
        for text in ["A", "AA==", "AA=", "AB", "AAB", "A+__", "A/__", "AA AA", "AAAA\n", "ÄAAA"] {
            assert_eq!(decode(text), Err(Invalid), "{text:?}");
        }
    }

    #[test]
    fn standard_base64_wants_its_padding_and_its_alphabet() {
        assert_eq!(encode_standard(&[0xfb, 0xff]), "+/8=");
        assert_eq!(decode_standard("+/8="), Ok(vec![0xfb, 0xff]));
        for text in ["+/8", "-_8=", "+/9=", "+/8=\n", "+/8=="] {
            assert_eq!(decode_standard(text), Err(Invalid), "{text:?}");
        }
    }
}
