//! `requirements` and `coverage`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::coverage;
use crate::{annotation, evidence, requirements};

/// Extract the requirements of SPEC.md into requirements.toml
#[derive(Debug, Args)]
pub(super) struct Requirements {
    /// Folder of SPEC.md, fixtures/ and conformance/.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Writes nothing, fails where the file is not up to date.
    #[arg(long)]
    check: bool,
}

/// Join requirements with their evidence into coverage.md, and fail where a MUST has none
#[derive(Debug, Args)]
pub(super) struct Coverage {
    /// Folder of SPEC.md, fixtures/ and conformance/.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Writes nothing, fails where the file is not up to date.
    #[arg(long)]
    check: bool,
    /// Log of `cargo test`: evidence counts only where it is shown as passed. May be repeated.
    #[arg(long)]
    log: Vec<PathBuf>,
}

impl Requirements {
    pub(super) fn run(self) -> Result<(), Failure> {
        let file = current(&self.root)?;
        println!("requirements: {} in SPEC.md", file.requirement.len());
        put(&path(&self.root), &requirements::render(&file), self.check, "requirements")
    }
}

impl Coverage {
    pub(super) fn run(self) -> Result<(), Failure> {
        let root = &self.root;
        let file = current(root)?;
        put(&path(root), &requirements::render(&file), true, "requirements")?;
        let mut all = evidence::declared(&root.join("fixtures")).map_err(found)?;
        // The page shows the declared evidence, whether or not a log of it is at hand.
        let page = coverage::render(&file, &all);
        put(&root.join("conformance/src/coverage.md"), &page, self.check, "coverage")?;
        for log in &self.log {
            let passed = all.passed.get_or_insert_default();
            passed.extend(evidence::passed(&read(log)?));
        }
        let (summary, problems) = coverage::check(&file, &all);
        println!(
            "coverage: {} MUST: {} shown, {} by review, {} planned",
            summary.musts, summary.shown, summary.reviewed, summary.planned
        );
        if problems.is_empty() { Ok(()) } else { Err(Failure::Found(problems)) }
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("conformance/src/requirements.toml")
}

fn current(root: &Path) -> Result<requirements::File, Failure> {
    let spec = read(&root.join("SPEC.md"))?;
    let path = path(root);
    let kept = if path.exists() { read(&path)? } else { String::new() };
    let extracted = requirements::extract(&spec).map_err(found)?;
    let file = requirements::merge(extracted, &requirements::parse(&kept).map_err(found)?);
    let tests = annotation::tests(root).map_err(found)?;
    let file = requirements::with_tests(file, &tests).map_err(found)?;
    Ok(requirements::with_cases(file, &evidence::cases()))
}

fn put(path: &Path, text: &str, check: bool, command: &str) -> Result<(), Failure> {
    if !check {
        return fs::write(path, text).map_err(|error| unreadable(path, &error));
    }
    if path.exists() && read(path)? == text {
        return Ok(());
    }
    Err(Failure::Found(vec![format!(
        "{} is not up to date; run: cargo run -p koshin-conformance -- {command}",
        path.display()
    )]))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Impossible(format!("{}: {error}", path.display()))
}

fn found(error: impl std::fmt::Display) -> Failure {
    Failure::Found(vec![error.to_string()])
}
