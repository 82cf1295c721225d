//! The report as `JUnit` XML, for CI systems. One suite for each section of SPEC.md, one test for each case.

use std::fmt::Write as _;

use crate::report::{CaseResult, Report};
use crate::requirements;
use crate::verdict::Kind;

/// The report as `JUnit` XML.
pub fn render(report: &Report) -> String {
    let mut sections: Vec<(&str, Vec<&CaseResult>)> = Vec::new();
    for case in &report.cases {
        match sections.iter_mut().find(|(section, _)| *section == case.about.section) {
            Some((_, cases)) => cases.push(case),
            None => sections.push((&case.about.section, vec![case])),
        }
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&CaseResult> = report.cases.iter().collect();
    element(&mut xml, 0, "testsuites", "koshin-conformance", &all);
    for (section, cases) in sections {
        element(&mut xml, 1, "testsuite", &format!("SPEC.md {section}"), &cases);
        for case in cases {
            put(&mut xml, case);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn element(xml: &mut String, depth: usize, tag: &str, name: &str, cases: &[&CaseResult]) {
    let count =
        |wanted: &[Kind]| cases.iter().filter(|case| wanted.contains(&case.verdict.kind())).count();
    let milliseconds: u64 = cases.iter().map(|case| case.milliseconds).sum();
    writeln!(
        xml,
        "{}<{tag} name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">",
        "  ".repeat(depth),
        escaped(name),
        cases.len(),
        count(&[Kind::Fail, Kind::StaleDivergence]),
        count(&[Kind::Blocked]),
        count(&[Kind::Skipped, Kind::KnownDivergence]),
        seconds(milliseconds),
    )
    .expect("writing to a String");
}

fn put(xml: &mut String, case: &CaseResult) {
    let about = &case.about;
    write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        escaped(&format!("{}.{}", about.section, about.requirements.join("."))),
        escaped(&about.slug),
        seconds(case.milliseconds),
    )
    .expect("writing to a String");
    let lines = case.verdict.lines();
    let message = lines.join("; ");
    let tag = match case.verdict.kind() {
        Kind::Pass => {
            xml.push_str("/>\n");
            return;
        }
        Kind::Fail | Kind::StaleDivergence => "failure",
        Kind::Blocked => "error",
        Kind::Skipped | Kind::KnownDivergence => "skipped",
    };
    let quoted: Vec<String> = about
        .requirements
        .iter()
        .filter_map(|id| requirements::embedded(id))
        .map(|row| format!("SPEC.md {} [{}] {}", row.section, row.id, row.text))
        .collect();
    writeln!(
        xml,
        ">\n      <{tag} message=\"{}\">{}\n{}</{tag}>\n    </testcase>",
        escaped(&message),
        escaped(&about.sentence),
        escaped(&quoted.join("\n")),
    )
    .expect("writing to a String");
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// XML 1.0 has no way to write most control characters: they become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{fail, report, result};
    use crate::verdict::Verdict;

    #[test]
    fn each_case_is_a_test_of_the_suite_of_its_section() {
        let odd = Verdict::Blocked { by: "<\u{1b}&\">".to_owned() };
        let cases = vec![
            result("order/a", "ORD-01", fail()),
            result("order/b", "ORD-02", Verdict::Pass),
            result("cancel/a", "CAN-01", odd),
        ];
        let xml = render(&report(cases, false));
        for wanted in [
            "<testsuites name=\"koshin-conformance\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\" time=\"4.500\">",
            "  <testsuite name=\"SPEC.md 7.8\" tests=\"2\" failures=\"1\"",
            "<testcase classname=\"7.8.ORD-02\" name=\"order/b\" time=\"1.500\"/>",
            "<failure message=\"expected 201; got      500\">A sentence &lt;&amp;&gt;.",
            "<error message=\"by &lt;\u{fffd}&amp;&quot;&gt;\">",
        ] {
            assert!(xml.contains(wanted), "{wanted} is not in:\n{xml}");
        }
    }
}
