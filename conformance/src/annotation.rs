//! Tests that say which requirement they show, in a comment above them: `// [ORD-07] [ORD-09]`.
//!
//! The names are those of [`crate::evidence::passed`], so that a log of `cargo test` tells whether they ran.

use std::fs;
use std::path::{Path, PathBuf};

use crate::evidence::ByRequirement;

/// What is wrong with the comments.
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
    /// What follows the comment is no test.
    #[error("{path}:{line}: the comment names requirements, and no test follows it")]
    NoTest {
        /// In which file.
        path: PathBuf,
        /// Line of the comment, from 1.
        line: usize,
    },
}

/// The tests below `root` by the requirements that they name: in `src/` and `tests/` of every crate there.
///
/// # Errors
/// A file that cannot be read, or a comment without its test.
pub fn tests(root: &Path) -> Result<ByRequirement, Error> {
    let mut found = ByRequirement::new();
    for krate in entries(root)?.into_iter().filter(|path| path.join("Cargo.toml").is_file()) {
        for folder in ["src", "tests"] {
            let folder = krate.join(folder);
            for file in rust_files(&folder)? {
                let Some(module) = module_of(&krate, &file) else { continue };
                let text = fs::read_to_string(&file)
                    .map_err(|source| Error::Read { path: file.clone(), source })?;
                for (ids, test) in annotated(&text).map_err(|line| {
                    let path = file.strip_prefix(root).unwrap_or(&file).to_owned();
                    Error::NoTest { path, line }
                })? {
                    for id in ids {
                        found.entry(id).or_default().insert(format!("{module}::{test}"));
                    }
                }
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = |source| Error::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        paths.push(entry.map_err(read)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The module that a file is, behind its target's name; `None` for a module that several targets share.
fn module_of(krate: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(krate).ok()?.with_extension("");
    let mut parts: Vec<String> =
        below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let folder = parts.remove(0);
    let last = parts.last().cloned()?;
    if folder == "src" {
        let name = krate.file_name()?.to_string_lossy();
        let target = if last == "main" && parts.len() == 1 { "(bin)" } else { "" };
        if matches!(last.as_str(), "lib" | "main") && parts.len() == 1 {
            parts.clear();
        }
        parts.insert(0, format!("koshin_{name}{target}"));
    } else {
        let own = parts.len() == 1 || krate.join("tests").join(&parts[0]).join("main.rs").is_file();
        if !own {
            return None;
        }
        if last == "main" {
            parts.pop();
        }
    }
    if parts.last().is_some_and(|part| part == "mod") {
        parts.pop();
    }
    Some(parts.join("::"))
}

/// Each annotated test of a file with the ids above it, or the line of a comment that stands above none.
fn annotated(text: &str) -> Result<Vec<(Vec<String>, String)>, usize> {
    let mut found = Vec::new();
    // Modules that are open, with the indentation at which each closes.
    let mut modules: Vec<(usize, &str)> = Vec::new();
    let mut pending: Option<(usize, Vec<String>)> = None;
    let mut is_test = false;
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if code == "}" && modules.last().is_some_and(|(closes, _)| *closes == indent) {
            modules.pop();
        }
        if let Some(name) = code.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
            modules.push((indent, name));
        }
        if let Some(ids) = ids(code) {
            if let Some((line, _)) = pending.replace((index + 1, ids)) {
                return Err(line);
            }
            is_test = false;
            continue;
        }
        let Some((line, ids)) = pending.take() else { continue };
        if code.starts_with("#[") || code.starts_with("//") {
            is_test |= code.starts_with("#[test]") || code.contains("::test");
            pending = Some((line, ids));
            continue;
        }
        let name = code.split_once("fn ").and_then(|(_, rest)| rest.split_once(['(', '<']));
        let (true, Some((name, _))) = (is_test, name) else { return Err(line) };
        let path = modules.iter().map(|(_, module)| *module).chain([name]).collect::<Vec<_>>();
        found.push((ids, path.join("::")));
    }
    match pending {
        Some((line, _)) => Err(line),
        None => Ok(found),
    }
}

/// The ids of a comment that has nothing else.
fn ids(code: &str) -> Option<Vec<String>> {
    let words = code.strip_prefix("// [")?;
    let id = |word: &str| {
        let id = word.strip_prefix('[').unwrap_or(word).strip_suffix(']')?;
        let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
        (id.contains('-') && id.chars().all(good)).then(|| id.to_owned())
    };
    words.split(' ').map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// [ORD-07] [ORD-09]\n#[tokio::test]\nasync fn too_early() {\n}\n\n\
        mod inner {\n    // [CAN-01]\n    #[test]\n    fn canceled() {}\n}\n\n\
        // An ordinary comment with [ORD-01] in it.\n// [CFM-01]\n#[test]\nfn confirmed() {}\n";

    #[test]
    fn a_comment_of_ids_belongs_to_the_test_below_it() {
        let found = annotated(TEXT).expect("every comment has its test");
        let of = |ids: &[&str], test: &str| {
            (ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>(), test.to_owned())
        };
        assert_eq!(
            found,
            [
                of(&["ORD-07", "ORD-09"], "too_early"),
                of(&["CAN-01"], "inner::canceled"),
                of(&["CFM-01"], "confirmed"),
            ]
        );
    }

    #[test]
    fn a_comment_above_anything_else_is_refused() {
        assert_eq!(annotated("// [ORD-07]\nfn helper() {}\n"), Err(1));
        assert_eq!(annotated("\n// [ORD-07]\nlet x = 1;\n"), Err(2));
        assert_eq!(annotated("// [ORD-07]\n// [ORD-08]\n#[test]\nfn x() {}\n"), Err(1));
        assert_eq!(annotated("// [ORD-07]\n"), Err(1));
    }

    #[test]
    fn a_files_module_stands_behind_its_targets_name() {
        let of = |path: &str| module_of(Path::new("server"), &Path::new("server").join(path));
        assert_eq!(of("src/lib.rs").as_deref(), Some("koshin_server"));
        assert_eq!(of("src/http/limit.rs").as_deref(), Some("koshin_server::http::limit"));
        assert_eq!(of("src/main.rs").as_deref(), Some("koshin_server(bin)"));
        assert_eq!(of("tests/crash.rs").as_deref(), Some("crash"));
        assert_eq!(of("tests/shared/mod.rs"), None, "of no target of its own");
    }
}
