//! The report as JSON, in the form of `conformance/schema/report.json`.

use crate::report::Report;

/// The report as JSON.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("strings and numbers");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::tests::{fail, report, result};
    use crate::verdict::Verdict;

    fn schema() -> Value {
        serde_json::from_str(include_str!("../../schema/report.json")).expect("JSON")
    }

    #[test]
    fn a_report_has_the_form_of_its_schema() {
        let reason = || "why".to_owned();
        let cases = vec![
            result("order/a", "ORD-01", fail()),
            result("order/b", "ORD-02", Verdict::Pass),
            result("order/c", "ORD-02", Verdict::Skipped { reason: reason() }),
            result("order/d", "ORD-02", Verdict::Blocked { by: reason() }),
            result("order/e", "ORD-02", Verdict::StaleDivergence { reason: reason() }),
            result(
                "order/f",
                "ORD-02",
                Verdict::KnownDivergence { reason: reason(), expected: reason(), actual: reason() },
            ),
        ];
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        let value: Value = serde_json::from_str(&render(&report(cases, false))).expect("JSON");
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let mut other = value.clone();
        other["cases"][0]["verdict"] = Value::from("maybe");
        assert!(!validator.is_valid(&other), "the schema refuses what is not a verdict");
        other = value;
        other["further"] = Value::from(1);
        assert!(!validator.is_valid(&other), "the schema refuses unknown members");
    }
}
