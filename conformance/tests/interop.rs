//! The second bank and the second client of `conformance/interop`, in Python: at the vectors, at each other, and at `koshin-server`.
//!
//! Without python3-cryptography the tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail instead.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

type Outcome = Result<(), Failed>;

fn main() -> ExitCode {
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let python = python();
    let server = Some(beside("koshin-server"));
    let python = python.as_deref();
    let trials = vec![
        trial(
            "the_python_code_agrees_with_every_vector",
            required,
            python,
            None,
            "test_fixtures.py",
            &[],
        ),
        trial(
            "the_python_client_renews_at_the_python_bank",
            required,
            python,
            None,
            "test_flows.py",
            &["AtPythonBank"],
        ),
        trial(
            "the_python_client_renews_at_koshin_server",
            required,
            python,
            server.clone(),
            "test_flows.py",
            &["AtRustBank"],
        ),
        trial(
            "the_python_bank_and_koshin_server_answer_alike",
            required,
            python,
            server,
            "test_alike.py",
            &[],
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A file of Python tests; `server` is the program that it needs, too.
fn trial(
    name: &str,
    required: bool,
    python: Option<&Path>,
    server: Option<PathBuf>,
    file: &'static str,
    classes: &'static [&'static str],
) -> Trial {
    let there = python.is_some() && server.as_ref().is_none_or(|program| program.is_file());
    let python = python.map(Path::to_owned);
    let case = move || run(python.as_deref(), server.as_deref(), file, classes);
    let kind = if there { "" } else { "needs python3-cryptography and koshin-server" };
    Trial::test(name, case).with_kind(kind).with_ignored_flag(!there && !required)
}

fn run(python: Option<&Path>, server: Option<&Path>, file: &str, classes: &[&str]) -> Outcome {
    let python = python.ok_or("no python3 with cryptography: install python3-cryptography")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/tests").join(file);
    let mut command = Command::new(python);
    command.arg(script).args(classes).env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(server) = server {
        if !server.is_file() {
            return Err(
                format!("{} is not built: cargo build -p koshin-server", server.display()).into()
            );
        }
        command.env("KOSHIN_SERVER", server);
    }
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && told.lines().any(|line| line.starts_with("OK")) {
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
