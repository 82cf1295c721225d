//! What a run found: the model that every form of the report is written from.

pub mod html;
pub mod json;
pub mod junit;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::case::{About, Side};
use crate::exchange::Exchange;
use crate::requirements::{self, Level};
use crate::verdict::{Kind, Verdict};

/// One case and what was said of it.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// The case.
    #[serde(flatten)]
    pub about: About,
    /// What was said of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    pub milliseconds: u64,
    /// What was sent and answered, where the case did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
}

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of the form of this report.
    pub format: u32,
    /// Version of the suite.
    pub suite: &'static str,
    /// Whom it tested.
    pub side: Side,
    /// What it tested: the directory's URL or the client's command.
    pub target: String,
    /// When it began, RFC 3339 UTC.
    pub began: String,
    /// How long it took.
    pub milliseconds: u64,
    /// Where the random choices came from; the same seed makes the same ones.
    pub seed: u64,
    /// Whether SHOULDs count.
    pub strict: bool,
    /// Whether nothing counts against the thing under test.
    pub passed: bool,
    /// How many cases had which verdict.
    pub counts: BTreeMap<Kind, usize>,
    /// The requirements that the cases show, in the order of SPEC.md.
    pub requirements: Vec<RequirementResult>,
    /// The cases, in the order of the suite.
    pub cases: Vec<CaseResult>,
}

/// A requirement, with the cases of this run that show it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequirementResult {
    /// Its id.
    pub id: String,
    /// The section of SPEC.md that holds it.
    pub section: String,
    /// How strongly it binds.
    pub level: Level,
    /// Its sentence.
    pub text: String,
    /// The gravest verdict among its cases; absent where no case of this run shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Kind>,
    /// Slugs of its cases.
    pub cases: Vec<String>,
}

/// What a run was about, beside its cases.
#[derive(Debug, Clone)]
pub struct Run {
    /// Whom it tested.
    pub side: Side,
    /// What it tested.
    pub target: String,
    /// When it began, RFC 3339 UTC.
    pub began: String,
    /// How long it took.
    pub milliseconds: u64,
    /// Where the random choices came from.
    pub seed: u64,
    /// Whether SHOULDs count.
    pub strict: bool,
}

impl Report {
    /// Version of the form of this report.
    pub const FORMAT: u32 = 1;

    /// Of a run and its results.
    pub fn new(run: Run, cases: Vec<CaseResult>) -> Self {
        let mut counts: BTreeMap<Kind, usize> =
            Kind::ALL.into_iter().map(|kind| (kind, 0)).collect();
        for case in &cases {
            *counts.entry(case.verdict.kind()).or_default() += 1;
        }
        let passed = !cases.iter().any(|case| counts_against(case, run.strict));
        let requirements = requirements_of(run.side, &cases);
        Self {
            format: Self::FORMAT,
            suite: env!("CARGO_PKG_VERSION"),
            side: run.side,
            target: run.target,
            began: run.began,
            milliseconds: run.milliseconds,
            seed: run.seed,
            strict: run.strict,
            passed,
            counts,
            requirements,
            cases,
        }
    }

    /// The cases that have another verdict in another run of the same cases.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let pairs = self.cases.iter().zip(&other.cases);
        pairs
            .filter(|(one, other)| one.verdict.kind() != other.verdict.kind())
            .map(|(one, other)| {
                let (before, now) = (one.verdict.kind(), other.verdict.kind());
                format!("{}: {now}, and {before} in the first run", one.about.slug)
            })
            .collect()
    }

    /// The cases that count against the thing under test.
    pub fn failures(&self) -> impl Iterator<Item = &CaseResult> {
        self.cases.iter().filter(|case| counts_against(case, self.strict))
    }
}

/// A SHOULD that is not kept counts only where it was asked for.
fn counts_against(case: &CaseResult, strict: bool) -> bool {
    match case.verdict.kind() {
        Kind::Fail | Kind::Blocked => strict || case.about.level == Level::Must,
        Kind::StaleDivergence => true,
        Kind::Pass | Kind::Skipped | Kind::KnownDivergence => false,
    }
}

/// Every requirement of the tested side and every other one that a case shows.
fn requirements_of(side: Side, cases: &[CaseResult]) -> Vec<RequirementResult> {
    let actor = match side {
        Side::Server => "bank",
        Side::Client => "client",
    };
    let shown: BTreeSet<&str> =
        cases.iter().flat_map(|case| &case.about.requirements).map(String::as_str).collect();
    requirements::all()
        .iter()
        .filter(|row| row.actor == actor || row.actor == "both" || shown.contains(row.id.as_str()))
        .map(|row| {
            let of_it: Vec<_> =
                cases.iter().filter(|case| case.about.requirements.contains(&row.id)).collect();
            RequirementResult {
                id: row.id.clone(),
                section: row.section.clone(),
                level: row.level,
                text: row.text.clone(),
                verdict: of_it
                    .iter()
                    .map(|case| case.verdict.kind())
                    .max_by_key(|&kind| gravity(kind)),
                cases: of_it.iter().map(|case| case.about.slug.clone()).collect(),
            }
        })
        .collect()
}

/// A failure is graver than what was not shown, and a skipped case says less than one that passed.
fn gravity(kind: Kind) -> u8 {
    match kind {
        Kind::Fail => 5,
        Kind::StaleDivergence => 4,
        Kind::Blocked => 3,
        Kind::KnownDivergence => 2,
        Kind::Pass => 1,
        Kind::Skipped => 0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::case::Case;
    use crate::exchange::Message;

    pub(crate) fn result(slug: &str, requirement: &str, verdict: Verdict) -> CaseResult {
        let case = Case::<()>::new(Side::Server, slug, "A sentence <&>.")
            .shows(&[requirement])
            .run(|()| async { Ok(()) });
        let request = Message::new("GET https://bank.example/koshin/directory", [], b"");
        let response =
            Some(Message::new("500", [("date".to_owned(), "now".to_owned())], b"\x1b[31m]]>"));
        let exchanges = vec![Exchange { request, response, note: None }];
        CaseResult { about: case.about, verdict, milliseconds: 1500, exchanges }
    }

    pub(crate) fn report(cases: Vec<CaseResult>, strict: bool) -> Report {
        let run = Run {
            side: Side::Server,
            target: "https://bank.example/koshin/directory".to_owned(),
            began: "2027-01-15T03:00:00Z".to_owned(),
            milliseconds: 2000,
            seed: 7,
            strict,
        };
        Report::new(run, cases)
    }

    pub(crate) fn fail() -> Verdict {
        Verdict::Fail { expected: "201".to_owned(), actual: "500".to_owned() }
    }

    #[test]
    fn a_should_counts_only_where_it_was_asked_for() {
        let should = || vec![result("headers/www-authenticate", "HDR-10", fail())];
        assert!(report(should(), false).passed);
        assert!(!report(should(), true).passed);
        assert!(!report(vec![result("order/a", "ORD-01", fail())], false).passed);
    }

    #[test]
    fn a_case_whose_verdict_is_another_in_another_run_is_named() {
        let of = |verdict| {
            report(
                vec![result("order/a", "ORD-01", fail()), result("order/b", "ORD-01", verdict)],
                false,
            )
        };
        assert_eq!(of(Verdict::Pass).changes(&of(Verdict::Pass)), Vec::<String>::new());
        let changes = of(Verdict::Pass).changes(&of(fail()));
        assert_eq!(changes, ["order/b: FAIL, and pass in the first run"]);
    }

    #[test]
    fn a_requirement_has_the_gravest_verdict_of_its_cases() {
        let cases = vec![
            result("order/a", "ORD-01", Verdict::Pass),
            result("order/b", "ORD-01", fail()),
            result("order/c", "ORD-02", Verdict::Skipped { reason: "no".to_owned() }),
        ];
        let report = report(cases, false);
        let verdict = |id: &str| {
            report.requirements.iter().find(|row| row.id == id).expect("a requirement").verdict
        };
        assert_eq!(verdict("ORD-01"), Some(Kind::Fail));
        assert_eq!(verdict("ORD-02"), Some(Kind::Skipped));
        assert_eq!(verdict("ORD-04"), None);
        assert!(!report.requirements.iter().any(|row| row.id == "CLI-10"), "a client's");
    }
}
