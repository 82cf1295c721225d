//! Requests are closed and responses open, by type and by schema alike.

use serde_json::{Value, json};

use super::examples;
use super::objects::{self, Object, Way};
use super::schemas::Schemas;

/// Parts that another text defines member by member, strict whichever way they travel.
const STRICT_PARTS: [&str; 1] = ["/receipt"];

/// The paths of the instance's objects, the whole one's being empty.
fn objects_within(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            paths.push(path.to_owned());
            for (name, member) in members {
                objects_within(member, &format!("{path}/{name}"), paths);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects_within(item, &format!("{path}/{index}"), paths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_read(object: &Object, value: &Value) -> bool {
    (object.round_trip)(value.to_string().as_bytes()).is_ok()
}

#[test]
fn an_unknown_member_is_refused_in_requests_and_ignored_in_responses_at_every_level() {
    let schemas = Schemas::load();
    for example in examples() {
        let object = objects::of(&example.object);
        let value = example.value();
        let mut paths = Vec::new();
        objects_within(&value, "", &mut paths);
        for path in paths {
            let strict_part = STRICT_PARTS.iter().any(|part| path.starts_with(part));
            let (by_type, by_schema) = match object.way {
                Way::Request => (false, false),
                Way::Response => (!strict_part, !strict_part),
            };
            let mut more = value.clone();
            let within = more.pointer_mut(&path).and_then(Value::as_object_mut);
            within.expect("a path of an object").insert("stranger".to_owned(), json!({"a": 1}));
            let place = format!("{}/{} at {path:?}", example.object, example.name);
            if !BY_SCHEMA_ONLY.contains(&object.name) {
                assert_eq!(is_read(object, &more), by_type, "{place}, by type");
            }
            let valid = schemas.errors(object.name, &more).is_empty();
            assert_eq!(valid, by_schema, "{place}, by schema");
        }
    }
}

/// See `objects::by_schema_only`: no type of this crate refuses anything.
const BY_SCHEMA_ONLY: [&str; 4] =
    ["jws-header", "provision-request", "provision-answer", "client-result"];
/// Every member whose removal the schema notices is one without which nothing is read, and the
/// other way round.
#[test]
fn type_and_schema_agree_on_which_members_may_be_absent() {
    let schemas = Schemas::load();
    for example in examples() {
        let object = objects::of(&example.object);
        if BY_SCHEMA_ONLY.contains(&object.name) {
            continue;
        }
        let value = example.value();
        let mut paths = Vec::new();
        objects_within(&value, "", &mut paths);
        for path in paths {
            let members = value.pointer(&path).and_then(Value::as_object).expect("an object");
            for name in members.keys() {
                if is_forgiven(&example.object, &path, name) {
                    continue;
                }
                let mut less = value.clone();
                let within = less.pointer_mut(&path).and_then(Value::as_object_mut);
                within.expect("a path of an object").remove(name);
                let valid = schemas.errors(object.name, &less).is_empty();
                let place = format!("{}/{}, {path}/{name}", example.object, example.name);
                assert_eq!(is_read(object, &less), valid, "{place}");
            }
        }
    }
}

/// The members without which a problem is still understood (`Problem`'s documentation): a bank has
/// to send them, a client does without.
fn is_forgiven(object: &str, path: &str, name: &str) -> bool {
    let per_token = ["order", "key", "successor", "predecessor", "algorithms", "keyTypes"];
    object == "problem" && ((path.is_empty() && per_token.contains(&name)) || name == "notBefore")
}

#[test]
fn null_is_no_value_of_any_member() {
    let schemas = Schemas::load();
    for example in examples() {
        let object = objects::of(&example.object);
        let value = example.value();
        for name in value.as_object().expect("every object is one").keys() {
            let mut nulled = value.clone();
            nulled[name] = Value::Null;
            let place = format!("{}/{}, {name}", example.object, example.name);
            assert!(!schemas.errors(object.name, &nulled).is_empty(), "{place}, by schema");
            if !BY_SCHEMA_ONLY.contains(&object.name) && !is_forgiven(&example.object, "", name) {
                assert!(!is_read(object, &nulled), "{place}, by type");
            }
        }
    }
}
