//! Words of the protocol on the command line, with their possible values in the help.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use koshin_protocol::revocation::Reason;

/// A reason of SPEC.md 7.15.
pub(crate) fn reasons() -> impl TypedValueParser<Value = Reason> {
    PossibleValuesParser::new(Reason::ALL.map(Reason::as_str)).map(|word| {
        let mut all = Reason::ALL.into_iter();
        all.find(|reason| reason.as_str() == word).expect("one of the possible values")
    })
}
