//! requirements.toml and coverage.md are what SPEC.md and fixtures/ make of them.

use std::fs;
use std::path::PathBuf;

use koshin_conformance::coverage;
use koshin_conformance::requirements::{self, File};
use koshin_conformance::{annotation, evidence};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn kept() -> File {
    requirements::parse(&read("conformance/src/requirements.toml"))
        .expect("requirements.toml is TOML")
}

#[test]
fn requirements_toml_has_the_requirements_of_spec_md_and_the_tests_that_name_them() {
    let extracted = requirements::extract(&read("SPEC.md")).expect("SPEC.md has requirements");
    let tests = annotation::tests(&root()).expect("every comment has its test");
    let merged = requirements::merge(extracted, &kept());
    let merged = requirements::with_tests(merged, &tests).expect("every id is in SPEC.md");
    let merged = requirements::with_cases(merged, &evidence::cases());
    let wanted = requirements::render(&merged);
    assert!(
        wanted == read("conformance/src/requirements.toml"),
        "run: cargo run -p koshin-conformance -- requirements"
    );
}

#[test]
fn coverage_md_tells_the_evidence_that_there_is() {
    let evidence = evidence::declared(&root().join("fixtures")).expect("fixtures/ can be read");
    assert!(
        coverage::render(&kept(), &evidence) == read("conformance/src/coverage.md"),
        "run: cargo run -p koshin-conformance -- coverage"
    );
}

#[test]
fn what_is_said_to_be_shown_is_named_by_a_vector_a_case_or_a_test() {
    let evidence = evidence::declared(&root().join("fixtures")).expect("fixtures/ can be read");
    let (_, problems) = coverage::check(&kept(), &evidence);
    assert!(problems.is_empty(), "{problems:#?}");
}
