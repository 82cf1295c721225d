//! A bank in a temporary folder, and the real program that works on it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use koshin_protocol::url::Url;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_koshin-server");

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed, as JSON; it succeeded.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended with this code and said this on standard error.
    #[track_caller]
    pub fn failed(&self, code: i32, said: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(said), "{said:?} is not in {self:?}");
    }
}

/// An operator with the credential that the program showed.
#[derive(Clone)]
pub struct Operator {
    pub name: &'static str,
    pub credential: String,
}

pub struct Bank {
    folder: TempDir,
}

impl Bank {
    /// A test environment behind plain HTTP.
    pub fn new() -> Self {
        Self::with(&["--plain-http", "--testing"])
    }

    pub fn with(options: &[&str]) -> Self {
        let bank = Self { folder: tempfile::tempdir().expect("a folder") };
        let port = options.contains(&"--plain-http").then_some("http://localhost");
        let origin = port.unwrap_or("https://localhost");
        let mut arguments = vec!["init", "bank", "--origin", origin, "--listen", "127.0.0.1:0"];
        arguments.extend(options);
        assert_eq!(bank.run(&arguments).code, 0);
        bank
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.prepared(PROGRAM);
        command.args(arguments);
        command
    }

    fn prepared(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("KOSHIN_SERVER_CONFIG", "bank/koshin-server.toml")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program with nobody's credential.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).spawn().expect("the program"))
    }

    /// Runs a shell's script, whose `$0` is the program.
    pub fn shell(&self, script: &str) -> Ran {
        finish(self.script(script).spawn().expect("a shell"))
    }

    fn script(&self, script: &str) -> Command {
        let mut command = self.prepared("/bin/sh");
        command.args(["-c", script, PROGRAM]);
        command
    }

    /// Begins to run the program.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the program")
    }

    /// Sends it SIGINT and waits for its end.
    pub fn interrupt(child: Child) -> Ran {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        finish(child)
    }

    /// Runs it by an operator, who shows the credential in the environment.
    pub fn by(&self, operator: &Operator, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.args(["--operator", operator.name, "--json"]);
        command.env("KOSHIN_OPERATOR_CREDENTIAL", &operator.credential);
        finish(command.spawn().expect("the program"))
    }

    /// Runs it with something on its standard input.
    pub fn fed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("the program");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that refuses before it reads closes its end.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        finish(child)
    }

    /// The first operator.
    pub fn first(&self, name: &'static str) -> Operator {
        let value = self.run(&["operator", "add", name, "--json"]).json();
        Operator { name, credential: text(&value["credential"]) }
    }

    /// A further one.
    pub fn further(&self, name: &'static str, by: &Operator) -> Operator {
        let value = self.by(by, &["operator", "add", name]).json();
        Operator { name, credential: text(&value["credential"]) }
    }

    pub fn contract(&self, by: &Operator) -> String {
        text(&self.by(by, &["contract", "add", "Example K.K."]).json()["contract"])
    }

    pub fn subject(&self, by: &Operator, contract: &str, name: &str, role: &str) -> String {
        let add = ["subject", "add", "--contract", contract, "--name", name, "--role", role];
        text(&self.by(by, &add).json()["subject"])
    }

    /// The disk is lost.
    pub fn remove_database(&self) {
        for suffix in ["", "-wal", "-shm"] {
            drop(fs::remove_file(self.path(&format!("bank/data/koshin.db{suffix}"))));
        }
    }

    /// A file that only its owner may read.
    pub fn secret(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        name.to_owned()
    }

    /// Tries to serve, which is refused: a bank that serves all the same is ended and fails the test.
    pub fn cannot_serve(&self) -> Ran {
        let mut child = self.command(&["serve"]).spawn().expect("the program");
        let mut ready = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut ready).expect("read");
        if !ready.is_empty() {
            drop(child.kill());
        }
        let ran = finish(child);
        assert!(ready.is_empty(), "it serves: {ready}");
        ran
    }

    /// Serves until it is dropped or stopped.
    pub fn serve(&self) -> Served {
        Self::served(&mut self.command(&["serve", "--json"]))
    }

    /// The same, with a umask that takes nothing away.
    pub fn serve_lax(&self) -> Served {
        Self::served(&mut self.script("umask 000; exec \"$0\" serve --json"))
    }

    /// The same; the log goes to a file of this name.
    pub fn serve_logging(&self, name: &str) -> Served {
        self.serve_with(&[], name)
    }

    /// The same, with these variables in its environment.
    pub fn serve_with(&self, variables: &[(&str, PathBuf)], log: &str) -> Served {
        let mut command = self.command(&["serve", "--json"]);
        command.stderr(fs::File::create(self.path(log)).expect("a file"));
        Self::served(command.envs(variables.iter().cloned()))
    }

    fn served(command: &mut Command) -> Served {
        let mut child = command.spawn().expect("the program");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the line that says ready");
        // Nobody reads a piped log: a bank must not end for that.
        let stderr = child.stderr.take();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let said = stderr.map(std::io::read_to_string);
            panic!("{error}: {line:?} {said:?}")
        });
        Served { child, ready, _stdout: stdout }
    }
}

/// A serving bank.
pub struct Served {
    child: Child,
    pub ready: Value,
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    pub fn directory(&self) -> String {
        text(&self.ready["directory"])
    }

    pub fn address(&self) -> String {
        text(&self.ready["address"])
    }

    /// The URL of a resource that has no id.
    pub fn url(&self, name: &str) -> Url {
        let directory = self.directory();
        let base = directory.strip_suffix("directory").expect("a directory");
        Url::parse(&format!("{base}{name}")).expect("a URL")
    }

    /// Waits for its end; the answer is the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// Sends SIGTERM; the answer is the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
        assert!(sent.success());
        self.ended()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        // None of the codes, where a signal ended it.
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_owned()
}
