//! The requirements on the page: a map on which what is wrong is seen at a glance, and the table behind it.

use maud::{Markup, html};

use super::{anchor, class, mark, name};
use crate::report::{Report, RequirementResult};
use crate::requirements::Level;

/// One small square a requirement, a row a chapter of SPEC.md.
pub(super) fn map(report: &Report) -> Markup {
    let chapters: Vec<&[RequirementResult]> =
        report.requirements.chunk_by(|one, next| chapter(one) == chapter(next)).collect();
    html! {
        section.map aria-label="Map of the requirements" {
            @for rows in chapters {
                div.chapter {
                    span.number { "§ " (chapter(&rows[0])) }
                    @for row in rows {
                        a.square.(tone(row)).should[row.level != Level::Must] href={ "#" (row.id) }
                            title={ (row.id) ": " (said(row)) } {
                            span.hidden { (row.id) " " (said(row)) }
                        }
                    }
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
                    @for row in &report.requirements { (line(row)) }
                }
            }
        }
    }
}

fn line(row: &RequirementResult) -> Markup {
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
            td.text { (row.text) }
            td.slugs {
                @for slug in &row.cases { a href={ "#" (anchor(slug)) } { code { (slug) } } " " }
            }
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
