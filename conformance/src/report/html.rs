//! The report as one page that needs nothing else: to be opened, searched, printed, and handed to whoever has to mend what
//! was found.
//!
//! It loads nothing and sends nothing; its script only hides and shows rows, and without it everything is there to be read.
//! What the thing under test said stands on the page as text, never as markup.

mod case;
mod requirement;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::case::case;
use self::requirement::{map, table};
use crate::case::Side;
use crate::report::{CaseResult, Report};
use crate::verdict::{Kind, Verdict};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The report as a page.
pub fn render(report: &Report) -> String {
    let title = format!("Koshin conformance: {} {}", outcome(report), report.target);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Whatever of the other side's text were taken for markup after all could still load and run nothing.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (summary(report))
                nav {
                    a href="#findings" { "Findings " (found(report).len()) }
                    a href="#requirements" { "Requirements " (report.requirements.len()) }
                    a href="#cases" { "Cases " (report.cases.len()) }
                }
                main {
                    (map(report))
                    (findings(report))
                    (table(report))
                    (cases(report))
                }
                footer {
                    "koshin-conformance " (report.suite) ", report format " (report.format)
                    ". Requirements are quoted from SPEC.md as it was when the suite was built."
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn outcome(report: &Report) -> &'static str {
    if report.passed { "PASSED" } else { "FAILED" }
}

fn summary(report: &Report) -> Markup {
    let (tested, command) = match report.side {
        Side::Server => ("Bank", format!("server --directory {}", report.target)),
        Side::Client => ("Client", "client".to_owned()),
    };
    let strict = if report.strict { "every SHOULD counts" } else { "a SHOULD does not count" };
    html! {
        header class=(if report.passed { "passed" } else { "failed" }) {
            p.eyebrow { "Koshin conformance report" }
            h1 {
                span.outcome { (outcome(report)) }
                " " (sentence(report))
            }
            dl.facts {
                div { dt { (tested) } dd { code { (report.target) } } }
                div { dt { "Begun" } dd { time datetime=(report.began) { (report.began) } } }
                div { dt { "Took" } dd { (seconds(report.milliseconds)) } }
                div { dt { "Seed" } dd { code { (report.seed) } } }
                div { dt { "Level" } dd { (strict) } }
                div { dt { "Again" } dd { code { "koshin-conformance " (command) " --seed " (report.seed) " …" } } }
            }
            (bar(report))
        }
    }
}

/// What the outcome rests on, in a sentence.
fn sentence(report: &Report) -> String {
    let against = report.failures().count();
    let passed = count(report, Kind::Pass);
    let all = report.cases.len();
    if report.passed {
        format!("{passed} of {all} cases passed, none counts against it")
    } else {
        format!("{against} of {all} cases count against it")
    }
}

fn count(report: &Report, kind: Kind) -> usize {
    report.counts.get(&kind).copied().unwrap_or_default()
}

/// The cases as one bar, and its legend.
fn bar(report: &Report) -> Markup {
    let counted: Vec<(Kind, usize)> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, count(report, kind)))
        .filter(|&(_, count)| count > 0)
        .collect();
    html! {
        div.bar aria-hidden="true" {
            @for &(kind, count) in &counted {
                span class=(class(kind)) style={ "flex-grow:" (count) } title={ (count) " " (name(kind)) } {}
            }
        }
        ul.legend {
            @for (kind, count) in counted {
                li { (mark(kind)) b { (count) } " " (name(kind)) span.meaning { (meaning(kind)) } }
            }
        }
    }
}

/// Everything that somebody has to look at, the gravest first.
fn found(report: &Report) -> Vec<&CaseResult> {
    let open = |one: &&CaseResult| !matches!(one.verdict, Verdict::Pass | Verdict::Skipped { .. });
    let mut found: Vec<_> = report.cases.iter().filter(open).collect();
    found.sort_by_key(|one| one.verdict.kind());
    found
}

fn findings(report: &Report) -> Markup {
    let found = found(report);
    html! {
        section #findings {
            h2 { "Findings" }
            @if found.is_empty() {
                p.empty { "Nothing failed, nothing was blocked, and no divergence is known." }
            }
            @for one in found { (case(one, report, true)) }
        }
    }
}

fn cases(report: &Report) -> Markup {
    html! {
        section #cases {
            h2 { "Cases" }
            form.filter hidden {
                input type="search" placeholder="slug, requirement, section, words" aria-label="Find cases";
                @for kind in Kind::ALL.into_iter().filter(|&kind| count(report, kind) > 0) {
                    label { input type="checkbox" checked value=(class(kind)); (mark(kind)) (name(kind)) }
                }
                output {}
            }
            @for one in &report.cases { (case(one, report, false)) }
        }
    }
}

/// A verdict as a sign that does not need its colour.
fn mark(kind: Kind) -> Markup {
    html! { span.mark.(class(kind)) aria-hidden="true" { (sign(kind)) } }
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Pass => "✓",
        Kind::Fail => "✗",
        Kind::Blocked => "⊘",
        Kind::StaleDivergence => "!",
        Kind::KnownDivergence => "≠",
        Kind::Skipped => "–",
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Pass => "pass",
        Kind::Fail => "fail",
        Kind::Blocked => "blocked",
        Kind::StaleDivergence => "stale",
        Kind::KnownDivergence => "known",
        Kind::Skipped => "skipped",
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Pass => "passed",
        Kind::Fail => "failed",
        Kind::Blocked => "blocked",
        Kind::StaleDivergence => "stale divergence",
        Kind::KnownDivergence => "known divergence",
        Kind::Skipped => "skipped",
    }
}

fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::Pass => "it does as SPEC.md says",
        Kind::Fail => "it does otherwise",
        Kind::Blocked => "what the case builds upon did not work, so that nothing is shown",
        Kind::StaleDivergence => "declared as a divergence, but it passes: strike it off",
        Kind::KnownDivergence => "it does otherwise, as declared beforehand",
        Kind::Skipped => "not tried, for the reason given",
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

/// Text of SPEC.md, with what stands between backticks as code.
fn quoted(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Where a case stands among all cases.
fn anchor(slug: &str) -> String {
    format!("case-{}", slug.replace(['/', ' '], "-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{fail, report, result};

    #[test]
    fn a_failure_stands_on_the_page_with_its_requirement_and_its_exchange() {
        let skip = Verdict::Skipped { reason: "no command for control".to_owned() };
        let page = render(&report(
            vec![
                result("order/a", "ORD-01", fail()),
                result("order/b", "ORD-02", Verdict::Pass),
                result("order/c", "ORD-02", skip),
            ],
            false,
        ));
        for wanted in [
            "<span class=\"outcome\">FAILED</span> 1 of 3 cases count against it",
            "href=\"#case-order-a\"",
            "id=\"case-order-a\"",
            "The bank MUST answer a newOrder",
            "GET https://bank.example/koshin/directory",
            "<b>500</b>",
            "no command for control",
            "<time datetime=\"2027-01-15T03:00:00Z\">",
        ] {
            assert!(page.contains(wanted), "{wanted} is not on the page:\n{page}");
        }
    }

    #[test]
    fn what_the_other_side_said_is_text_and_never_markup() {
        let said = Verdict::Fail {
            expected: "a problem".to_owned(),
            actual: "<script>alert(1)</script>\u{1b}[2J".to_owned(),
        };
        let page = render(&report(vec![result("order/a", "ORD-01", said)], false));
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        assert!(!page.contains('\u{1b}'), "a control character stands on the page");
    }

    #[test]
    fn the_page_loads_nothing() {
        let page = render(&report(vec![result("order/a", "ORD-01", fail())], false));
        for wanting in ["src=", "@import", "url(", "<link", "<iframe", "<img", "fetch("] {
            assert!(!page.contains(wanting), "{wanting} is on the page");
        }
    }
}
