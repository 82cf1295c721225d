//! Somebody with a folder, who runs the command in it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use koshin_client::consent::{AskEnrollment, AskKey, AskPin, Choice, Consent};
use koshin_client::files::Real;
use koshin_client::identity::Identity;
use koshin_client::keystore::FileStore;
use koshin_client::{Client, Error, Later, Renewal};
use koshin_protocol::certificate::Certificate;
use koshin_protocol::notice::Notice;
use koshin_protocol::pin::Pin;
use koshin_server::provision::Made;
use serde_json::Value;
use tempfile::TempDir;

use crate::bank::{Bank, PIN};
use crate::schema;

/// What the program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// It was done.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// It ended with this code and said this on standard error.
    #[track_caller]
    pub fn failed(&self, code: i32, said: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(said), "{said:?} is not in {self:?}");
    }

    /// Its lines of JSON, each of the form that the schema says.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| {
                let event = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
                schema::check(&event);
                event
            })
            .collect()
    }

    /// The last line of JSON.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.events().pop().unwrap_or_else(|| panic!("{self:?}"))
    }
}

pub struct Customer {
    pub folder: TempDir,
    pub directory: String,
    pub roots: PathBuf,
}

impl Customer {
    pub fn new(bank: &Bank, made: Option<&Made>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if let Some(made) = made {
            fs::write(folder.path().join("certificate.pem"), &made.certificate).unwrap();
            fs::write(folder.path().join("key.pem"), made.key.as_bytes()).unwrap();
        }
        Self { folder, directory: bank.directory(), roots: bank.roots() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner may read.
    pub fn secret(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        name.to_owned()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_koshin"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("KOSHIN_HOME", "home")
            .env("LANG", "C.UTF-8")
            .env("TZ", "Asia/Tokyo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments))
    }

    /// Runs it with the right PIN.
    pub fn with_pin(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.env("KOSHIN_PIN", PIN);
        finish(command)
    }

    /// Runs it with something on its standard input.
    pub fn fed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that refuses before it reads closes its end.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        ran(child.wait_with_output().unwrap())
    }

    /// Begins a renewal and leaves it when the certificate is there and not in use.
    pub fn begins(&self, bank: &Bank) {
        let folder = self.path("home/default");
        let identity =
            Identity::open(Arc::new(Real), Arc::new(FileStore::plain()), &folder).unwrap();
        let outcome = bank.runtime.block_on(async {
            let client = Client::builder(identity).consent(Hesitant).build().await.unwrap();
            client.renew(Renewal::default()).await
        });
        assert!(matches!(outcome, Err(Error::Declined(_))), "{outcome:?}");
    }

    /// `import` with the bank's directory and roots, and further arguments.
    pub fn import(&self, arguments: &[&str]) -> Ran {
        let roots = self.roots.to_str().unwrap();
        let bank = ["import", "--directory", &self.directory, "--trust", roots];
        self.run(&[&bank[..], arguments].concat())
    }

    pub fn imports(&self) {
        self.import(&["key.pem", "certificate.pem"]).done();
    }
}

/// Somebody who agrees to the new key and not to the new certificate.
#[derive(Debug)]
struct Hesitant;

impl Consent for Hesitant {
    fn pin<'a>(&'a self, _: &'a AskPin) -> Later<'a, Option<Pin>> {
        Box::pin(async { Some(Pin::new(PIN.to_owned())) })
    }

    fn notice<'a>(&'a self, _: &'a Notice) -> Later<'a, Choice> {
        Box::pin(async { Choice::Renew })
    }

    fn make_key<'a>(&'a self, _: &'a AskKey) -> Later<'a, bool> {
        Box::pin(async { true })
    }

    fn install<'a>(&'a self, _: &'a Certificate) -> Later<'a, bool> {
        Box::pin(async { false })
    }

    fn enroll<'a>(&'a self, _: &'a AskEnrollment) -> Later<'a, bool> {
        Box::pin(async { false })
    }
}

pub fn finish(mut command: Command) -> Ran {
    ran(command.output().unwrap())
}

fn ran(output: std::process::Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
