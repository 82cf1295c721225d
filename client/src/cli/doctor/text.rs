//! What the checks found, in words: what is, and what to do about it.

mod en;
mod ja;

use koshin_protocol::problem::Language;

use super::finding::Finding;
use crate::cli::language::Tongue;

/// A finding in words.
pub(crate) struct Words {
    /// What is.
    pub(crate) is: String,
    /// What to do; nothing where all is well.
    pub(crate) fix: Option<String>,
}

/// A finding in the reader's language. `option` means the identity on a command line.
pub(crate) fn of(finding: &Finding, tongue: &Tongue, option: &str) -> Words {
    match tongue.language() {
        Language::En => en::words(finding, tongue, option),
        Language::Ja => ja::words(finding, tongue, option),
    }
}

fn good(is: impl Into<String>) -> Words {
    Words { is: is.into(), fix: None }
}

fn bad(is: impl Into<String>, fix: impl Into<String>) -> Words {
    Words { is: is.into(), fix: Some(fix.into()) }
}
