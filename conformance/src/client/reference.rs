//! A client of the library koshin-client behind the adapter of SPEC.md B.3: the smallest one that passes, and the one that
//! mutants are made of.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use koshin_client::consent::Unattended;
use koshin_client::files::{Files, Real};
use koshin_client::identity::{Identity, Settings};
use koshin_client::keystore::FileStore;
use koshin_client::progress::Event;
use koshin_client::transport::Https;
use koshin_client::{Class, Client, Error, Outcome, Renewal, import, pem};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::pin::Pin;
use koshin_protocol::ticket::Ticket;
use koshin_protocol::url::Url;

use super::bent::{Bent, BentClock};
use super::bent_store::{BentStore, Pending, Unlocked};
use super::fault::{self, Fault};
use super::{bent_tls, misdeed};

/// What the adapter's variables say.
pub(super) struct Asked {
    pub(super) directory: Url,
    trust: PathBuf,
    pub(super) state: PathBuf,
    pub(super) pin: String,
    pub(super) action: String,
    pub(super) ticket: Option<String>,
    pub(super) fault: Option<Fault>,
}

/// Why it could not begin.
type Usage = Box<dyn std::error::Error>;

/// Does what the variables of SPEC.md B.3 ask for, wrongly if a mutant is named. The answer is the exit code.
pub fn main(mutant: Option<&str>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match (runtime, Asked::from_environment(mutant)) {
        (Ok(runtime), Ok(asked)) => runtime.block_on(asked.run()),
        (Err(error), _) => {
            eprintln!("{error}");
            1
        }
        (_, Err(error)) => {
            eprintln!("{error}");
            2
        }
    };
    ExitCode::from(code)
}

impl Asked {
    fn from_environment(mutant: Option<&str>) -> Result<Self, Usage> {
        let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
        let fault = match mutant {
            Some(slug) => Some(fault::named(slug).ok_or("there is no such mutant")?),
            None => None,
        };
        Ok(Self {
            directory: Url::parse(&variable("KOSHIN_DIRECTORY")?)?,
            trust: variable("KOSHIN_TRUST")?.into(),
            state: variable("KOSHIN_STATE")?.into(),
            pin: env::var("KOSHIN_PIN").unwrap_or_default(),
            action: variable("KOSHIN_ACTION")?,
            ticket: env::var("KOSHIN_TICKET").ok(),
            fault,
        })
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    async fn run(mut self) -> u8 {
        misdeed::before(&mut self);
        let done = self.act_with_faults().await;
        misdeed::after(&self, &done);
        let left = self.leave_result();
        match (done, left) {
            (Ok(outcome), Ok(())) => {
                if !self.is(Fault::NoEnd) {
                    println!("{}", words(&outcome));
                }
                0
            }
            (Err(error), _) => {
                misdeed::show(&self, &error);
                misdeed::code(&self, &error)
            }
            (_, Err(error)) => {
                eprintln!("{error}");
                Class::Fault.exit_code()
            }
        }
    }

    async fn act_with_faults(&self) -> Result<Outcome, Error> {
        let client = match self.client().await {
            Ok(client) => client,
            Err(error) => return Err(error),
        };
        let mut done = self.act(&client).await;
        let mut tries = 0;
        while misdeed::tries_again(self, &done, tries) {
            tries += 1;
            done = self.act(&client).await;
        }
        misdeed::goes_on(self, &client, &done).await;
        done
    }

    async fn act(&self, client: &Client) -> Result<Outcome, Error> {
        let start_over = self.is(Fault::StartsOver) || self.is(Fault::Forgets);
        match (&*self.action, &self.ticket) {
            ("renew", _) => client.renew(Renewal { start_over, ..Renewal::default() }).await,
            ("resume", _) => client.resume().await,
            ("defer", _) => client.defer().await,
            ("cancel", _) => client.cancel().await,
            ("rollback", _) => client.rollback().await,
            ("enroll", Some(ticket)) => client.enroll(&ticket.parse::<Ticket>()?).await,
            ("enroll", None) => Err(Error::Invalid("there is no ticket".to_owned())),
            (other, _) => Err(Error::Invalid(format!("there is no action {other}"))),
        }
    }

    async fn client(&self) -> Result<Client, Error> {
        if let ("enroll", Some(ticket)) = (&*self.action, &self.ticket) {
            ticket.parse::<Ticket>()?;
        }
        let pending = Arc::<Pending>::default();
        let pin = (!self.pin.is_empty()).then(|| Pin::new(self.pin.clone()));
        let asks_tls = self.is(Fault::AnyTls) || self.is(Fault::NoRoots);
        let learnt = if asks_tls { bent_tls::learnt(&self.directory).await } else { Vec::new() };
        let mut trust = self.trust.clone();
        if self.is(Fault::NoRoots) {
            trust = misdeed::keep_roots(self, &learnt);
        }
        let roots = [roots(&trust)?, learnt].concat();
        let https = Https::new(&roots, Vec::new())?;
        if self.is(Fault::LearntRoots) {
            trust = misdeed::learn_roots(self, &self.trust, &https).await;
        }
        let identity = self.identity(&pending, trust)?;
        if self.is(Fault::SwitchesFirst) && self.action == "rollback" {
            misdeed::switch_back(&identity)?;
        }
        let own = identity.current()?.map(|pair| {
            let certificate = pair.certificate;
            (CertId::of(&certificate).to_string(), certificate.subject().to_string())
        });
        let mut builder = Client::builder(identity)
            .consent(Unattended::new(pin))
            .clock(BentClock(self.fault))
            .progress(warn)
            .transport(Bent { inner: https, fault: self.fault, own, pending });
        if self.is(Fault::OtherEnvironment) {
            builder = builder.environment(misdeed::another_system());
        }
        builder.build().await
    }

    fn identity(&self, pending: &Arc<Pending>, trust: PathBuf) -> Result<Identity, Error> {
        let folder = self.folder();
        let files: Arc<dyn Files> =
            if self.is(Fault::NoLock) { Arc::new(Unlocked) } else { Arc::new(Real) };
        let keys = Arc::new(BentStore {
            inner: FileStore::plain(),
            fault: self.fault,
            pending: Arc::clone(pending),
            pin: self.pin.clone(),
        });
        let identity = if folder.join("identity.toml").exists() {
            Identity::open(files, keys, &folder)?
        } else {
            let settings = Settings {
                name: "conformance".to_owned(),
                directory: self.directory.clone(),
                key_store: "file".to_owned(),
                trust,
                tls_trust: None,
                tls_pins: Vec::new(),
            };
            Identity::create(files, keys, &folder, settings)?
        };
        if identity.current()?.is_none() {
            self.import(&identity)?;
        }
        Ok(identity)
    }

    fn import(&self, identity: &Identity) -> Result<(), Error> {
        let Ok(pem) = fs::read(self.state.join("identity.pem")) else { return Ok(()) };
        let now = koshin_client::clock::Clock::now(&koshin_client::clock::SystemClock);
        let imported =
            import::read(&[&pem], None, now).map_err(|error| Error::Invalid(error.to_string()))?;
        identity.import(imported, now)?;
        Ok(())
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.state.join("identity")
    }

    /// Writes `result.json`, where there is a pair.
    fn leave_result(&self) -> std::io::Result<()> {
        if !self.folder().join("current/certificate.pem").exists() {
            return Ok(());
        }
        let result = serde_json::json!({
            "certificate": "identity/current/certificate.pem",
            "key": "identity/current/key.pem",
        });
        write(&self.state.join("result.json"), &result.to_string())
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("tmp");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::rename(beside, path)
}

/// TIM-03
fn warn(event: &Event) {
    if let Event::ClockDiffers { seconds } = event {
        eprintln!("the clock differs from the bank's by {seconds} s");
    }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Renewed(renewed) => {
            format!("renewed; valid until {}", renewed.certificate.not_after())
        }
        Outcome::Deferred { deferrals } => format!("deferred, {deferrals} times so far"),
        Outcome::Canceled => "canceled".to_owned(),
        Outcome::RolledBack => "rolled back".to_owned(),
    }
}

fn roots(path: &Path) -> Result<Vec<Certificate>, Error> {
    let invalid = |error: &dyn std::fmt::Display| Error::Invalid(error.to_string());
    let content = fs::read(path).map_err(|error| invalid(&error))?;
    let sections = pem::sections(&content).map_err(|error| invalid(&error))?;
    let roots = sections.iter().map(|section| Certificate::from_der(&section.der));
    roots.collect::<Result<_, _>>().map_err(|error| invalid(&error))
}
