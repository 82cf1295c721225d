//! The PIN (利用者暗証番号, SPEC.md 7.17, 7.18, 9.3).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::subject::SubjectId;

/// A PIN as somebody entered it: not printed, and wiped from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Pin(String);

impl Pin {
    /// Takes the text over. Any text may be entered as a PIN; whether a new one is acceptable is
    /// the [`PinRule`]'s business.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret, for hashing it. Neither log nor print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin(..)")
    }
}

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The bank's rule for PINs: `meta.pin` of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "RuleDocument")]
pub struct PinRule {
    min_length: u16,
    max_length: u16,
    required: bool,
}

/// The rule contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a PIN rule needs 1 <= minLength <= maxLength")]
pub struct InvalidPinRule;

impl PinRule {
    /// A rule with the least and greatest number of characters, and whether a logon needs the PIN.
    pub fn new(min_length: u16, max_length: u16, required: bool) -> Result<Self, InvalidPinRule> {
        let good = 1 <= min_length && min_length <= max_length;
        if good { Ok(Self { min_length, max_length, required }) } else { Err(InvalidPinRule) }
    }

    /// Least number of characters.
    pub const fn min_length(self) -> u16 {
        self.min_length
    }

    /// Greatest number of characters.
    pub const fn max_length(self) -> u16 {
        self.max_length
    }

    /// Whether the bank asks for the PIN at logon and enrollment.
    pub const fn required(self) -> bool {
        self.required
    }

    /// Whether a new PIN satisfies the rule: its length, and characters from U+0021 to U+007E only
    /// (SPEC.md 9.3).
    pub fn admits(self, pin: &Pin) -> bool {
        (usize::from(self.min_length)..=usize::from(self.max_length)).contains(&pin.0.len())
            && pin.0.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleDocument {
    min_length: u16,
    max_length: u16,
    required: bool,
}

impl TryFrom<RuleDocument> for PinRule {
    type Error = InvalidPinRule;

    fn try_from(document: RuleDocument) -> Result<Self, InvalidPinRule> {
        Self::new(document.min_length, document.max_length, document.required)
    }
}

/// Payload of `pin`: change one's own PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePin {
    /// The present PIN.
    pub old: Pin,
    /// The one to have from now on.
    pub new: Pin,
}

/// Payload of `unlock`: set the count of a user's wrong PINs to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The user.
    pub subject: SubjectId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Pin {
        Pin::new(text.to_owned())
    }

    #[test]
    fn a_pin_is_not_printed() {
        let change = ChangePin { old: pin("482913"), new: pin("771204") };
        let printed = format!("{change:?}");
        assert!(!printed.contains("482913") && !printed.contains("771204"), "{printed}");
    }

    #[test]
    fn a_rule_admits_its_lengths_of_printable_ascii() {
        let rule = PinRule::new(4, 6, true).expect("a rule");
        for (text, admitted) in [
            ("123", false),
            ("1234", true),
            ("!~ab12", true),
            ("1234567", false),
            ("12 34", false),
            ("暗証", false),
        ] {
            assert_eq!(rule.admits(&pin(text)), admitted, "{text}");
        }
    }

    #[test]
    fn a_rule_that_contradicts_itself_is_refused() {
        assert!(PinRule::new(7, 6, true).is_err());
        assert!(PinRule::new(0, 6, true).is_err());
    }
}
