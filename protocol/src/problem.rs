//! Problem documents: what a refusal says (SPEC.md 11, RFC 9457).
//!
//! ```
//! use koshin_protocol::problem::{Language, Problem, Token};
//! use koshin_protocol::time::Time;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now: Time = "2026-11-23T00:00:00Z".parse()?;
//! let problem = Problem::builder(Token::TooEarly, Language::Ja, now)
//!     .not_before("2027-01-24T15:00:00Z".parse()?)
//!     .build();
//! assert_eq!(problem.status, 403);
//! assert_eq!(problem.title, "まだ更新可能期間ではありません");
//! # Ok(())
//! # }
//! ```

mod builder;
mod detail;
mod document;
mod extra;
mod language;
pub mod table;
pub mod text;
mod token;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use builder::Builder;
pub use extra::{CsrFault, Extra};
pub use language::Language;
pub use token::Token;

use crate::{remedy::Remedy, time::Time};

/// A problem document.
///
/// Reading one is forgiving where a stricter reading would only hide the refusal: an unknown token
/// is kept as text, an unknown action becomes the one of the status class
/// ([`crate::remedy::Action::by_status`]), odd extra members count as absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "document::Document", into = "document::Document")]
pub struct Problem {
    /// Which problem (`type`).
    pub kind: Kind,
    /// What happened, in one sentence, for people.
    pub title: String,
    /// With what, until when, and who does what next, for people.
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// The bank's clock.
    pub server_time: Time,
    /// What to do about it.
    pub remedy: Remedy,
    /// An opaque reference for the bank's support.
    pub instance: Option<String>,
    /// The members that only some problems have.
    pub extra: Extra,
}

impl Problem {
    /// The media type of problem documents.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// Begins a problem with this token, with texts in this language.
    pub fn builder(token: Token, language: Language, server_time: Time) -> Builder {
        Builder::new(token, language, server_time)
    }

    /// The token, if this software knows it.
    pub const fn token(&self) -> Option<Token> {
        match self.kind {
            Kind::Known(token) => Some(token),
            Kind::Other(_) => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.title, self.detail)
    }
}

/// The `type` of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A token of the table.
    Known(Token),
    /// The whole `type`, of a later version, an extension, or somebody else's.
    Other(String),
}

impl Kind {
    fn read(text: String) -> Self {
        match text.strip_prefix(Token::URN).and_then(Token::from_name) {
            Some(token) => Self::Known(token),
            None => Self::Other(text),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(token) => write!(formatter, "{}{token}", Token::URN),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}
