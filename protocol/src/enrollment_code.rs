//! The one-time enrollment code and the key that it yields (SPEC.md 13.2).
//!
//! The code never travels: whoever makes it sends only the public key of [`EnrollmentCode::key`],
//! and whoever redeems it signs with that key.

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::reissue::ReissueId;
use crate::sign::Es256Key;

/// Crockford's base32, and five more that only a check symbol is.
const SYMBOLS: &[u8; 37] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U";

/// 26 symbols of five bits, and the check symbol.
const LENGTH: usize = 27;

/// An enrollment code: 128 random bits. They are wiped when it is dropped and never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EnrollmentCode([u8; 16]);

/// Why a text is no enrollment code; each is found before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidCode {
    /// Not 27 symbols, hyphens and spaces left out.
    #[error("an enrollment code has {LENGTH} letters and digits")]
    Length,
    /// A symbol that no code has, or one above the largest code.
    #[error("the enrollment code has a character that cannot be in it")]
    Symbol,
    /// The last symbol does not fit the others: mistyped.
    #[error("the enrollment code is mistyped: its last character does not fit the others")]
    Check,
}

impl EnrollmentCode {
    /// A code of random bytes, which come from the caller.
    pub const fn from_bytes(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The 27 symbols without hyphens, as they stand in a ticket.
    pub fn to_compact(&self) -> Zeroizing<String> {
        let value = u128::from_be_bytes(self.0);
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for index in (0..26).rev() {
            text.push(symbol(value >> (5 * index) & 31));
        }
        text.push(symbol(value % 37));
        text
    }

    /// The code as it is shown: four groups of five and one of seven, joined by hyphens.
    pub fn to_grouped(&self) -> Zeroizing<String> {
        let compact = self.to_compact();
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + 4));
        for (index, symbol) in compact.chars().enumerate() {
            if matches!(index, 5 | 10 | 15 | 20) {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }

    /// The key that signs the binding; its public half is the reissue's `enrollmentKey`.
    pub fn key(&self, reissue: &ReissueId) -> Es256Key {
        let mut material = Zeroizing::new([0; 48]);
        Hkdf::<Sha256>::new(Some(reissue.to_string().as_bytes()), &self.0)
            .expand(b"koshin enrollment key v1", &mut *material)
            .expect("48 bytes are less than 255 times 32");
        Es256Key::from_random(&material)
    }
}

fn symbol(value: u128) -> char {
    let index = usize::try_from(value).expect("less than 37");
    char::from(SYMBOLS[index])
}

/// What a typed character stands for.
fn value(character: char) -> Result<u128, InvalidCode> {
    let wanted = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let found = SYMBOLS.iter().position(|symbol| char::from(*symbol) == wanted);
    found.map(|index| index as u128).ok_or(InvalidCode::Symbol)
}

impl FromStr for EnrollmentCode {
    type Err = InvalidCode;

    /// Reads a code in any grouping and case; `O` stands for `0`, `I` and `L` for `1`.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let symbols = || text.chars().filter(|character| !matches!(character, '-' | ' '));
        if symbols().count() != LENGTH {
            return Err(InvalidCode::Length);
        }
        let mut code = 0_u128;
        for character in symbols().take(26) {
            let digit = value(character)?;
            // 26 symbols are 130 bits: the top two must be zero.
            if digit > 31 || code >> 123 != 0 {
                return Err(InvalidCode::Symbol);
            }
            code = code << 5 | digit;
        }
        let check = symbols().next_back().map(value).transpose()?;
        if check != Some(code % 37) {
            return Err(InvalidCode::Check);
        }
        Ok(Self(code.to_be_bytes()))
    }
}

impl fmt::Debug for EnrollmentCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EnrollmentCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Signer;

    /// The example of SPEC.md 13.2.
    const TEXT: &str = "00041-06105-0R3GG-28A1C-60T3GF6";

    fn example() -> EnrollmentCode {
        EnrollmentCode::from_bytes(std::array::from_fn(|index| u8::try_from(index).expect("16")))
    }

    #[test]
    fn the_example_of_the_spec_is_written_and_read() {
        assert_eq!(*example().to_grouped(), TEXT);
        assert_eq!(*example().to_compact(), TEXT.replace('-', ""));
        assert_eq!(TEXT.parse(), Ok(example()));
    }

    #[test]
    fn the_example_of_the_spec_yields_its_key() {
        let reissue = "ICEiIyQlJicoKSorLC0uLw".parse().expect("an id");
        let key = example().key(&reissue);
        assert_eq!(
            key.public_key().to_canonical_jwk(),
            r#"{"crv":"P-256","kty":"EC","x":"gbIDVtZ_J-7vj_-KbVtkuujh31eN3vvnwo_JhzQ0Cjg","y":"9V8yHUmxCnC867CnmG1U_EVLR4mh0HiILBastLcL2oo"}"#
        );
        let other = ReissueId::from_bytes([0; 16]);
        assert_ne!(example().key(&other).public_key(), key.public_key());
    }

    #[test]
    fn codes_are_read_in_any_grouping_and_case() {
        for text in [
            "0004106105 0r3gg28a1c60t3gf6",
            "OOO4IO6lO5OR3GG28AIC6OT3GF6",
            " 0-0-0-4-1061050R3GG28A1C60T3GF6 ",
        ] {
            assert_eq!(text.parse(), Ok(example()), "{text}");
        }
    }

    #[test]
    fn every_single_mistyped_symbol_and_every_swap_of_neighbours_is_noticed() {
        let code = EnrollmentCode::from_bytes(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf0koshin!!");
        let text = code.to_compact();
        for index in 0..text.len() {
            for symbol in SYMBOLS {
                let mut typed = text.as_bytes().to_vec();
                if typed[index] != *symbol {
                    typed[index] = *symbol;
                    let typed = String::from_utf8(typed).expect("ASCII");
                    assert!(typed.parse::<EnrollmentCode>().is_err(), "{typed}");
                }
            }
        }
        for index in 1..26 {
            let mut typed = text.as_bytes().to_vec();
            typed.swap(index - 1, index);
            if typed != text.as_bytes() {
                let typed = String::from_utf8(typed).expect("ASCII");
                assert!(typed.parse::<EnrollmentCode>().is_err(), "{typed}");
            }
        }
    }

    #[test]
    fn the_largest_code_is_read_and_a_larger_one_refused() {
        let largest = EnrollmentCode::from_bytes([0xff; 16]);
        assert_eq!(largest.to_compact().parse(), Ok(largest.clone()));
        assert!(largest.to_compact().starts_with('7'));
        let larger = largest.to_compact().replacen('7', "8", 1);
        assert_eq!(larger.parse::<EnrollmentCode>(), Err(InvalidCode::Symbol));
    }

    #[test]
    fn other_texts_are_refused_for_their_reason() {
        for (text, reason) in [
            ("", InvalidCode::Length),
            ("00041-06105-0R3GG-28A1C-60T3GF", InvalidCode::Length),
            ("00041-06105-0R3GG-28A1C-60T3GF66", InvalidCode::Length),
            ("00041-06105-0R3GG-28A1C-60T3GF7", InvalidCode::Check),
            ("U0041-06105-0R3GG-28A1C-60T3GF6", InvalidCode::Symbol),
            ("00041-06105-0R3GG-28A1C-60T3G.6", InvalidCode::Symbol),
            ("00041-06105-0R3GG-28A1C-60T3Gé6", InvalidCode::Symbol),
        ] {
            assert_eq!(text.parse::<EnrollmentCode>(), Err(reason), "{text}");
        }
    }

    #[test]
    fn a_code_is_not_printed() {
        assert_eq!(format!("{:?}", example()), "EnrollmentCode(..)");
    }
}
