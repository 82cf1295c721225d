//! Our own bank as a bank under test: in a folder and a process of its own, with the adapters of SPEC.md annex B.
//!
//! ```text
//! FOLDER/bank/…       as `koshin-server init` makes it, with a policy of its own
//! FOLDER/pid          of the process that serves
//! FOLDER/ca           what `caDown`, `caUp` and `caSlow` left: how the CA is doing
//! FOLDER/mutant       the name of what is bent in it (`server::bent`), where something is
//! ```

mod ca;
mod serve;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use koshin_protocol::enrollment_code::EnrollmentCode;
use koshin_protocol::reissue::ReissueId as WireId;
use koshin_protocol::revocation::Reason;
use koshin_protocol::sign::Signer as _;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::time::Time;
use koshin_server::bank::Bank;
use koshin_server::clock::{Clock as _, System};
use koshin_server::config::{Config, Origin};
use koshin_server::init::{NewBank, NewTransport};
use koshin_server::policy::SHIPPED;
use koshin_server::provision;
use koshin_server::route::Route;
use koshin_server::start;
use koshin_server::rule::command::{Actor, NewReissue, NewRequest};
use koshin_server::id::{ReissueId, RequestId, SubjectId};
use koshin_server::store::sqlite::Sqlite;
use koshin_server::store::{Failure, OperatorRefused, Refused};
use koshin_server::watch::Metrics;

pub use ca::State;
pub use serve::serve;

use crate::adapter::{AdapterError, Answering};
use crate::control::{self, Control};
use crate::provision::{Provided, Provision, Request};

/// After so long a bank that was started does not start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which of two policies a bank for tests has: they differ where a bank may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// Seed's: PINs, a rollback, and a list of environments.
    Rich,
    /// Without rollback, asks for no PIN, takes every environment.
    Plain,
}

/// What makes seed's policy a rich one for tests: PINs that cost little, and environments, so that one can be refused.
const RICH: &[(&str, &str)] = &[
    ("[pin]\n", "[pin]\nmemoryKiB = 64\npasses = 1\n"),
    (
        "[window]\n",
        "[[environment]]\nos = \"linux\"\nosVersion = \"5.10\"\n\n[[environment]]\nos = \"windows\"\nosVersion = \"10.0\"\nsoftware = \"example\"\nsoftwareVersion = \"4.2\"\n\n[window]\n",
    ),
];

/// What makes it a plain one.
const PLAIN: &[(&str, &str)] =
    &[("rollback = \"P7D\"", "rollback = \"off\""), ("required = true", "required = false")];

/// The file that says what is bent in a bank.
pub(crate) const MUTANT: &str = "mutant";

/// Why our bank cannot be made or had power over.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct KoshinError(String);

impl KoshinError {
    pub(crate) fn new(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

fn error(what: &str, why: impl std::fmt::Display) -> KoshinError {
    KoshinError::new(what, why)
}

/// Our own bank, in a folder.
pub struct Koshin {
    folder: PathBuf,
    /// `koshin-conformance`: what serves.
    program: PathBuf,
    /// The bank's registry and CA in this process, beside the one that serves.
    beside: Bank,
    config: Config,
}

/// A bank that serves until this is dropped.
#[derive(Debug)]
pub struct Serving(Arc<Koshin>);

impl Drop for Serving {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill() {
            eprintln!("the bank cannot be ended: {error}");
        }
    }
}

impl std::fmt::Debug for Koshin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Koshin({})", self.folder.display())
    }
}

impl Koshin {
    /// A new bank in an empty folder, for tests; it does not serve yet.
    pub fn create(folder: &Path, program: &Path, variant: Variant) -> Result<Self, KoshinError> {
        let port = free_port().map_err(|why| error("a free port", why))?;
        // The bank's configuration names its policy from the bank's own folder on.
        let folder = &fs::canonicalize(folder).map_err(|why| error("the folder", why))?;
        let policy = folder.join("policy.toml");
        fs::write(&policy, test_policy(variant)?).map_err(|why| error("policy.toml", why))?;
        let origin = Origin::parse(&format!("https://localhost:{port}"))
            .ok_or_else(|| error("the origin", "it is none"))?;
        let policy = policy.to_str().ok_or_else(|| error("the folder", "its name is not UTF-8"))?;
        let new = NewBank {
            organization: "Example Bank",
            origin: &origin,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            transport: NewTransport::LoopbackTls,
            metrics: None,
            policy,
            testing: true,
            passphrase: None,
            now: System.now(),
        };
        let bank = folder.join("bank");
        new.create(&bank).map_err(|why| error("a new bank", why))?;
        let file = bank.join(koshin_server::init::CONFIG_FILE);
        let text = fs::read_to_string(&file).map_err(|why| error("its configuration", why))?;
        // One machine asks for everything.
        let text =
            format!("{text}\n[limits]\nrequestsPerAddress = 0\nrequestsPerCertificate = 0\n");
        fs::write(&file, text).map_err(|why| error("its configuration", why))?;
        Self::open(folder, program)
    }

    /// The bank that was made in this folder.
    pub fn open(folder: &Path, program: &Path) -> Result<Self, KoshinError> {
        let config = config(folder)?;
        let store =
            Arc::new(Sqlite::open(config.database()).map_err(|why| error("the database", why))?);
        let beside = start::assemble(&config, &store, &Arc::new(Metrics::new()), Arc::new(System))
            .map_err(|why| error("the bank", why))?;
        Ok(Self { folder: folder.to_owned(), program: program.to_owned(), beside, config })
    }

    /// The directory's URL.
    pub fn directory_url(&self) -> koshin_protocol::url::Url {
        self.beside.urls.of(&Route::Directory)
    }

    /// The root in PEM.
    pub fn root(&self) -> Result<Vec<u8>, KoshinError> {
        fs::read(self.folder.join("bank/root.pem")).map_err(|why| error("root.pem", why))
    }

    /// Starts the process that serves, and waits until it does.
    pub fn start(&self) -> Result<(), KoshinError> {
        let mut child = Command::new(&self.program)
            .args(["koshin", "serve"])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| error("koshin serve", why))?;
        let pid = child.id().to_string();
        fs::write(self.folder.join("pid"), pid).map_err(|why| error("pid", why))?;
        let began = Instant::now();
        while TcpStream::connect(self.config.listen).is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(error("koshin serve", status));
            }
            if began.elapsed() > PATIENCE {
                return Err(error("koshin serve", "it does not listen"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Reaps it when it ends, so that a killed bank is gone and not a zombie.
        std::thread::spawn(move || drop(child.wait()));
        Ok(())
    }

    /// The same, until what this gives is dropped.
    pub fn serving(self: &Arc<Self>) -> Result<Serving, KoshinError> {
        self.start()?;
        Ok(Serving(Arc::clone(self)))
    }

    /// Kills the process that serves, without warning.
    pub fn kill(&self) -> Result<(), KoshinError> {
        let file = self.folder.join("pid");
        let pid = fs::read_to_string(&file).map_err(|why| error("pid", why))?;
        fs::remove_file(&file).map_err(|why| error("pid", why))?;
        let status = Command::new("kill")
            .args(["-KILL", pid.trim()])
            .status()
            .map_err(|why| error("kill", why))?;
        if !status.success() {
            return Err(error("kill", status));
        }
        let began = Instant::now();
        while TcpStream::connect(self.config.listen).is_ok() {
            if began.elapsed() > PATIENCE {
                return Err(error("kill", "it still listens"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    async fn control(&self, request: control::Request) -> Result<control::Answer, KoshinError> {
        let nothing = control::Answer::default();
        match request {
            control::Request::Kill => self.kill()?,
            control::Request::Start => self.start()?,
            control::Request::CaDown => State::Down.write(&self.folder)?,
            control::Request::CaUp => State::Up.write(&self.folder)?,
            control::Request::CaSlow { seconds } => State::Slow { seconds }.write(&self.folder)?,
            control::Request::Unlock { subject } => {
                let subject: SubjectId =
                    subject.parse().map_err(|why| error("the subject", why))?;
                let done = self.beside.store.unlock(subject, Actor::Bank, System.now()).await;
                done.map_err(|why| error("unlock", format_args!("{why:?}")))?;
            }
            control::Request::Disable { subject } => {
                let subject: SubjectId =
                    subject.parse().map_err(|why| error("the subject", why))?;
                let (store, now) = (&self.beside.store, System.now());
                let done = store.set_subject_disabled(subject, true, Actor::Bank, now).await;
                done.map_err(|why| error("disable", format_args!("{why:?}")))?;
            }
            control::Request::Reissue { subject, reason, expires } => {
                let ticket = self.reissue(&subject, reason, expires).await?;
                return Ok(control::Answer { ticket: Some(ticket) });
            }
        }
        Ok(nothing)
    }

    /// The two operators that a reissue takes, who cannot log on. Reissues of one moment each add them: one comes first.
    async fn staff(&self) -> Result<(), KoshinError> {
        let (store, now) = (&self.beside.store, System.now());
        let maker = || Actor::Operator("maker".to_owned());
        // The bank itself adds the first one only.
        for (name, by) in [("maker", Actor::Bank), ("checker", maker())] {
            let unusable = "unusable".to_owned();
            match store.add_operator(name.to_owned(), unusable, by, now).await {
                Ok(()) => {}
                Err(Failure::Refused(refused))
                    if matches!(
                        *refused,
                        Refused::Operator(
                            OperatorRefused::NameTaken | OperatorRefused::NotTheFirst
                        )
                    ) => {}
                Err(why) => return Err(error(name, format_args!("{why:?}"))),
            }
        }
        Ok(())
    }

    /// As two operators at the branch would.
    async fn reissue(
        &self,
        subject: &str,
        reason: Reason,
        expires: Option<Time>,
    ) -> Result<String, KoshinError> {
        let failed = |why: &dyn std::fmt::Debug| error("reissue", format_args!("{why:?}"));
        let subject: SubjectId = subject.parse().map_err(|why| error("the subject", why))?;
        let (store, now) = (&self.beside.store, System.now());
        self.staff().await?;
        let row = store.subject(subject).await.map_err(|why| failed(&why))?;
        let name = row.ok_or_else(|| error("reissue", "no such subject"))?.name;
        let request =
            NewRequest { id: RequestId::random(), subject, reason, form: "test".to_owned() };
        let request = store
            .request_reissue(request, "maker".to_owned(), now)
            .await
            .map_err(|why| failed(&why))?;
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(|why| error("randomness", why))?;
        let code = EnrollmentCode::from_bytes(octets);
        let id = ReissueId::random();
        let wire_id = WireId::from_bytes(*id.as_bytes());
        let new = NewReissue {
            id,
            subject,
            subject_name: name.clone(),
            reason,
            enrollment_key: code.key(&wire_id).public_key().to_canonical_jwk(),
            expires: expires.unwrap_or_else(|| self.config.policy.reissue_expires(now)),
        };
        store
            .approve_reissue(request.id, new, "checker".to_owned(), now)
            .await
            .map_err(|why| failed(&why))?;
        let name = name.parse().map_err(|why| error("the subject's name", why))?;
        let ticket = Ticket { directory: self.directory_url(), reissue: wire_id, name, code };
        Ok(ticket.to_text().to_string())
    }
}

impl Provision for Koshin {
    fn provision(&self, request: Request) -> Answering<'_, Provided> {
        Box::pin(async move {
            let fault = |why: String| AdapterError::Fault(why);
            let request = serde_json::to_value(&request).map_err(|why| fault(why.to_string()))?;
            let request: provision::Request =
                serde_json::from_value(request).map_err(|why| fault(why.to_string()))?;
            match provision::provision(&self.beside, &request).await {
                Ok(provision::Answer::Made(made)) => Ok(Provided {
                    subject: made.subject,
                    certificate: made.certificate,
                    key: made.key.to_string(),
                    pin: made.pin,
                }),
                Ok(provision::Answer::Cannot { cannot }) => Err(AdapterError::Cannot(cannot)),
                Err(why) => Err(fault(why.to_string())),
            }
        })
    }
}

impl Control for Koshin {
    fn control(&self, request: control::Request) -> Answering<'_, control::Answer> {
        Box::pin(async move {
            Self::control(self, request).await.map_err(|why| AdapterError::Fault(why.to_string()))
        })
    }
}

fn config(folder: &Path) -> Result<Config, KoshinError> {
    let file = folder.join("bank").join(koshin_server::init::CONFIG_FILE);
    Config::read(&file).map_err(|why| error("the configuration", why))
}

/// The shipped policy `seed`, made fit for tests.
fn test_policy(variant: Variant) -> Result<String, KoshinError> {
    let seed = SHIPPED.iter().find(|(name, _)| *name == "seed");
    let (_, text) = seed.ok_or_else(|| error("policy", "`seed` is not shipped"))?;
    let mut text = (*text).to_owned();
    let changes = match variant {
        Variant::Rich => RICH,
        Variant::Plain => PLAIN,
    };
    for (old, new) in changes {
        if !text.contains(old) {
            return Err(error("policy seed", format_args!("it has no {old:?}")));
        }
        text = text.replacen(old, new, 1);
    }
    Ok(text)
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reissues_of_one_moment_share_two_operators() {
        let folder = tempfile::tempdir().expect("a folder");
        let bank = Koshin::create(folder.path(), Path::new("unused"), Variant::Plain);
        let bank = bank.expect("a bank");
        let (one, two) = tokio::join!(bank.staff(), bank.staff());
        one.and(two).expect("two operators");
        bank.staff().await.expect("the same two");
        let names: Vec<String> = bank
            .beside
            .store
            .operators()
            .await
            .expect("rows")
            .into_iter()
            .map(|row| row.name)
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}
