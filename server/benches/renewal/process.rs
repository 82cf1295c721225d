//! The bank in a process of its own, and its end of the line.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use koshin_protocol::certificate::Certificate;
use koshin_protocol::subject::Role;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;
use koshin_server::config::{Config, Origin};
use koshin_server::init::{CONFIG_FILE, NewBank, NewTransport};
use koshin_server::start::{Running, start};
use koshin_server::rule::command::{Actor, Import, ImportOutcome, NewContract};
use koshin_server::id::{ContractId, SubjectId};
use koshin_server::watch::Log;

use crate::subjects::Subject;
use crate::{Done, cpu};

/// The argument that makes this program a bank.
pub(crate) const SERVE: &str = "serve-the-bank";

/// Subjects of one contract.
const PER_CONTRACT: usize = 8;

/// Certificates of one transaction of an import.
const PER_IMPORT: usize = 256;

/// The time, in whole seconds.
pub(crate) fn now() -> Done<Time> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(Time::from_unix(since.as_secs().try_into()?)?)
}

/// A bank in a folder of its own, both gone when this is dropped.
pub(crate) struct Bank {
    folder: tempfile::TempDir,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Where clients begin.
    pub(crate) directory: Url,
}

impl Bank {
    /// A new bank, serving.
    pub(crate) fn new() -> Done<Self> {
        Self::prepared(|_| Ok(()))
    }

    /// The same, after `prepare` did something to its database.
    pub(crate) fn prepared(prepare: impl FnOnce(&Path) -> Done) -> Done<Self> {
        let folder = tempfile::tempdir()?;
        let home = folder.path().join("bank");
        let origin = Origin::parse("https://localhost:8443").ok_or("an origin")?;
        let config = NewBank {
            organization: "Example Bank",
            origin: &origin,
            listen: ([127, 0, 0, 1], 0).into(),
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy: "seed",
            testing: false,
            passphrase: None,
            now: now()?,
        }
        .create(&home)?;
        prepare(&config.database())?;
        let log = OpenOptions::new().create(true).append(true).open(home.join("log"))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let to = child.stdin.take().ok_or("a pipe")?;
        let mut from = BufReader::new(child.stdout.take().ok_or("a pipe")?);
        let said = line(&mut from, &home)?;
        Ok(Self { folder, child, to, from, directory: Url::parse(&said)? })
    }

    /// The folder that the bank has its files in.
    fn home(&self) -> PathBuf {
        self.folder.path().join("bank")
    }

    /// The certificate that its TLS certificate stands under, in PEM.
    pub(crate) fn root(&self) -> PathBuf {
        self.home().join("root.pem")
    }

    /// Has the bank take in certificates of another CA.
    pub(crate) fn import(&mut self, subjects: &[Subject]) -> Done {
        let path = self.folder.path().join("import");
        let mut file = fs::File::create(&path)?;
        for subject in subjects {
            file.write_all(&u32::try_from(subject.der.len())?.to_be_bytes())?;
            file.write_all(&subject.der)?;
        }
        drop(file);
        writeln!(self.to, "{}", path.display())?;
        let home = self.home();
        match line(&mut self.from, &home)?.as_str() {
            "done" => Ok(()),
            other => Err(other.to_owned().into()),
        }
    }

    /// The CPU time it has used so far.
    pub(crate) fn cpu(&self) -> Done<Duration> {
        cpu::of_process(self.child.id())
    }

    /// The CPU time it has used since it had used `before`.
    pub(crate) fn cpu_since(&self, before: Duration) -> Done<Duration> {
        Ok(self.cpu()?.saturating_sub(before))
    }

    /// The memory it has resident, in KiB.
    pub(crate) fn resident(&self) -> Done<u32> {
        cpu::resident(self.child.id())
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn line(from: &mut impl BufRead, home: &Path) -> Done<String> {
    let mut said = String::new();
    if from.read_line(&mut said)? == 0 {
        return Err(format!("the bank ended: {}", fs::read_to_string(home.join("log"))?).into());
    }
    Ok(said.trim_end().to_owned())
}

/// The bank's own process: as the command `serve`, and each line it reads names a file of
/// certificates to import.
pub(crate) fn serve(home: &Path) -> Done {
    let config = Config::read(&home.join(CONFIG_FILE))?;
    Log::configured(&config.log).install()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let running = runtime.block_on(start(config))?;
    println!("{}", running.directory_url());
    for path in std::io::stdin().lock().lines() {
        match runtime.block_on(import(&running, path?.as_ref())) {
            Ok(()) => println!("done"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

async fn import(running: &Running, path: &Path) -> Done {
    let store = &running.bank().store;
    let now = now()?;
    let mut imports = Vec::new();
    let mut contracts = Vec::new();
    let file = fs::read(path)?;
    let mut rest = file.as_slice();
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let (der, tail) = tail.split_at_checked(length).ok_or("the file is cut off")?;
        rest = tail;
        if imports.len() % PER_CONTRACT == 0 {
            contracts.push(ContractId::random());
        }
        imports.push(Import {
            certificate: Certificate::from_der(der)?,
            contract: *contracts.last().ok_or("a contract")?,
            subject: SubjectId::random(),
            role: Role::User,
        });
    }
    // Submitted all before any is waited for, so that they share their commits.
    let added: Vec<_> = contracts
        .iter()
        .map(|id| {
            let contract = NewContract { id: *id, name: id.to_string() };
            store.add_contract(contract, Actor::Bank, now)
        })
        .collect();
    for contract in added {
        contract.await.map_err(|failure| format!("{failure:?}"))?;
    }
    for group in imports.chunks(PER_IMPORT) {
        let outcomes = store.import_certificates(group.to_vec(), false, Actor::Bank, now).await;
        for outcome in outcomes.map_err(|failure| format!("{failure:?}"))? {
            let ImportOutcome::Imported { .. } = outcome else {
                return Err(format!("{outcome:?}").into());
            };
        }
    }
    Ok(())
}
