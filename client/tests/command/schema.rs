//! What `--json` prints, by `fixtures/schema/command.event.schema.json`.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static SCHEMA: LazyLock<(Value, Validator)> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/schema/command.event.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    (schema, validator)
});

/// An event is valid, and the schema names each of its members.
#[track_caller]
pub fn check(event: &Value) {
    let (schema, validator) = &*SCHEMA;
    let errors: Vec<_> = validator.iter_errors(event).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{event}: {errors:?}");
    let mut known = members(schema);
    for branch in schema["oneOf"].as_array().unwrap() {
        if branch["properties"]["event"]["const"] == event["event"] {
            known.extend(members(branch));
            for outcome in branch["oneOf"].as_array().into_iter().flatten() {
                if outcome["properties"]["outcome"]["const"] == event["outcome"] {
                    known.extend(members(outcome));
                }
            }
        }
    }
    for name in event.as_object().unwrap().keys() {
        assert!(known.contains(&name.as_str()), "{name} of {event} is not in the schema");
    }
}

fn members(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn an_event_that_is_not_in_the_schema_is_noticed() {
    let event = |name: &str, more: &str| -> Value {
        let text = format!(r#"{{"time":"2026-11-25T00:00:00Z","event":"{name}"{more}}}"#);
        serde_json::from_str(&text).unwrap()
    };
    check(&event("deferred", r#","deferrals":1"#));
    for (name, more) in [
        ("deferred", ""),
        ("deferred", r#","deferrals":-1"#),
        ("deferred", r#","deferrals":1,"by":"nobody""#),
        ("postponed", ""),
        ("result", r#","command":"renew","outcome":"lost""#),
    ] {
        let event = event(name, more);
        assert!(std::panic::catch_unwind(|| check(&event)).is_err(), "{event}");
    }
}
