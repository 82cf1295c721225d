//! The report for a terminal.

use std::fmt::Write as _;

use crate::exchange::{Exchange, Message};
use crate::report::{CaseResult, Report};
use crate::requirements;
use crate::verdict::Kind;

/// How many of a case's last exchanges are shown.
const SHOWN: usize = 4;

/// The report as text: each case that did not pass, then the counts.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for case in &report.cases {
        if !matches!(case.verdict.kind(), Kind::Pass | Kind::Skipped) {
            put(&mut text, case);
        }
    }
    skipped(&mut text, report);
    let counted: Vec<String> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, report.counts.get(&kind).copied().unwrap_or_default()))
        .filter(|&(kind, count)| count > 0 || kind == Kind::Pass)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let verdict = if report.passed { "PASSED" } else { "FAILED" };
    let seconds = report.milliseconds / 1000;
    line(
        &mut text,
        &format!(
            "{verdict}: {} of {} cases; {seconds} s, seed {}",
            counted.join(", "),
            report.cases.len(),
            report.seed
        ),
    );
    text
}

/// Skipped cases by their reason, since many have the same one.
fn skipped(text: &mut String, report: &Report) {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for case in report.cases.iter().filter(|case| case.verdict.kind() == Kind::Skipped) {
        let reason = case.verdict.lines().join(" ");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, slugs)) => slugs.push(&case.about.slug),
            None => reasons.push((reason, vec![&case.about.slug])),
        }
    }
    for (reason, slugs) in reasons {
        line(text, &format!("skipped {} case(s): {reason}", slugs.len()));
        line(text, &format!("    {}\n", slugs.join(", ")));
    }
}

fn put(text: &mut String, case: &CaseResult) {
    line(text, &format!("{}  {}", case.verdict.kind(), case.about.slug));
    line(text, &format!("    {}", case.about.sentence));
    for said in case.verdict.lines() {
        line(text, &format!("    {said}"));
    }
    for id in &case.about.requirements {
        if let Some(row) = requirements::embedded(id) {
            line(text, &format!("    SPEC.md {} [{id}] {}", row.section, row.text));
        }
    }
    let hidden = case.exchanges.len().saturating_sub(SHOWN);
    if hidden > 0 {
        line(text, &format!("    … {hidden} earlier exchanges; --json FILE has them"));
    }
    for exchange in &case.exchanges[hidden..] {
        put_exchange(text, exchange);
    }
    text.push('\n');
}

fn put_exchange(text: &mut String, exchange: &Exchange) {
    put_message(text, '>', &exchange.request);
    if let Some(response) = &exchange.response {
        put_message(text, '<', response);
    }
    if let Some(note) = &exchange.note {
        line(text, &format!("    ! {note}"));
    }
}

fn put_message(text: &mut String, mark: char, message: &Message) {
    line(text, &format!("    {mark} {}", message.line));
    for (name, value) in &message.headers {
        line(text, &format!("    {mark}   {name}: {value}"));
    }
    if let Some(jws) = &message.jws {
        line(text, &format!("    {mark}   {}", jws.protected));
        line(text, &format!("    {mark}   {}", jws.payload));
    } else if !message.body.is_empty() {
        line(text, &format!("    {mark}   {}", message.body));
    }
}

/// Text of the thing under test does not move the terminal's cursor.
fn line(text: &mut String, line: &str) {
    for character in line.chars() {
        if character.is_control() && character != '\n' {
            write!(text, "{}", character.escape_default()).expect("writing to a String");
        } else {
            text.push(character);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{fail, report, result};
    use crate::verdict::Verdict;

    #[test]
    fn a_failure_is_shown_with_requirement_and_exchange_and_no_escape_of_the_others() {
        let skip = || Verdict::Skipped { reason: "no command".to_owned() };
        let cases = vec![
            result("order/a", "ORD-01", fail()),
            result("order/b", "ORD-02", Verdict::Pass),
            result("order/c", "ORD-02", skip()),
            result("order/d", "ORD-02", skip()),
        ];
        let text = render(&report(cases, false));
        for wanted in [
            "FAIL  order/a",
            "expected 201",
            "got      500",
            "SPEC.md 7.8 [ORD-01] The bank MUST answer a newOrder",
            "> GET https://bank.example/koshin/directory",
            "<   date: now",
            "\\u{1b}[31m",
            "skipped 2 case(s): no command\n    order/c, order/d",
            "FAILED: 1 pass, 1 FAIL, 2 skipped of 4 cases; 2 s, seed 7",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is not in:\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }
}
