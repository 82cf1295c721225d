//! The command as scripts see it: its exit codes, and the JSON that it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_koshin-conformance");

const PASSED: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const IMPOSSIBLE: i32 = 3;

fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(PROGRAM).args(arguments).output().expect("the command starts")
}

fn ends(output: &Output, code: i32) {
    let shown = [&*output.stdout, &*output.stderr].concat();
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&shown));
}

fn json(octets: &[u8]) -> Value {
    serde_json::from_slice(octets).expect("JSON")
}

/// Our own bank, which ends with the test.
struct Bank {
    folder: TempDir,
    directory: String,
}

impl Bank {
    /// Serves, with this mutant's fault if one is named.
    fn serving(mutant: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display().to_string();
        let made = run(["koshin", "create", &path]);
        ends(&made, PASSED);
        let told = String::from_utf8(made.stdout).expect("text");
        let directory = told.split(' ').next().expect("a URL").to_owned();
        if let Some(mutant) = mutant {
            fs::write(folder.path().join("mutant"), mutant).expect("a file");
        }
        let bank = Self { folder, directory };
        // Not `output`: the process that serves keeps what it inherits open.
        let started = Command::new(PROGRAM).args(["koshin", "start", &path]).status();
        assert!(started.expect("the command starts").success());
        bank
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("bank/root.pem")
    }

    /// Runs `server` against it.
    fn tested(&self, further: &[&str]) -> Output {
        let provision = format!("'{PROGRAM}' koshin provision '{}'", self.folder.path().display());
        Command::new(PROGRAM)
            .args(["server", "--quiet", "--directory", &self.directory, "--provision", &provision])
            .arg("--trust")
            .arg(self.root())
            .args(further)
            .output()
            .expect("the command starts")
    }

    fn divergence(&self, case: &str) -> String {
        let file = self.folder.path().join("divergences.toml");
        let text = format!("[[divergence]]\ncase = \"{case}\"\nreason = \"agreed\"\n");
        fs::write(&file, text).expect("a file");
        file.display().to_string()
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        run(["koshin", "kill", &self.folder.path().display().to_string()]);
    }
}

/// A case, and a bank that fails it.
const CASE: &str = "nonce/used-again";

#[test]
fn a_bank_that_does_as_spec_md_says_passes_and_a_divergence_of_it_is_stale() {
    let bank = Bank::serving(None);
    ends(&bank.tested(&["--case", CASE]), PASSED);
    let known = bank.divergence(CASE);
    let stale = bank.tested(&["--case", CASE, "--divergences", &known]);
    ends(&stale, FAILED);
    assert!(String::from_utf8_lossy(&stale.stdout).contains("stale divergence"));
}

#[test]
fn a_bank_that_does_otherwise_fails_unless_that_is_known() {
    let bank = Bank::serving(Some(MUTANT));
    let report = bank.folder.path().join("report.json");
    let file = report.display().to_string();
    ends(&bank.tested(&["--case", CASE, "--json", &file]), FAILED);
    let report = json(&fs::read(&report).expect("a report"));
    assert_eq!(report["passed"], false);
    assert_eq!(report["cases"][0]["verdict"], "fail");
    let known = bank.divergence(CASE);
    ends(&bank.tested(&["--case", CASE, "--divergences", &known]), PASSED);
}

const MUTANT: &str = "accepts-any-nonce";

#[test]
fn a_server_run_that_is_wrongly_asked_for_is_usage() {
    let bank = Bank::serving(None);
    ends(&bank.tested(&["--case", "no/such-case"]), USAGE);
    ends(&bank.tested(&["--jobs", "0"]), USAGE);
    ends(&bank.tested(&["--divergences", "/no/such/file"]), USAGE);
    let unknown = bank.divergence("no/such-case");
    ends(&bank.tested(&["--divergences", &unknown]), USAGE);
    let root = bank.root().display().to_string();
    ends(&run(["server", "--directory", "no URL", "--trust", &root]), USAGE);
    ends(&run(["server", "--directory", &bank.directory, "--trust", "/no/such/file"]), USAGE);
    ends(&run(["server", "--directory", &bank.directory]), USAGE);
}

#[test]
fn a_bank_that_cannot_be_reached_is_not_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    // Made, and not started.
    let made = run(["koshin", "create", &path]);
    let told = String::from_utf8(made.stdout).expect("text");
    let (directory, root) = told.trim().split_once(' ').expect("a URL and a file");
    let output = run(["server", "--quiet", "--directory", directory, "--trust", root]);
    ends(&output, IMPOSSIBLE);
    assert!(String::from_utf8_lossy(&output.stderr).contains(directory), "it says which");
}

#[test]
fn a_client_is_judged_by_what_it_does() {
    let plain = ["client", "--quiet", "--case", "plain/renew", "--"];
    ends(&run(plain.iter().copied().chain([PROGRAM, "reference-client"])), PASSED);
    ends(&run(plain.iter().copied().chain(["true"])), FAILED);
}

#[test]
fn a_client_that_cannot_be_started_is_not_judged() {
    for program in ["no-such-program-anywhere", "/no/such/program"] {
        ends(&run(["client", "--quiet", "--", program]), IMPOSSIBLE);
    }
}

#[test]
fn a_client_run_that_is_wrongly_asked_for_is_usage() {
    ends(&run(["client"]), USAGE);
    ends(&run(["client", "--case", "no/such-case", "--", "true"]), USAGE);
    ends(&run(["client", "--level", "perhaps", "--", "true"]), USAGE);
}

#[test]
fn list_prints_the_cases_of_a_side_as_an_array() {
    for (side, least) in [("server", 250), ("client", 100)] {
        let listed = run(["list", "--side", side, "--json"]);
        ends(&listed, PASSED);
        let cases = json(&listed.stdout);
        let cases = cases.as_array().expect("an array");
        assert!(cases.len() >= least, "{side}: {}", cases.len());
        for case in cases {
            assert_eq!(case["side"], side, "{case}");
            for member in ["slug", "section", "level", "sentence"] {
                assert!(case[member].as_str().is_some_and(|text| !text.is_empty()), "{case}");
            }
            assert!(case["requirements"].as_array().is_some_and(|ids| !ids.is_empty()), "{case}");
        }
    }
    ends(&run(["list"]), USAGE);
    ends(&run(["list", "--side", "both"]), USAGE);
}

#[test]
fn mutants_prints_each_with_its_requirement_and_the_case_that_noticed() {
    let output = run(["mutants", "--json", "--mutant", MUTANT, "--mutant", "takes-any-version"]);
    ends(&output, PASSED);
    let found = json(&output.stdout);
    let expected = serde_json::json!({
        "server": {
            "mutants": 1,
            "killed": 1,
            "list": [{ "slug": MUTANT, "requirement": "NON-03", "killedBy": found["server"]["list"][0]["killedBy"] }],
        },
        "client": {
            "mutants": 1,
            "killed": 1,
            "list": [{ "slug": "takes-any-version", "requirement": "DIR-03", "killedBy": "directory/version" }],
        },
    });
    assert_eq!(found, expected);
    assert!(found["server"]["list"][0]["killedBy"].is_string());
}

#[test]
fn a_mutant_that_there_is_not_is_usage() {
    ends(&run(["mutants", "--mutant", "no-such-mutant"]), USAGE);
    ends(&run(["mutants", "--side", "both"]), USAGE);
}

#[test]
fn coverage_fails_where_a_file_is_stale_and_says_what_to_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let check = |command: &str, root: &Path| {
        Command::new(PROGRAM)
            .args([command, "--check", "--root"])
            .arg(root)
            .output()
            .expect("the command starts")
    };
    for command in ["requirements", "coverage"] {
        ends(&check(command, &root), PASSED);
    }
    let folder = tempfile::tempdir().expect("a folder");
    for command in ["requirements", "coverage"] {
        ends(&check(command, folder.path()), IMPOSSIBLE);
    }
    fs::copy(root.join("SPEC.md"), folder.path().join("SPEC.md")).expect("a copy");
    let stale = folder.path().join("conformance/src");
    fs::create_dir_all(&stale).expect("a folder");
    let kept = fs::read_to_string(root.join("conformance/src/requirements.toml")).expect("a file");
    fs::write(stale.join("requirements.toml"), kept.replacen("ENC-", "ENX-", 1)).expect("a file");
    for command in ["requirements", "coverage"] {
        let output = check(command, folder.path());
        ends(&output, FAILED);
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("koshin-conformance -- requirements")
        );
    }
}
