//! The files of vectors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::Value;

/// A file of vectors.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VectorFile {
    #[serde(skip)]
    pub(crate) path: PathBuf,
    pub(crate) topic: String,
    #[serde(rename = "schema")]
    _schema: String,
    #[serde(rename = "comment")]
    _comment: String,
    pub(crate) vectors: Vec<Vector>,
}

/// One vector.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) comment: String,
    #[serde(rename = "flags")]
    _flags: Vec<String>,
    #[serde(rename = "requirements")]
    _requirements: Vec<String>,
    pub(crate) input: Value,
    pub(crate) expect: Value,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// Folders of fixtures/ that hold no vectors.
const NO_VECTORS: [&str; 2] = ["schema", "keys"];

/// Every file of vectors, in the order of their paths.
pub(crate) fn all() -> Vec<VectorFile> {
    let mut paths = Vec::new();
    for topic in entries(&fixtures()).into_iter().filter(|path| path.is_dir()) {
        let name = topic.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !NO_VECTORS.contains(&name.as_str()) {
            paths.extend(entries(&topic));
        }
    }
    paths.into_iter().map(|path| read(&path)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of fixtures can be read");
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> VectorFile {
    let text = fs::read_to_string(path).expect("a file of fixtures can be read");
    let mut file: VectorFile =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path.clone_into(&mut file.path);
    file
}

/// Each file is valid by the schema that it names.
pub(crate) fn check_schema(files: &[VectorFile]) -> Result<(), Failed> {
    let path = fixtures().join("schema/vectors.file.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    jsonschema::meta::validate(&schema).map_err(|error| error.to_string())?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    for file in files {
        let document: Value = serde_json::from_str(&fs::read_to_string(&file.path)?)?;
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{} {}: {error}", file.path.display(), error.instance_path()))
            .collect();
        if !errors.is_empty() {
            return Err(errors.join("\n").into());
        }
        for vector in &document["vectors"].as_array().cloned().unwrap_or_default() {
            let mut broken = document.clone();
            let mut vector = vector.clone();
            vector.as_object_mut().expect("a vector is an object").remove("flags");
            broken["vectors"] = Value::from(vec![vector]);
            if validator.is_valid(&broken) {
                return Err(format!("{}: a vector without flags is valid", file.topic).into());
            }
        }
    }
    Ok(())
}

/// Ids are unique over all files and begin with the folder's name, which is the topic.
pub(crate) fn check_ids(files: &[VectorFile]) -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    for file in files {
        let folder = file.path.parent().and_then(Path::file_name).unwrap_or_default();
        if folder != file.topic.as_str() {
            return Err(
                format!("{} says that its topic is {}", file.path.display(), file.topic).into()
            );
        }
        for vector in &file.vectors {
            let of_topic =
                vector.id.strip_prefix(&file.topic).is_some_and(|rest| rest.starts_with('/'));
            if !of_topic || !seen.insert(&vector.id) {
                return Err(format!("{} is not of its topic, or not unique", vector.id).into());
            }
        }
    }
    Ok(())
}
