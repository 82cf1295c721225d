//! The command `koshin-conformance`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use koshin_conformance::coverage::{self, Evidence};
use koshin_conformance::{annotation, evidence, requirements};

/// Tells whether a bank or a client follows SPEC.md.
#[derive(Parser)]
#[command(name = "koshin-conformance", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Extracts the requirements of SPEC.md into requirements.toml.
    Requirements {
        /// Folder of SPEC.md, fixtures/ and conformance/.
        #[arg(long, default_value = ".")]
        root: PathBuf,
        /// Writes nothing, fails where the file is not up to date.
        #[arg(long)]
        check: bool,
    },
    /// Joins requirements with their evidence into coverage.md, and fails where a MUST has none.
    Coverage {
        /// Folder of SPEC.md, fixtures/ and conformance/.
        #[arg(long, default_value = ".")]
        root: PathBuf,
        /// Writes nothing, fails where the file is not up to date.
        #[arg(long)]
        check: bool,
        /// Log of `cargo test`: evidence counts only where it is shown as passed. May be repeated.
        #[arg(long)]
        log: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Requirements { root, check } => write_requirements(&root, check),
        Command::Coverage { root, check, log } => write_coverage(&root, check, &log),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Vec<String>>;

fn write_requirements(root: &Path, check: bool) -> Outcome {
    let file = current_requirements(root)?;
    println!("requirements: {} in SPEC.md", file.requirement.len());
    put(&requirements_path(root), &requirements::render(&file), check, "requirements")
}

fn write_coverage(root: &Path, check: bool, logs: &[PathBuf]) -> Outcome {
    put(
        &requirements_path(root),
        &requirements::render(&current_requirements(root)?),
        true,
        "requirements",
    )?;
    let file = current_requirements(root)?;
    let vectors = evidence::vectors(&root.join("fixtures")).map_err(one)?;
    let mut all = Evidence { vectors, ..Evidence::default() };
    // The page shows the declared evidence, whether or not a log of it is at hand.
    put(
        &root.join("conformance/src/coverage.md"),
        &coverage::render(&file, &all),
        check,
        "coverage",
    )?;
    for log in logs {
        let passed = all.passed.get_or_insert_default();
        passed.extend(evidence::passed(&read(log)?));
    }
    let (summary, problems) = coverage::check(&file, &all);
    println!(
        "coverage: {} MUST: {} shown, {} by review, {} planned",
        summary.musts, summary.shown, summary.reviewed, summary.planned
    );
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn requirements_path(root: &Path) -> PathBuf {
    root.join("conformance/src/requirements.toml")
}

fn current_requirements(root: &Path) -> Result<requirements::File, Vec<String>> {
    let spec = read(&root.join("SPEC.md"))?;
    let path = requirements_path(root);
    let kept = if path.exists() { read(&path)? } else { String::new() };
    let extracted = requirements::extract(&spec).map_err(one)?;
    let file = requirements::merge(extracted, &requirements::parse(&kept).map_err(one)?);
    let tests = annotation::tests(root).map_err(one)?;
    requirements::with_tests(file, &tests).map_err(one)
}

fn put(path: &Path, text: &str, check: bool, command: &str) -> Outcome {
    if !check {
        return fs::write(path, text).map_err(|error| vec![format!("{}: {error}", path.display())]);
    }
    if path.exists() && read(path)? == text {
        return Ok(());
    }
    Err(vec![format!(
        "{} is not up to date; run: cargo run -p koshin-conformance -- {command}",
        path.display()
    )])
}

fn read(path: &Path) -> Result<String, Vec<String>> {
    fs::read_to_string(path).map_err(|error| vec![format!("{}: {error}", path.display())])
}

fn one(error: impl std::fmt::Display) -> Vec<String> {
    vec![error.to_string()]
}
