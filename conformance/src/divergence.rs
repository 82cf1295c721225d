//! `divergences.toml`: what a tester knows to be otherwise, and why.
//!
//! ```toml
//! [[divergence]]
//! case = "headers/www-authenticate"          # a slug; `*` stands for any text
//! reason = "our gateway removes the header; agreed on 2027-01-12"
//! ```
//!
//! A case that is named there and fails is a *known divergence*, which does not fail the run. One that passes is a *stale
//! divergence*, which does, so that the file is kept true.

use serde::Deserialize;

use crate::select::fits;
use crate::verdict::Verdict;

/// What a tester knows to be otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergences {
    /// Each of them.
    #[serde(default)]
    divergence: Vec<Divergence>,
}

/// One of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    case: String,
    reason: String,
}

impl Divergences {
    /// Reads the file.
    ///
    /// # Errors
    /// It is no TOML of this form.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Patterns that fit none of these slugs: the file speaks of cases that there are not.
    pub fn unknown<'a>(&'a self, slugs: &[&str]) -> Vec<&'a str> {
        self.divergence
            .iter()
            .map(|one| one.case.as_str())
            .filter(|case| !slugs.iter().any(|slug| fits(case, slug)))
            .collect()
    }

    /// The verdict, seen with what is known.
    pub fn judge(&self, slug: &str, verdict: Verdict) -> Verdict {
        let Some(known) = self.divergence.iter().find(|one| fits(&one.case, slug)) else {
            return verdict;
        };
        let reason = known.reason.clone();
        match verdict {
            Verdict::Pass => Verdict::StaleDivergence { reason },
            Verdict::Fail { expected, actual } => {
                Verdict::KnownDivergence { reason, expected, actual }
            }
            Verdict::Skipped { .. }
            | Verdict::Blocked { .. }
            | Verdict::KnownDivergence { .. }
            | Verdict::StaleDivergence { .. } => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[[divergence]]\ncase = \"headers/*\"\nreason = \"a gateway\"\n";

    #[test]
    fn what_is_known_does_not_fail_and_what_passes_is_stale() {
        let known = Divergences::parse(FILE).expect("a file");
        let failed =
            || Verdict::Fail { expected: "a header".to_owned(), actual: "none".to_owned() };
        assert!(matches!(known.judge("headers/a", failed()), Verdict::KnownDivergence { .. }));
        assert!(matches!(known.judge("headers/a", Verdict::Pass), Verdict::StaleDivergence { .. }));
        assert_eq!(known.judge("order/a", Verdict::Pass), Verdict::Pass);
        assert_eq!(known.judge("order/a", failed()), failed());
    }

    #[test]
    fn a_divergence_of_no_case_is_found() {
        let known = Divergences::parse(FILE).expect("a file");
        assert_eq!(known.unknown(&["order/a"]), ["headers/*"]);
        assert!(known.unknown(&["headers/a"]).is_empty());
        assert!(Divergences::parse("[[divergence]]\ncase = \"x\"\n").is_err());
    }
}
