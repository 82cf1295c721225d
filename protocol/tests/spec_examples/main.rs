//! Every example of SPEC.md, a json fence after `<!-- example: object/name -->`, is read as that
//! object, written again, and valid by its schema in fixtures/schema.

mod damage;
mod objects;
mod schemas;
mod strictness;
mod values;

use std::collections::BTreeSet;

use serde_json::Value;

/// One example of SPEC.md.
pub(crate) struct Example {
    pub(crate) object: String,
    pub(crate) name: String,
    pub(crate) json: String,
}

impl Example {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.json)
            .unwrap_or_else(|error| panic!("{}/{} is no JSON: {error}", self.object, self.name))
    }
}

/// Every example, in the order of SPEC.md; each marker has its fence.
pub(crate) fn examples() -> Vec<Example> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../SPEC.md");
    let spec = std::fs::read_to_string(path).expect("SPEC.md is beside the crate");
    let mut parts = spec.split("<!-- example: ");
    parts.next();
    let examples: Vec<Example> = parts.map(example).collect();
    assert!(!examples.is_empty(), "SPEC.md has no examples");
    examples
}

fn example(part: &str) -> Example {
    let (marker, rest) = part.split_once(" -->").expect("a marker ends");
    let (object, name) = marker.split_once('/').unwrap_or_else(|| panic!("{marker}: object/name"));
    let json = rest
        .trim_start()
        .strip_prefix("```json\n")
        .and_then(|fence| fence.split_once("```"))
        .unwrap_or_else(|| panic!("{marker}: a json fence follows its marker"));
    Example { object: object.to_owned(), name: name.to_owned(), json: json.0.to_owned() }
}

#[test]
fn every_example_has_a_name_of_its_own() {
    let all = examples();
    let names: BTreeSet<(&str, &str)> =
        all.iter().map(|e| (e.object.as_str(), e.name.as_str())).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn every_example_is_read_as_its_object_and_written_the_same_again() {
    for example in examples() {
        let object = objects::of(&example.object);
        match (object.round_trip)(example.json.as_bytes()) {
            Ok(written) => {
                assert_eq!(written, example.value(), "{}/{}", example.object, example.name);
            }
            Err(error) => panic!("{}/{}: {error}", example.object, example.name),
        }
    }
}

#[test]
fn every_example_is_valid_by_its_schema() {
    let schemas = schemas::Schemas::load();
    for example in examples() {
        let errors = schemas.errors(&example.object, &example.value());
        assert!(errors.is_empty(), "{}/{}: {errors:#?}", example.object, example.name);
    }
}

#[test]
fn every_object_has_a_schema_and_every_schema_an_object() {
    let schemas = schemas::Schemas::load();
    let known: BTreeSet<&str> = objects::ALL.iter().map(|object| object.name).collect();
    assert_eq!(schemas.names(), known);
}
