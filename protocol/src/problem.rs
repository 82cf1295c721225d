//! Problem documents: what a refusal says (SPEC.md 11, RFC 9457).

mod language;
pub mod table;
pub mod text;
mod token;

pub use language::Language;
pub use token::Token;
