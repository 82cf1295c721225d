//! The requirements on the page: a map on which what is wrong is seen at a glance, and the table behind it.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{anchor, class, mark, name, quoted};
use crate::report::{Report, RequirementResult};
use crate::requirements::Level;
use crate::verdict::Kind;

/// So many cases that passed are listed without a click.
const FEW: usize = 3;

/// What was said of each case.
type Kinds<'a> = BTreeMap<&'a str, Kind>;

/// One small square a requirement, a row a chapter of SPEC.md.
pub(super) fn map(report: &Report) -> Markup {
    let chapters: Vec<&[RequirementResult]> =
        report.requirements.chunk_by(|one, next| chapter(one) == chapter(next)).collect();
    html! {
        section.map aria-label="Map of the requirements" {
            @for rows in chapters {
                div.chapter {
                    span.number { "§ " (chapter(&rows[0])) }
                    div.squares { @for row in rows {
                        a.square.(tone(row)).should[row.level != Level::Must] href={ "#" (row.id) }
                            title={ (row.id) ": " (said(row)) } {
                            span.hidden { (row.id) " " (said(row)) }
                        }
                    } }
                }
            }
            p.key {
                "Each square is a requirement of SPEC.md: a round one is a SHOULD, a hollow one is shown by no case of this run."
            }
        }
    }
}

/// Every requirement with its verdict and its cases.
pub(super) fn table(report: &Report) -> Markup {
    let kinds: Kinds<'_> =
        report.cases.iter().map(|one| (one.about.slug.as_str(), one.verdict.kind())).collect();
    let shown = report.requirements.iter().filter(|row| row.verdict.is_some()).count();
    html! {
        section #requirements {
            h2 { "Requirements" }
            p {
                (shown) " of " (report.requirements.len())
                " are shown by cases of this run. A requirement has the gravest verdict among its cases; those without a case "
                "cannot be seen from outside, or were not selected."
            }
            table {
                thead { tr { th { "" } th { "id" } th { "section" } th { "level" } th { "requirement" } th { "cases" } } }
                tbody {
                    @for row in &report.requirements { (line(row, &kinds)) }
                }
            }
        }
    }
}

fn line(row: &RequirementResult, kinds: &Kinds<'_>) -> Markup {
    let level = match row.level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
    };
    html! {
        tr #(row.id) class=(tone(row)) {
            td { @if let Some(kind) = row.verdict { (mark(kind)) span.hidden { (name(kind)) } } }
            th scope="row" { (row.id) }
            td { (row.section) }
            td { (level) }
            td.text { (quoted(&row.text)) }
            td.slugs { (slugs(row, kinds)) }
        }
    }
}

/// Its cases: those that did not pass at once, the others behind a click where they are many.
fn slugs(row: &RequirementResult, kinds: &Kinds<'_>) -> Markup {
    let passed = |slug: &&String| kinds.get(slug.as_str()) == Some(&Kind::Pass);
    let (passed, other): (Vec<&String>, Vec<&String>) = row.cases.iter().partition(passed);
    let link = |slug: &str| {
        html! {
            a href={ "#" (anchor(slug)) } {
                @if let Some(&kind) = kinds.get(slug).filter(|&&kind| kind != Kind::Pass) { (mark(kind)) }
                code { (slug) }
            }
            " "
        }
    };
    html! {
        @for slug in other { (link(slug)) }
        @if passed.len() > FEW {
            details {
                summary { (passed.len()) " passed" }
                @for slug in passed { (link(slug)) }
            }
        } @else {
            @for slug in passed { (link(slug)) }
        }
    }
}

fn chapter(row: &RequirementResult) -> &str {
    row.section.split('.').next().unwrap_or_default()
}

fn tone(row: &RequirementResult) -> &'static str {
    row.verdict.map_or("unshown", class)
}

fn said(row: &RequirementResult) -> String {
    let cases = row.cases.len();
    let verdict = row.verdict.map_or("shown by no case of this run", name);
    match cases {
        0 => verdict.to_owned(),
        1 => format!("{verdict}, 1 case"),
        _ => format!("{verdict}, {cases} cases"),
    }
}
