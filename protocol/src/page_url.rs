//! URLs of pages for people: `website`, `termsOfService`, `explanationURL` and a remedy's `url`
//! (SPEC.md 4.4).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::text::serde_as_text;

/// Any `https` URL of at most [`PageUrl::MAX`] printable ASCII characters. Software shows it, and
/// neither opens nor signs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageUrl(String);

/// The text is no URL for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an https URL of at most {max} printable ASCII characters", max = PageUrl::MAX)]
pub struct InvalidPageUrl;

impl PageUrl {
    /// Longest URL, in bytes.
    pub const MAX: usize = 2048;

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PageUrl {
    type Err = InvalidPageUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPageUrl> {
        let host_on = text.strip_prefix("https://").ok_or(InvalidPageUrl)?;
        let good = text.len() <= Self::MAX
            && host_on.bytes().all(|byte| byte.is_ascii_graphic())
            && host_on.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[');
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidPageUrl) }
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_text!(PageUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_anything_unprintable_is_for_people() {
        assert!("https://bank.example/help?lang=ja#pin".parse::<PageUrl>().is_ok());
        for refused in [
            "http://bank.example/",
            "javascript:alert(1)",
            "https://",
            "https:///",
            "https://bank.example/\n",
            "https://銀行.example/",
        ] {
            assert_eq!(refused.parse::<PageUrl>(), Err(InvalidPageUrl), "{refused}");
        }
    }
}
