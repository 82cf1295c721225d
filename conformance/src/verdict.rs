//! What is said of a case after it ran.

use std::fmt;

use serde::Serialize;

use crate::case::Stop;

/// What is said of a case after it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "camelCase")]
pub enum Verdict {
    /// It does as SPEC.md says.
    Pass,
    /// It does otherwise.
    Fail {
        /// What SPEC.md wants.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// Not tried, for this reason; says nothing of the thing under test.
    Skipped {
        /// Why.
        reason: String,
    },
    /// What the case builds upon did not work; nothing is shown.
    Blocked {
        /// By what.
        by: String,
    },
    /// It fails, and the tester said so beforehand.
    KnownDivergence {
        /// The tester's reason.
        reason: String,
        /// What SPEC.md wants.
        expected: String,
        /// What was seen.
        actual: String,
    },
    /// The tester said that it fails, and it passes: the divergence is to be struck off.
    StaleDivergence {
        /// The tester's reason.
        reason: String,
    },
}

/// A verdict's name, to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// [`Verdict::Pass`]
    Pass,
    /// [`Verdict::Fail`]
    Fail,
    /// [`Verdict::Blocked`]
    Blocked,
    /// [`Verdict::StaleDivergence`]
    StaleDivergence,
    /// [`Verdict::KnownDivergence`]
    KnownDivergence,
    /// [`Verdict::Skipped`]
    Skipped,
}

impl Kind {
    /// Every kind, the gravest after `pass` first.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Blocked,
        Self::StaleDivergence,
        Self::KnownDivergence,
        Self::Skipped,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Blocked => "blocked",
            Self::StaleDivergence => "stale divergence",
            Self::KnownDivergence => "known divergence",
            Self::Skipped => "skipped",
        })
    }
}

impl Verdict {
    /// Of how a case ended, before divergences are looked at.
    pub fn of(outcome: Result<(), Stop>) -> Self {
        match outcome {
            Ok(()) => Self::Pass,
            Err(Stop::Fail { expected, actual }) => Self::Fail { expected, actual },
            Err(Stop::Skipped(reason)) => Self::Skipped { reason },
            Err(Stop::Blocked(by)) => Self::Blocked { by },
        }
    }

    /// Its name.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Pass => Kind::Pass,
            Self::Fail { .. } => Kind::Fail,
            Self::Skipped { .. } => Kind::Skipped,
            Self::Blocked { .. } => Kind::Blocked,
            Self::KnownDivergence { .. } => Kind::KnownDivergence,
            Self::StaleDivergence { .. } => Kind::StaleDivergence,
        }
    }

    /// What there is to say beyond the name, in one line each.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Pass => Vec::new(),
            Self::Fail { expected, actual } => {
                vec![format!("expected {expected}"), format!("got      {actual}")]
            }
            Self::Skipped { reason } => vec![reason.clone()],
            Self::Blocked { by } => vec![format!("by {by}")],
            Self::KnownDivergence { reason, expected, actual } => vec![
                format!("expected {expected}"),
                format!("got      {actual}"),
                format!("known:   {reason}"),
            ],
            Self::StaleDivergence { reason } => {
                vec![format!("passes, although divergences.toml says: {reason}")]
            }
        }
    }
}
