//! What shows that a requirement is kept: vectors, cases and tests, and whether they ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::coverage::Evidence;
use crate::{client, server};

/// Requirement ids to the names of what shows them.
pub type ByRequirement = BTreeMap<String, BTreeSet<String>>;

/// What is wrong with the evidence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A vector file does not have the common members.
    #[error("{path}: {source}")]
    Vectors {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// All evidence that is declared, with no log of whether it ran.
///
/// # Errors
/// As [`vectors`].
pub fn declared(fixtures: &Path) -> Result<Evidence, Error> {
    Ok(Evidence { vectors: vectors(fixtures)?, cases: cases(), passed: None })
}

/// The cases of the suite, by the requirements that they name.
pub fn cases() -> ByRequirement {
    let server = server::cases().into_iter().map(|case| case.about);
    let mut found = ByRequirement::new();
    for about in server.chain(client::abouts()) {
        for requirement in about.requirements {
            found.entry(requirement).or_default().insert(about.slug.clone());
        }
    }
    found
}

#[derive(Deserialize)]
struct VectorFile {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    requirements: Vec<String>,
}

/// The vectors below `fixtures`, by the requirements that they name. Folders `schema` and `keys` hold no vectors.
///
/// # Errors
/// A file that cannot be read, or that is no vector file.
pub fn vectors(fixtures: &Path) -> Result<ByRequirement, Error> {
    let mut found = ByRequirement::new();
    for path in json_files(fixtures)? {
        let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let file: VectorFile = serde_json::from_slice(&bytes)
            .map_err(|source| Error::Vectors { path: path.clone(), source })?;
        for vector in file.vectors {
            for requirement in vector.requirements {
                found.entry(requirement).or_default().insert(vector.id.clone());
            }
        }
    }
    Ok(found)
}

fn json_files(fixtures: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![fixtures.to_owned()];
    while let Some(folder) = folders.pop() {
        let read = |source| Error::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "schema" && name != "keys" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The tests that a log of `cargo test` shows as passed, as `target::path::of::test`.
///
/// The target is the file's stem, as in `Running tests/vectors.rs (...)`, or its folder's name, as in `tests/edge/main.rs`, the crate's name with `_` for its unit tests
/// (`Running unittests src/lib.rs (target/debug/deps/koshin_server-...)`), and `doc` for documentation tests. A name
/// that a target of its own runner prints is taken as it is, so vectors appear under their ids.
pub fn passed(log: &str) -> BTreeSet<String> {
    let mut target = String::new();
    let mut passed = BTreeSet::new();
    for line in log.lines() {
        let line = line.trim_start();
        if let Some(rest) = line.strip_prefix("Running ") {
            target = target_name(rest);
        } else if line.starts_with("Doc-tests ") {
            "doc".clone_into(&mut target);
        } else if let Some(rest) = line.strip_prefix("test ")
            && let Some(name) = rest.strip_suffix(" ... ok")
        {
            // libtest-mimic prints a trial's kind in brackets before its name.
            let name = name.trim_start();
            let name = name.split_once("] ").map_or(name, |(_, name)| name);
            passed.insert(format!("{target}::{}", name.trim()));
        }
    }
    passed
}

fn target_name(running: &str) -> String {
    let (source, binary) = running.split_once(" (").unwrap_or((running, ""));
    if let Some(unit) = source.strip_prefix("unittests ") {
        let name = binary.trim_end_matches(')').rsplit('/').next().unwrap_or_default();
        let name = name.rsplit_once('-').map_or(name, |(name, _)| name);
        return if unit.ends_with("main.rs") { format!("{name}(bin)") } else { name.to_owned() };
    }
    let path = Path::new(source);
    let name = match path.file_stem() {
        // A target of several files is called after its folder.
        Some(stem) if stem == "main" => path.parent().and_then(Path::file_name),
        stem => stem,
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "     Running unittests src/lib.rs (target/debug/deps/koshin_server-5ad2)\n\
        test http::limit::tests::a_body_is_limited ... ok\n\
        test http::limit::tests::broken ... FAILED\n\
             Running tests/vectors.rs (target/debug/deps/vectors-77)\n\
        test jws/alg-none                 ... ok\n\
        test openssl/chain ... ignored\n\
             Running tests/edge/main.rs (target/debug/deps/edge-9)\n\
        test sizes::a_body_is_limited ... ok\n\
           Doc-tests koshin_protocol\n\
        test protocol/src/lib.rs - (line 20) ... ok\n";

    #[test]
    fn only_what_passed_counts_under_the_name_of_its_target() {
        let expected = [
            "doc::protocol/src/lib.rs - (line 20)",
            "edge::sizes::a_body_is_limited",
            "koshin_server::http::limit::tests::a_body_is_limited",
            "vectors::jws/alg-none",
        ];
        assert_eq!(passed(LOG).iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
