//! The JSON Schemas of fixtures/schema, offline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// What the schemas' `$id` begin with; nothing is ever fetched from there.
const BASE: &str = "https://koshin-protocol.example/schema/";
/// Where the shared definitions stand, which are no object.
const DEFINITIONS: &str = "definitions";

/// The objects' schemas, ready to judge.
pub(crate) struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    /// Reads every file of the folder that is a schema of an object.
    pub(crate) fn load() -> Self {
        let documents = documents();
        let mut registry = Registry::new();
        for (name, document) in &documents {
            let id = format!("{BASE}{name}.schema.json");
            assert_eq!(document["$id"], Value::from(id.as_str()), "{name}");
            registry = registry.add(id, document.clone()).expect("the id is a URI");
        }
        let registry = registry.prepare().expect("every reference leads to one of the files");
        let validator = |document: &Value| {
            jsonschema::options()
                .with_registry(&registry)
                .build(document)
                .unwrap_or_else(|error| panic!("{}: {error}", document["$id"]))
        };
        let objects = documents.iter().filter(|(name, _)| name.as_str() != DEFINITIONS);
        Self(objects.map(|(name, document)| (name.clone(), validator(document))).collect())
    }

    /// The objects that have a schema.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Why the instance is not valid; empty: it is.
    pub(crate) fn errors(&self, object: &str, instance: &Value) -> Vec<String> {
        let schema = self.0.get(object).unwrap_or_else(|| panic!("{object} has no schema"));
        let errors = schema.iter_errors(instance);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// Every schema by the name of its file, `order` for `order.schema.json`.
pub(crate) fn documents() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/schema");
    let mut documents = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("fixtures/schema is there") {
        let path = entry.expect("the folder can be read").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("a name in ASCII");
        // Schemas of vector files have names of their own and tests of their own.
        let Some(name) = file.strip_suffix(".schema.json").filter(|name| !name.contains('.'))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let document =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        documents.insert(name.to_owned(), document);
    }
    documents
}

#[test]
fn every_schema_is_a_schema_of_2020_12() {
    for (name, document) in documents() {
        let dialect = &document["$schema"];
        assert_eq!(dialect, "https://json-schema.org/draft/2020-12/schema", "{name}");
        if let Err(error) = jsonschema::meta::validate(&document) {
            panic!("{name}: {error}");
        }
        assert!(document["description"].is_string(), "{name} says nothing of itself");
    }
}
