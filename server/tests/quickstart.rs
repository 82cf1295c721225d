//! The README's first command, as a process: it ends well, says what the README shows, and leaves keys and certificates that
//! OpenSSL accepts. Its customers may come with certificates that OpenSSL made.
//!
//! Without OpenSSL those tests are reported as ignored; with `KOSHIN_REQUIRE_ALL=1` they fail instead.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

type Outcome = Result<(), Failed>;
type Case = (&'static str, fn() -> Outcome);

const ALONE: [Case; 3] = [
    ("the_tour_says_what_the_readme_shows", says_what_the_readme_shows),
    ("a_folder_with_something_in_it_is_left_alone", occupied),
    ("with_serve_the_bank_stays_open_and_the_commands_shown_work_until_sigterm", serves),
];

const WITH_OPENSSL: [Case; 2] = [
    ("openssl_accepts_what_the_tour_leaves", openssl_accepts),
    ("customers_with_certificates_that_openssl_made_renew", customers_of_openssl),
];

fn main() -> ExitCode {
    let there =
        Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("KOSHIN_REQUIRE_ALL").is_some_and(|value| value == "1");
    let with_openssl = WITH_OPENSSL
        .map(|(name, case)| Trial::test(name, case).with_ignored_flag(!there && !required));
    let alone = ALONE.map(|(name, case)| Trial::test(name, case));
    let trials = alone.into_iter().chain(with_openssl).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn says_what_the_readme_shows() -> Outcome {
    let folder = tempfile::tempdir()?;
    let said = tour(&[path(&folder.path().join("tour"))])?;
    let widest = said.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?} columns:\n{said}");
    let readme = fs::read_to_string(root().join("README.md"))?;
    assert!(readme.contains("\ncargo run --release -p koshin-server --example quickstart\n"));
    let (_, sample) = readme.split_once("```text\n").ok_or("the README has a sample")?;
    let (sample, _) = sample.split_once("```").ok_or("the sample ends")?;
    let (sample, said) = (masked(sample), masked(&said));
    assert!(said.contains(&sample), "the README shows\n{sample}\nand the tour says\n{said}");
    Ok(())
}

fn occupied() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("letter"), "dear")?;
    let output = quickstart(&[path(folder.path())])?.wait_with_output()?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr)?;
    assert!(said.contains("the folder is not empty; name another"), "{said}");
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

fn serves() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut serving = Serving(quickstart(&["--serve".to_owned(), path(folder.path())])?);
    let mut lines = BufReader::new(serving.0.stdout.take().ok_or("piped")?).lines();
    let mut commands = Vec::new();
    loop {
        let line = lines.next().ok_or("it ended early")??;
        if let Some(command) = line.trim().strip_prefix("cargo run --release -p koshin-") {
            commands.push(command.to_owned());
        }
        if line.contains("--credential-file") {
            break;
        }
    }
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in commands {
        let run = match command.split_once(" -- ").ok_or("a command")? {
            ("server", words) => Command::new(env!("CARGO_BIN_EXE_koshin-server"))
                .args(words.split(' '))
                .stdin(Stdio::null())
                .output()?,
            // Nobody is at a terminal here, to be asked.
            (_, words) => Command::new(koshin()?)
                .args(words.split(' ').chain(["--yes"]))
                .env("KOSHIN_PIN", "481516")
                .stdin(Stdio::null())
                .output()?,
        };
        assert!(run.status.success(), "{command}: {run:?}");
    }
    let kill = Command::new("kill").args(["-TERM", &serving.0.id().to_string()]).status()?;
    assert!(kill.success());
    assert_eq!(serving.0.wait()?.code(), Some(0));
    Ok(())
}

fn openssl_accepts() -> Outcome {
    let folder = tempfile::tempdir()?;
    let said = tour(&[path(folder.path())])?;
    let checked = shell(&folder, &commands_of(&said)?)?;
    let out = String::from_utf8(checked.stdout)?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(subject(&out).contains("subject=O=Example Trading K.K., CN=Tanaka Yuki"), "{out}");
    assert!(out.contains("certificate.pem: OK") && out.contains("the same key"), "{out}");
    // What the customers came with: of the other CA alone.
    for (trust, accepted) in [("customers/ca.pem", true), ("bank/root.pem", false)] {
        let verify = format!("openssl verify -CAfile {trust} customers/user.pem");
        assert_eq!(shell(&folder, &verify)?.status.success(), accepted, "{verify}");
    }
    Ok(())
}

fn customers_of_openssl() -> Outcome {
    let brought = tempfile::tempdir()?;
    let made = shell(
        &brought,
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=Old -days 365
         issue() {
             openssl req -new -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj \"/C=JP/O=Example K.K./CN=$2\"
             openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 20 -out $1.pem
         }
         issue administrator 'Suzuki Ichiro'
         issue user 'Kimura Sakura'",
    )?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let folder = tempfile::tempdir()?;
    let said = tour(&["--customers".to_owned(), path(brought.path()), path(folder.path())])?;
    assert!(said.contains("Kimura Sakura renews"), "{said}");
    let checked = shell(&folder, &commands_of(&said)?)?;
    let out = String::from_utf8(checked.stdout)?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(subject(&out).contains("subject=C=JP, O=Example K.K., CN=Kimura Sakura"), "{out}");
    assert!(out.contains("the same key"), "{out}");
    Ok(())
}

/// What the tour says, when it has ended well.
fn tour(arguments: &[String]) -> Result<String, Failed> {
    let Output { status, stdout, stderr } = quickstart(arguments)?.wait_with_output()?;
    let (out, err) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
    assert_eq!(status.code(), Some(0), "{out}\n{err}");
    Ok(out)
}

fn quickstart(arguments: &[String]) -> Result<Child, Failed> {
    let mut command = Command::new(example()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

/// A bank that stays open, until it is dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already; both calls are then harmless.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn example() -> Result<PathBuf, Failed> {
    let target = ["koshin-server", "--example", "quickstart"];
    built("examples/quickstart", newest_source(), &target)
}

fn koshin() -> Result<PathBuf, Failed> {
    built("koshin", SystemTime::UNIX_EPOCH, &["koshin-client", "--bin", "koshin"])
}

/// A program that `cargo test --workspace` has built, but `cargo test --test quickstart` has not.
fn built(program: &str, since: SystemTime, target: &[&str]) -> Result<PathBuf, Failed> {
    let own = std::env::current_exe()?;
    let profile = own.ancestors().nth(2).ok_or("tests are in a folder of their profile's")?;
    let program = profile.join(program);
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
    if built.map_or(true, |built| built < since) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "-q", "-p"])
            .args(target)
            .current_dir(root())
            .status()?;
        assert!(status.success(), "{} does not build", program.display());
    }
    Ok(program)
}

/// When a source of the example was changed last.
fn newest_source() -> SystemTime {
    let sources = fs::read_dir(root().join("server/examples/quickstart")).into_iter().flatten();
    let times = sources.filter_map(|source| source.ok()?.metadata().ok()?.modified().ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The commands of the last act.
fn commands_of(said: &str) -> Result<String, Failed> {
    let (_, last) = said.split_once("for OpenSSL to check\n").ok_or("the last act is there")?;
    let commands = last.lines().take_while(|line| !line.is_empty());
    Ok(commands.map(str::trim).collect::<Vec<_>>().join("\n"))
}

fn shell(folder: &TempDir, script: &str) -> Result<Output, Failed> {
    Ok(Command::new("sh").args(["-e", "-c", script]).current_dir(folder.path()).output()?)
}

/// Versions of OpenSSL differ in the spaces of a name.
fn subject(out: &str) -> String {
    out.replace(" = ", "=")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Without what differs from run to run: numbers, and identifiers at the end of a URL. Breaks of lines count as spaces.
fn masked(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.rsplit_once("/order/") {
        Some(_) => "ORDER".to_owned(),
        None => word.replace(|character: char| character.is_ascii_digit(), "#"),
    });
    let mut masked = String::new();
    for word in words {
        masked.push_str(&word);
        masked.push(' ');
    }
    while masked.contains("##") {
        masked = masked.replace("##", "#");
    }
    masked
}
