//! What a client runs on, and what a bank supports (SPEC.md 7.22, 9.4).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{json, text::serde_as_text};

/// A word of an environment: 1 to 64 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentText(String);

/// The text is too long, empty or has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a member of an environment has 1 to 64 characters, none of them a control character")]
pub struct InvalidEnvironmentText;

impl EnvironmentText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this version is `least` or later: dotted decimals, compared number by number, a
    /// missing one counting as zero. What is no dotted decimal is not comparable, hence not later.
    pub fn is_at_least(&self, least: &Self) -> bool {
        compare_versions(&self.0, &least.0).is_some_and(Ordering::is_ge)
    }
}

impl FromStr for EnvironmentText {
    type Err = InvalidEnvironmentText;

    fn from_str(text: &str) -> Result<Self, InvalidEnvironmentText> {
        // Four bytes are the most that one character takes; counting comes after that.
        let good = text.len() <= 64 * 4
            && (1..=64).contains(&text.chars().count())
            && !text.contains(char::is_control);
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidEnvironmentText) }
    }
}

impl fmt::Display for EnvironmentText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(EnvironmentText);

/// A request's `environment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// Operating system, such as `Windows`.
    pub os: EnvironmentText,
    /// Its version, such as `10.0.22631`.
    pub os_version: EnvironmentText,
    /// The software that speaks the protocol.
    pub software: EnvironmentText,
    /// Its version.
    pub software_version: EnvironmentText,
}

/// One entry of `meta.environments`, a `requirement`: names are equal, versions are the least ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentRule {
    /// Operating system, compared byte for byte.
    pub os: EnvironmentText,
    /// Its least version.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<EnvironmentText>,
    /// The software, compared byte for byte.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub software: Option<EnvironmentText>,
    /// Its least version.
    #[serde(default, deserialize_with = "json::present", skip_serializing_if = "Option::is_none")]
    pub software_version: Option<EnvironmentText>,
}

impl EnvironmentRule {
    /// Whether this environment meets the rule.
    pub fn admits(&self, environment: &Environment) -> bool {
        let least = |rule: &Option<EnvironmentText>, version: &EnvironmentText| {
            rule.as_ref().is_none_or(|least| version.is_at_least(least))
        };
        self.os == environment.os
            && least(&self.os_version, &environment.os_version)
            && self.software.as_ref().is_none_or(|name| *name == environment.software)
            && least(&self.software_version, &environment.software_version)
    }
}

/// Whether a bank with these rules supports the environment; without rules it supports every one.
pub fn supports(rules: &[EnvironmentRule], environment: &Environment) -> bool {
    rules.is_empty() || rules.iter().any(|rule| rule.admits(environment))
}

/// Compares dotted decimals of any length without turning them into integers, so that none
/// overflows; `None` if either is no dotted decimal.
fn compare_versions(left: &str, right: &str) -> Option<Ordering> {
    let is_decimal = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !left.split('.').chain(right.split('.')).all(is_decimal) {
        return None;
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return Some(Ordering::Equal);
        }
        let (a, b) = (significant(a), significant(b));
        match a.len().cmp(&b.len()).then_with(|| a.cmp(b)) {
            Ordering::Equal => {}
            unequal @ (Ordering::Less | Ordering::Greater) => return Some(unequal),
        }
    }
}

/// The digits that count; a part that is not there is zero.
fn significant(part: Option<&str>) -> &str {
    part.unwrap_or_default().trim_start_matches('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> EnvironmentText {
        text.parse().expect("a test's text is one")
    }

    fn environment(os_version: &str) -> Environment {
        Environment {
            os: text("Windows"),
            os_version: text(os_version),
            software: text("koshin"),
            software_version: text("1.2"),
        }
    }

    fn rule(os_version: Option<&str>, software: Option<&str>) -> EnvironmentRule {
        EnvironmentRule {
            os: text("Windows"),
            os_version: os_version.map(text),
            software: software.map(text),
            software_version: None,
        }
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        for (version, least, admitted) in [
            ("10", "9", true),
            ("10.0.22631", "10.0.19045", true),
            ("10.0", "10.0.1", false),
            ("10", "10.0.0", true),
            ("9.99", "10", false),
            ("007", "7", true),
            ("99999999999999999999999", "99999999999999999999998", true),
            ("11 Pro", "10", false),
            ("10.", "10", false),
            ("-1", "0", false),
        ] {
            let admits = rule(Some(least), None).admits(&environment(version));
            assert_eq!(admits, admitted, "{version} against {least}");
        }
    }

    #[test]
    fn names_are_compared_byte_for_byte() {
        assert!(rule(None, Some("koshin")).admits(&environment("10")));
        assert!(!rule(None, Some("Koshin")).admits(&environment("10")));
        let mut other = environment("10");
        other.os = text("windows");
        assert!(!rule(None, None).admits(&other));
    }

    #[test]
    fn without_rules_every_environment_is_supported_and_with_rules_one_must_fit() {
        assert!(supports(&[], &environment("1")));
        assert!(supports(&[rule(Some("12"), None), rule(Some("9"), None)], &environment("10")));
        assert!(!supports(&[rule(Some("12"), None)], &environment("10")));
    }

    #[test]
    fn an_environment_with_further_members_is_refused() {
        let json = r#"{"os":"a","osVersion":"1","software":"b","softwareVersion":"2","x":1}"#;
        assert!(serde_json::from_str::<Environment>(json).is_err());
    }

    proptest! {
        #[test]
        fn versions_of_numbers_order_as_the_numbers_do(a in any::<u32>(), b in any::<u32>()) {
            let compared = compare_versions(&a.to_string(), &b.to_string());
            prop_assert_eq!(compared, Some(a.cmp(&b)));
        }
    }
}
