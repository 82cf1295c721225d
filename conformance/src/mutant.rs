//! The suite, tested: banks and clients that break one requirement each, and whether the suite says so.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::report::CaseResult;
use crate::verdict::Verdict;

/// Something that breaks one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Its stable name.
    pub slug: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
}

/// What the suite made of one.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Its name.
    pub slug: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
    /// The first case of that requirement that it fails; absent where it fails none.
    pub killed_by: Option<String>,
}

/// What the suite made of all of one side.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// How many there are.
    pub mutants: usize,
    /// How many fail a case of their requirement.
    pub killed: usize,
    /// Each of them.
    pub list: Vec<Found>,
}

impl Mutant {
    /// What these results say of it: a case that shows its requirement must fail. That others are blocked says nothing.
    pub fn found(self, results: &[CaseResult]) -> Found {
        let killer = results.iter().find(|result| {
            matches!(result.verdict, Verdict::Fail { .. })
                && result.about.requirements.iter().any(|id| id == self.requirement)
        });
        let killed_by = killer.map(|result| result.about.slug.clone());
        Found { slug: self.slug, requirement: self.requirement, killed_by }
    }
}

impl Tally {
    /// Of what was found.
    pub fn of(list: Vec<Found>) -> Self {
        let killed = list.iter().filter(|found| found.killed_by.is_some()).count();
        Self { mutants: list.len(), killed, list }
    }

    /// Those that the suite does not see.
    pub fn survivors(&self) -> BTreeSet<&'static str> {
        let survivors = self.list.iter().filter(|found| found.killed_by.is_none());
        survivors.map(|found| found.slug).collect()
    }
}
