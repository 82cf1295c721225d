//! Windows, environments, languages.

use jiff::tz::TimeZone;
use koshin_protocol::environment::{Environment, EnvironmentRule, supports};
use koshin_protocol::problem::{Language, Token};
use koshin_protocol::renewal_info::Window;
use koshin_protocol::time::{Period, Time};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::outcome::Outcome;

fn read<T: DeserializeOwned>(input: &Value, name: &str) -> T {
    serde_json::from_value(input[name].clone())
        .unwrap_or_else(|error| panic!("{name} of the input: {error}"))
}

pub(crate) fn run(input: &Value) -> Outcome {
    if input.get("environment").is_some() {
        let rules: Vec<EnvironmentRule> = read(input, "environments");
        let environment: Environment = read(input, "environment");
        return if supports(&rules, &environment) {
            Outcome::valid(json!({}))
        } else {
            Outcome::refused(Token::EnvironmentUnsupported, "state")
        };
    }
    let zone: String = read(input, "timeZone");
    let zone = TimeZone::get(&zone).expect("a zone of the database");
    let (window, not_after): (Period, Time) = (read(input, "window"), read(input, "notAfter"));
    let window = Window::enforced(not_after, window.days(), &zone).expect("a window of this era");
    Outcome::valid(json!({ "start": window.start().to_string(), "end": window.end().to_string() }))
}

pub(crate) fn header(input: &Value) -> Outcome {
    let header: String = read(input, "acceptLanguage");
    Outcome::valid(json!({ "language": Language::negotiate(&header).as_str() }))
}
