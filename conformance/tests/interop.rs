//! The second bank and the second client of `conformance/interop`, in Python: at the vectors, at each other, and at the programs
//! of this workspace.
//!
//! Without python3-cryptography the tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail instead.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

type Outcome = Result<(), Failed>;

/// Puts a Python program to the suite.
type Passes = fn(Option<&Path>) -> Outcome;

/// A file of Python tests, or one class of it.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    file: &'static str,
    class: Option<&'static str>,
    /// The program of this workspace that it needs: a variable that names it, and the program.
    program: Option<(&'static str, &'static str)>,
}

const SERVER: Option<(&str, &str)> = Some(("KOSHIN_SERVER", "koshin-server"));
const COMMAND: Option<(&str, &str)> = Some(("KOSHIN", "koshin"));

const CASES: [Case; 5] = [
    Case {
        name: "the_python_code_agrees_with_every_vector",
        file: "test_fixtures.py",
        class: None,
        program: None,
    },
    Case {
        name: "the_python_client_renews_at_the_python_bank",
        file: "test_flows.py",
        class: Some("AtPythonBank"),
        program: None,
    },
    Case {
        name: "the_python_client_renews_at_koshin_server",
        file: "test_flows.py",
        class: Some("AtRustBank"),
        program: SERVER,
    },
    Case {
        name: "the_command_koshin_renews_at_the_python_bank",
        file: "test_koshin.py",
        class: None,
        program: COMMAND,
    },
    Case {
        name: "the_python_bank_and_koshin_server_answer_alike",
        file: "test_alike.py",
        class: None,
        program: SERVER,
    },
];

fn main() -> ExitCode {
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let python = python();
    let suites: [(&str, Passes); 2] = [
        ("the_python_bank_passes_the_suite", the_bank_passes),
        ("the_python_client_passes_the_suite", the_client_passes),
    ];
    let suites = suites.map(|(name, passes)| {
        let (python, ignored) = (python.clone(), python.is_none() && !required);
        Trial::test(name, move || passes(python.as_deref())).with_ignored_flag(ignored)
    });
    let mut trials = Vec::from(CASES.map(|case| {
        let there = python.is_some() && case.program.is_none_or(|(_, name)| beside(name).is_file());
        let kind = if there { "" } else { "needs python3-cryptography and the programs built" };
        let python = python.clone();
        Trial::test(case.name, move || run(python.as_deref(), case))
            .with_kind(kind)
            .with_ignored_flag(!there && !required)
    }));
    trials.extend(suites);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What a bank of profile core has not, or this one chose not to have, as the suite says it where it skips a case.
const NOT_IN_CORE: [&str; 9] = [
    "this bank is of profile core",
    "this bank asks for no PIN",
    "this bank has no rollback",
    "no resource of rollback is at hand",
    "no resource of new-reissue is at hand",
    "no resource of unlock is at hand",
    "no resource of pin is at hand",
    "no resource of new-enrollment is at hand",
    "this bank does not offer HTTP/2",
];

/// What it changes of its policy: two environments, so that one can be refused.
const ENVIRONMENTS: &str =
    r#"{"environments":[{"os":"linux","osVersion":"5.10"},{"os":"windows","osVersion":"10.0"}]}"#;

const REPORT: &str = "report.json";

/// The skip of the cases that a bank without a list of environments is for.
const LISTED: &str = "this bank has a list of environments";

fn the_bank_passes(python: Option<&Path>) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let with_list = bank_run(python, ENVIRONMENTS, &[])?;
    let listed = skipped(&with_list, |reason| reason == LISTED);
    let without_list = bank_run(python, "{}", &listed)?;
    let other = |reason: &str| !NOT_IN_CORE.contains(&reason);
    let left = skipped(&with_list, |reason| reason != LISTED && other(reason));
    let left = [left, skipped(&without_list, other)].concat();
    if left.is_empty() { Ok(()) } else { Err(format!("skipped: {}", left.join(", ")).into()) }
}

/// Puts a new Python bank to these cases, or to all: the report.
fn bank_run(python: &Path, policy: &str, cases: &[String]) -> Result<Value, Failed> {
    let folder = tempfile::tempdir()?;
    let bank = Served { python, state: folder.path().join("bank") };
    bank.command(&format!("init --policy '{policy}'"), "")?;
    bank.command("control", r#"{"do":"start"}"#)?;
    let config: Value = serde_json::from_slice(&std::fs::read(bank.state.join("bank.json"))?)?;
    let mut suite = suite("server", folder.path());
    suite
        .args(cases.iter().flat_map(|case| ["--case", case]))
        .args(["--directory", &format!("https://localhost:{}/koshin/directory", config["port"])])
        .arg("--divergences")
        .arg(program("bank/divergences.toml"))
        .arg("--trust")
        .arg(bank.state.join("root.pem"))
        .args(["--provision", &bank.shell("provision"), "--control", &bank.shell("control")]);
    passed(suite, folder.path())
}

fn the_client_passes(python: Option<&Path>) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let folder = tempfile::tempdir()?;
    let mut suite = suite("client", folder.path());
    suite.arg("--").arg(python).arg(program("client"));
    let report = passed(suite, folder.path())?;
    let left = skipped(&report, |_| true);
    if left.is_empty() { Ok(()) } else { Err(format!("skipped: {}", left.join(", ")).into()) }
}

fn suite(side: &str, folder: &Path) -> Command {
    let mut suite = Command::new(env!("CARGO_BIN_EXE_koshin-conformance"));
    suite.args([side, "--quiet", "--strict", "--json"]).arg(folder.join(REPORT));
    suite
}

/// Runs the suite: its report, where nothing counts against what it was put to.
fn passed(mut suite: Command, folder: &Path) -> Result<Value, Failed> {
    let output = suite.output()?;
    if !output.status.success() {
        let told = [output.stdout, output.stderr].concat();
        return Err(String::from_utf8_lossy(&told).into_owned().into());
    }
    Ok(serde_json::from_slice(&std::fs::read(folder.join(REPORT))?)?)
}

/// The slugs of the cases that were skipped for such a reason.
fn skipped(report: &Value, why: impl Fn(&str) -> bool) -> Vec<String> {
    let cases = report["cases"].as_array().into_iter().flatten();
    let skipped = cases
        .filter(|case| case["verdict"] == "skipped" && case["reason"].as_str().is_some_and(&why));
    skipped.filter_map(|case| Some(case["slug"].as_str()?.to_owned())).collect()
}

/// A Python bank that ends with the test.
struct Served<'a> {
    python: &'a Path,
    state: PathBuf,
}

impl Served<'_> {
    /// A command for `sh -c`; no path here has a quotation mark.
    fn shell(&self, command: &str) -> String {
        let (python, state) = (self.python.display(), self.state.display());
        format!("'{python}' '{}' {command} --state '{state}'", program("bank").display())
    }

    /// Runs a command of the bank with `given` on its standard input.
    fn command(&self, command: &str, given: &str) -> Outcome {
        let script = format!("printf %s '{given}' | {}", self.shell(command));
        let output = Command::new("sh").args(["-c", &script]).output()?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
        }
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.command("control", r#"{"do":"kill"}"#) {
            eprintln!("the bank cannot be ended: {error:?}");
        }
    }
}

/// Something in the folder `interop`.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name)
}

fn run(python: Option<&Path>, case: Case) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let script = program("tests").join(case.file);
    let mut command = Command::new(python);
    command.arg(script).args(case.class).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some((variable, name)) = case.program {
        let program = beside(name);
        if !program.is_file() {
            return Err(format!("{name} is not built beside this test: cargo build").into());
        }
        command.env(variable, program);
    }
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    // With "OK (skipped=...)" nothing was shown.
    if output.status.success() && told.lines().any(|line| line == "OK") {
        Ok(())
    } else {
        Err(told.into_owned().into())
    }
}

/// The first Python that has `cryptography`: `KOSHIN_PYTHON`, Debian's, the one in the path.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("KOSHIN_PYTHON").map(PathBuf::from);
    let usual = ["/usr/bin/python3", "python3"].map(PathBuf::from);
    named.into_iter().chain(usual).find(|program| {
        let imported = Command::new(program).args(["-c", "import cryptography.x509"]).output();
        imported.is_ok_and(|output| output.status.success())
    })
}

/// A program of this workspace, in the folder above the tests'.
fn beside(program: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap_or_default();
    tests.parent().and_then(Path::parent).unwrap_or(Path::new("")).join(program)
}
