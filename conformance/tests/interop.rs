//! The second bank and the second client of `conformance/interop`, in Python: at the vectors, at each other, and at the programs
//! of this workspace.
//!
//! Without python3-cryptography the tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail instead.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

type Outcome = Result<(), Failed>;

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
    let suite = Trial::test("the_python_bank_passes_the_suite", {
        let python = python.clone();
        move || passes_the_suite(python.as_deref())
    })
    .with_ignored_flag(python.is_none() && !required);
    let mut trials = Vec::from(CASES.map(|case| {
        let there = python.is_some() && case.program.is_none_or(|(_, name)| beside(name).is_file());
        let kind = if there { "" } else { "needs python3-cryptography and the programs built" };
        let python = python.clone();
        Trial::test(case.name, move || run(python.as_deref(), case))
            .with_kind(kind)
            .with_ignored_flag(!there && !required)
    }));
    trials.push(suite);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Sections of SPEC.md whose cases the bank is put to.
const SECTIONS: [&str; 2] = ["4", "5"];

fn passes_the_suite(python: Option<&Path>) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let folder = tempfile::tempdir()?;
    let bank = Served { python, state: folder.path().join("bank") };
    bank.command("init", "")?;
    bank.command("control", r#"{"do":"start"}"#)?;
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(bank.state.join("bank.json"))?)?;
    let mut suite = Command::new(env!("CARGO_BIN_EXE_koshin-conformance"));
    suite
        .args(["server", "--quiet", "--jobs", "4", "--trust"])
        .arg(bank.state.join("root.pem"))
        .args(["--directory", &format!("https://localhost:{}/koshin/directory", config["port"])])
        .args(["--provision", &bank.shell("provision"), "--control", &bank.shell("control")])
        .args(SECTIONS.iter().flat_map(|section| ["--section", section]));
    let output = suite.output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&told).into_owned().into())
}

/// A Python bank that ends with the test.
struct Served<'a> {
    python: &'a Path,
    state: PathBuf,
}

impl Served<'_> {
    fn program() -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/bank").display().to_string()
    }

    /// A command for `sh -c`; no path here has a quotation mark.
    fn shell(&self, command: &str) -> String {
        let (python, state) = (self.python.display(), self.state.display());
        format!("'{python}' '{}' {command} --state '{state}'", Self::program())
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

fn run(python: Option<&Path>, case: Case) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/tests").join(case.file);
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
