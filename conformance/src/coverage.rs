//! Requirements joined with their evidence: `coverage.md`, and what is missing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::evidence::ByRequirement;
use crate::requirements::{File, Kind, Level, Requirement};

/// At most this share of the MUSTs may rest on a review, in percent.
pub const MOST_REVIEWED: usize = 5;

/// All that can show a requirement.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Vectors by requirement.
    pub vectors: ByRequirement,
    /// Cases of the suite by requirement.
    pub cases: ByRequirement,
    /// Names of what passed (see [`crate::evidence::passed`]), `None` when no log was given.
    pub passed: Option<BTreeSet<String>>,
}

/// How far the requirements are covered.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of MUST requirements.
    pub musts: usize,
    /// MUSTs with evidence.
    pub shown: usize,
    /// MUSTs that rest on a review.
    pub reviewed: usize,
    /// MUSTs whose evidence a later part delivers.
    pub planned: usize,
}

/// Checks each requirement against its evidence; the problems are sentences for the person who mends them.
pub fn check(file: &File, evidence: &Evidence) -> (Summary, Vec<String>) {
    let mut summary = Summary::default();
    let mut problems = orphans(file, evidence);
    for requirement in &file.requirement {
        let missing = missing(requirement, evidence);
        if requirement.level == Level::Must {
            summary.musts += 1;
            if requirement.verified_by.contains(&Kind::Planned) {
                summary.planned += 1;
            } else if requirement.verified_by.contains(&Kind::Review) {
                summary.reviewed += 1;
            } else if missing.is_empty() {
                summary.shown += 1;
            }
        }
        problems.extend(missing);
    }
    if summary.reviewed * 100 > summary.musts * MOST_REVIEWED {
        problems.push(format!(
            "{} of {} MUSTs rest on a review, at most {MOST_REVIEWED}% may",
            summary.reviewed, summary.musts
        ));
    }
    (summary, problems)
}

fn missing(requirement: &Requirement, evidence: &Evidence) -> Vec<String> {
    let id = &requirement.id;
    let mut problems = Vec::new();
    if requirement.verified_by.is_empty() {
        problems.push(format!("{id}: verified_by is empty"));
    }
    for kind in &requirement.verified_by {
        match kind {
            Kind::Vector => problems.extend(shown_by(id, "vector", &evidence.vectors, evidence)),
            Kind::Case => problems.extend(shown_by(id, "case", &evidence.cases, evidence)),
            Kind::Test | Kind::Type => {
                if requirement.tests.is_empty() {
                    problems.push(format!("{id}: verified_by {kind}, but tests names none"));
                }
                if let Some(passed) = &evidence.passed {
                    problems.extend(
                        requirement.tests.iter().filter(|test| !passed.contains(*test)).map(
                            |test| format!("{id}: the test {test} did not pass, or did not run"),
                        ),
                    );
                }
            }
            Kind::Review => {
                if requirement.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
                    problems.push(format!("{id}: a review needs its reason"));
                }
            }
            Kind::Planned => {
                if requirement.verified_by.len() > 1 {
                    problems.push(format!("{id}: planned, and yet it has evidence"));
                }
            }
        }
    }
    problems
}

fn shown_by(id: &str, kind: &str, by: &ByRequirement, evidence: &Evidence) -> Option<String> {
    let Some(names) = by.get(id) else {
        return Some(format!("{id}: verified_by {kind}, but no {kind} names it"));
    };
    let passed = evidence.passed.as_ref()?;
    let ran = |name: &String| passed.iter().any(|test| test.ends_with(&format!("::{name}")));
    let silent = names.iter().find(|name| !ran(name))?;
    Some(format!("{id}: the {kind} {silent} did not pass, or did not run"))
}

/// Evidence that names a requirement which SPEC.md does not have.
fn orphans(file: &File, evidence: &Evidence) -> Vec<String> {
    let known: BTreeSet<&str> = file.requirement.iter().map(|r| r.id.as_str()).collect();
    [("vector", &evidence.vectors), ("case", &evidence.cases)]
        .into_iter()
        .flat_map(|(kind, by)| by.iter().map(move |(id, names)| (kind, id, names)))
        .filter(|(_, id, _)| !known.contains(id.as_str()))
        .map(|(kind, id, names)| {
            format!("{id}: no such requirement in SPEC.md; named by the {kind} {}", first(names))
        })
        .collect()
}

fn first(names: &BTreeSet<String>) -> &str {
    names.first().map_or("?", String::as_str)
}

/// The page `coverage.md`: each requirement with its evidence, the same bytes for the same rows.
pub fn render(file: &File, evidence: &Evidence) -> String {
    let (summary, _) = check(file, evidence);
    let mut page = format!(
        "# Coverage\n\nGenerated by `cargo run -p koshin-conformance -- coverage`. Each requirement of SPEC.md with what shows it.\n\n\
         {} requirements, {} of them MUST: {} shown by running something, {} by review, {} planned.\n\n\
         | requirement | section | level | actor | vectors | cases | tests | otherwise |\n|---|---|---|---|---|---|---|---|\n",
        file.requirement.len(),
        summary.musts,
        summary.shown,
        summary.reviewed,
        summary.planned,
    );
    for requirement in &file.requirement {
        let otherwise = if requirement.verified_by.contains(&Kind::Planned) {
            "planned".to_owned()
        } else {
            requirement.reason.clone().unwrap_or_default()
        };
        let level = match requirement.level {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        };
        writeln!(
            page,
            "| {} | {} | {level} | {} | {} | {} | {} | {otherwise} |",
            requirement.id,
            requirement.section,
            requirement.actor,
            names(evidence.vectors.get(&requirement.id)),
            names(evidence.cases.get(&requirement.id)),
            names(Some(&requirement.tests.iter().cloned().collect())),
        )
        .expect("writing to a String does not fail");
    }
    page
}

/// Up to three names and how many more there are.
fn names(names: Option<&BTreeSet<String>>) -> String {
    let Some(names) = names else { return String::new() };
    let mut text =
        names.iter().take(3).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 3 {
        write!(text, " and {} more", names.len() - 3).expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements;

    fn file(verified_by: Kind) -> File {
        let extracted =
            requirements::extract("**[ORD-07]** The bank MUST answer.\n").expect("well-formed");
        let mut file = requirements::merge(extracted, &File::default());
        file.requirement[0].verified_by = vec![verified_by];
        file
    }

    fn vector(id: &str) -> Evidence {
        let vectors = ByRequirement::from([(id.to_owned(), ["order/a".to_owned()].into())]);
        Evidence { vectors, ..Evidence::default() }
    }

    #[test]
    fn a_must_without_evidence_is_a_problem() {
        let (_, problems) = check(&file(Kind::Vector), &Evidence::default());
        assert_eq!(problems, ["ORD-07: verified_by vector, but no vector names it"]);
    }

    #[test]
    fn a_vector_that_did_not_pass_is_a_problem() {
        let mut evidence = vector("ORD-07");
        assert_eq!(check(&file(Kind::Vector), &evidence).1, [""; 0]);
        evidence.passed = Some(BTreeSet::new());
        let (_, problems) = check(&file(Kind::Vector), &evidence);
        assert_eq!(problems, ["ORD-07: the vector order/a did not pass, or did not run"]);
        evidence.passed = Some(["vectors::order/a".to_owned()].into());
        assert_eq!(check(&file(Kind::Vector), &evidence).1, [""; 0]);
    }

    #[test]
    fn an_orphan_is_a_problem() {
        let (_, problems) = check(&file(Kind::Planned), &vector("ORD-99"));
        assert_eq!(
            problems,
            ["ORD-99: no such requirement in SPEC.md; named by the vector order/a"]
        );
    }

    #[test]
    fn a_review_needs_its_reason_and_stays_below_its_share() {
        let (summary, problems) = check(&file(Kind::Review), &Evidence::default());
        assert_eq!(summary.reviewed, 1);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
