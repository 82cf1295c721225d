//! One look at one identity: whatever is to be done for it now, and when to look again.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use koshin_client::clock::{Clock, SystemClock};
use koshin_client::consent::Unattended;
use koshin_client::error::printable;
use koshin_client::files::Real;
use koshin_client::identity::{Identity, IdentityError, Settings};
use koshin_client::journal::Purpose;
use koshin_client::keystore::{FileStore, KeyStore, Pkcs12Store, file, pkcs12};
use koshin_client::progress::Event as ClientEvent;
use koshin_client::schedule::Schedule;
use koshin_client::{Class, Client, Error, Outcome as Renewed, Renewal, environment};
use koshin_protocol::cert_id::CertId;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::problem::Token;
use koshin_protocol::time::Time;

use super::event::{Event, Hook};
use super::memory::{Memory, Outcome};
use super::secret::{self, SecretFile};
use super::stop::StoppingClock;
use super::{Shared, hook};
use crate::cli::home::IdentityName;

/// The longest time without a look.
const DAY: Duration = Duration::from_hours(24);

/// How soon an identity that another program works with is looked at again.
const BUSY: Duration = Duration::from_mins(1);

/// How soon one that cannot be worked with is, for the first time; it doubles from there.
pub(crate) const TROUBLE: Duration = Duration::from_mins(15);

/// What a person began at a terminal is left to that person for so long.
const THEIRS: i64 = 3600;

/// How a look ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    /// Nothing to do for so long.
    pub(crate) quiet: Duration,
    /// Who has to act, if something is wrong.
    pub(crate) class: Option<Class>,
    /// Whether it was not even possible to find out what to do.
    pub(crate) is_trouble: bool,
    /// When the certificate will be renewed.
    pub(crate) renew_at: Option<Time>,
}

/// Why it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The agent has just started, or a person wants it looked at.
    Start,
    /// It is time to, or something changed.
    Look,
}

/// One look at one identity.
pub(crate) struct Visit {
    shared: Arc<Shared>,
    name: IdentityName,
    pin: Option<SecretFile>,
    passphrase: Option<SecretFile>,
    clock: StoppingClock,
}

/// What an identity's folder says.
struct Found {
    schedule: Schedule,
    memory: Memory,
    current: Option<Certificate>,
    /// What the attempts are counted for: the certificate that is, or is being, replaced.
    attempted: Option<CertId>,
    /// Whether something was begun and is not finished, and when.
    begun: Option<Time>,
    is_own: bool,
}

/// What is in the way.
enum Trouble {
    Busy,
    Stopped,
    Class(Class, String),
}

impl Visit {
    pub(crate) fn new(shared: &Arc<Shared>, name: &IdentityName, is_only: bool) -> Self {
        let of = shared.config().of(name.as_str());
        Self {
            shared: Arc::clone(shared),
            name: name.clone(),
            pin: secret::pin(name, &of, is_only),
            passphrase: secret::passphrase(name, &of, is_only),
            clock: StoppingClock::new(&shared.stop),
        }
    }

    /// Looks, and does what is to be done.
    pub(crate) async fn make(self, why: Why) -> Rest {
        match Box::pin(self.look(why)).await {
            Ok(rest) => rest,
            Err(Trouble::Stopped) => Rest::of(DAY),
            Err(Trouble::Busy) => {
                self.tell(&Event::Busy);
                Rest { class: Some(Class::RetryLater), ..Rest::of(BUSY) }
            }
            Err(Trouble::Class(class, reason)) => {
                self.tell(&Event::Unusable { class, reason });
                Rest { class: Some(class), is_trouble: true, ..Rest::of(TROUBLE) }
            }
        }
    }

    async fn look(&self, why: Why) -> Result<Rest, Trouble> {
        let found = self.found()?;
        let hook_rest = self.after_hook(&found).await?;
        let rest = Box::pin(self.renew_if_due(why, found)).await?;
        let found = self.found()?;
        // What failed a moment ago is paused, and what was just done is owed.
        let hook_rest = self.after_hook(&found).await?.or(hook_rest);
        Ok(match hook_rest {
            Some(quiet) => Rest {
                quiet: rest.quiet.min(quiet),
                class: rest.class.or(Some(Class::Act)),
                ..rest
            },
            None => rest,
        })
    }

    async fn renew_if_due(&self, why: Why, found: Found) -> Result<Rest, Trouble> {
        let now = SystemClock.now();
        let attempts = &found.schedule.attempts;
        let failure = attempts.failure(found.attempted.as_ref());
        if let Some(until) = attempts.earliest(found.attempted.as_ref(), now)
            && !self.shared.is_forced
        {
            let class = failure.map(|failure| failure.class);
            if let Some(failure) = failure {
                let (class, reason, again) = (failure.class, failure.reason.clone(), until);
                self.tell(&Event::Paused { class, reason, again });
            }
            return Ok(Rest { class, ..Rest::of(between(now, until)) });
        }
        let stamp = self.pin.as_ref().and_then(SecretFile::stamp);
        if !found.memory.may_send_pin(failure, stamp.as_deref()) && !self.shared.is_forced {
            let reason = failure.map(|failure| failure.reason.clone()).unwrap_or_default();
            self.tell(&Event::PinHeld { reason });
            return Ok(Rest { class: Some(Class::Act), ..Rest::of(DAY) });
        }
        if let Some(begun) = found.begun {
            let is_theirs = !found.is_own && now.seconds_since(begun).abs() < THEIRS;
            if why == Why::Start || !is_theirs {
                return Box::pin(self.renew(found)).await;
            }
            return Ok(Rest::of(Duration::from_secs(THEIRS.unsigned_abs())));
        }
        let Some(current) = &found.current else {
            self.tell(&Event::NoCertificate);
            return Ok(Rest { class: Some(Class::Act), ..Rest::of(DAY) });
        };
        let (appointment, now_there) = self.appointment(&found).await?;
        let (cert_id, renew_at) = (appointment.cert_id.clone(), appointment.renew_at);
        if appointment.is_due(now_there) {
            return Box::pin(self.renew(found)).await;
        }
        let (not_after, source) = (current.not_after(), appointment.source);
        self.tell(&Event::Appointed { cert_id, renew_at, not_after, source });
        let quiet = between(now_there, renew_at).min(between(now, appointment.ask_again));
        Ok(Rest { renew_at: Some(renew_at), ..Rest::of(quiet) })
    }

    /// When to renew, and the time by the best clock there is.
    async fn appointment(
        &self,
        found: &Found,
    ) -> Result<(koshin_client::schedule::Appointment, Time), Trouble> {
        let now = SystemClock.now();
        if let (Some(kept), Some(current)) = (&found.schedule.appointment, &found.current)
            && kept.is_for(current)
            && kept.is_fresh(now)
        {
            return Ok((kept.clone(), now));
        }
        let client = self.client(self.open()?).await?;
        let asked =
            self.clock.unless_stopped(client.appointment()).await.ok_or(Trouble::Stopped)?;
        Ok((self.known(asked)?, client.bank().now()))
    }

    /// Renews, between the hooks.
    async fn renew(&self, found: Found) -> Result<Rest, Trouble> {
        self.unless_stopping()?;
        if let Some(quiet) = self.before_hook(&found).await? {
            return Ok(Rest { class: Some(Class::Act), ..Rest::of(quiet) });
        }
        self.unless_stopping()?;
        let identity = self.open()?;
        let mut schedule = self.on_disk(Schedule::read(&identity))?;
        schedule.attempts.begin(found.attempted.clone(), SystemClock.now());
        self.on_disk(schedule.put(&identity))?;
        let mut memory = self.on_disk(Memory::read(&identity))?;
        memory.renew();
        self.on_disk(memory.put(&identity))?;
        self.tell(&Event::Renewing { is_resumed: found.begun.is_some() });
        let client = self.client(identity).await?;
        let work = async {
            match found.begun {
                Some(_) => client.resume().await,
                None => client.renew(Renewal { is_decided: true, ..Renewal::default() }).await,
            }
        };
        let done = self.clock.unless_stopped(Box::pin(work)).await;
        let (bank_now, identity) = (client.bank().now(), client.identity().clone());
        drop(client);
        // The appointment may have been made anew meanwhile.
        let mut schedule = self.on_disk(Schedule::read(&identity))?;
        let rest = match done {
            None => {
                schedule.attempts.interrupted();
                Err(Trouble::Stopped)
            }
            Some(Ok(outcome)) => {
                schedule.attempts.succeeded();
                Ok(self.succeeded(&outcome))
            }
            Some(Err(error)) => {
                Ok(self.failed(&found, &error, bank_now, &mut schedule, &identity)?)
            }
        };
        self.on_disk(schedule.put(&identity))?;
        rest
    }

    /// Nothing new begins once the agent is to stop.
    fn unless_stopping(&self) -> Result<(), Trouble> {
        if self.shared.stop.is_requested() { Err(Trouble::Stopped) } else { Ok(()) }
    }

    fn succeeded(&self, outcome: &Renewed) -> Rest {
        match outcome {
            Renewed::Renewed(new) => {
                let (cert_id, not_after) =
                    (CertId::of(&new.certificate), new.certificate.not_after());
                self.tell(&Event::Renewed { cert_id, not_after });
            }
            Renewed::Canceled | Renewed::RolledBack | Renewed::Deferred { .. } => {
                self.tell(&Event::Undone);
            }
        }
        // The new certificate has an appointment of its own.
        Rest::of(BUSY)
    }

    fn failed(
        &self,
        found: &Found,
        error: &Error,
        bank_now: Time,
        schedule: &mut Schedule,
        identity: &Identity,
    ) -> Result<Rest, Trouble> {
        let (now, reason) = (SystemClock.now(), self.words(error));
        let is_open = || identity.resume().is_ok_and(|open| !open.is_empty());
        match error {
            Error::TooEarly { opens } => {
                if let Some(appointment) = &mut schedule.appointment {
                    appointment.renew_at = appointment.renew_at.max(*opens);
                }
                schedule.attempts.unfinished(now);
            }
            Error::StillProcessing { .. } => schedule.attempts.unfinished(now),
            Error::ComeBack(_) if is_open() => schedule.attempts.unfinished(now),
            _ => {
                let left = found.current.as_ref().map(Certificate::not_after);
                let left = left.map_or(Duration::ZERO, |until| between(bank_now, until));
                schedule.attempts.failed(error, now, left, random()).reason.clone_from(&reason);
                if matches!(error.token(), Some(Token::PinWrong | Token::PinRequired)) {
                    let mut memory = self.on_disk(Memory::read(identity))?;
                    memory.pin_refused(self.pin.as_ref().and_then(SecretFile::stamp).as_deref());
                    self.on_disk(memory.put(identity))?;
                }
            }
        }
        let again = schedule.attempts.earliest(found.attempted.as_ref(), now).unwrap_or(now);
        let quiet = between(now, again);
        if let Some(failure) = schedule.attempts.failure(found.attempted.as_ref()) {
            let (class, times) = (failure.class, failure.times);
            self.tell(&Event::RenewalFailed { class, reason, times, again });
            return Ok(Rest { class: Some(class), ..Rest::of(quiet) });
        }
        self.tell(&Event::Unfinished { reason, again });
        Ok(Rest { class: Some(Class::RetryLater), ..Rest::of(quiet) })
    }

    /// Runs the hook before a renewal, if there is one; how long the renewal waits if it failed.
    async fn before_hook(&self, found: &Found) -> Result<Option<Duration>, Trouble> {
        let config = self.shared.config();
        let Some(command) = config.before_hook(self.name.as_str()) else { return Ok(None) };
        let now = SystemClock.now();
        if let Some(again) = found.memory.hook_earliest(now)
            && !self.shared.is_forced
        {
            return Ok(Some(between(now, again)));
        }
        self.remember(Memory::open)?;
        let variables = self.variables(Hook::Before, found, None)?;
        let run = hook::run(command, &variables, config.hook_timeout());
        let done = self.shared.stop.or_late(run).await.ok_or(Trouble::Stopped)?;
        let now = SystemClock.now();
        match done {
            Ok(()) => {
                self.remember(Memory::hook_succeeded)?;
                self.tell(&Event::HookDone { hook: Hook::Before, outcome: None });
                Ok(None)
            }
            Err(error) => {
                let again = self.remember(|memory| {
                    memory.shut();
                    memory.hook_failed(now, random())
                })?;
                let reason = error.to_string();
                self.tell(&Event::HookFailed { hook: Hook::Before, reason, again });
                Ok(Some(between(now, again)))
            }
        }
    }

    /// Runs the hook after a renewal where it is owed; how long it waits if it failed.
    async fn after_hook(&self, found: &Found) -> Result<Option<Duration>, Trouble> {
        let current = found.current.as_ref().map(CertId::of);
        let Some(outcome) = found.memory.owed(current.as_ref()) else { return Ok(None) };
        let config = self.shared.config();
        let Some(command) = config.after_hook(self.name.as_str()) else {
            self.remember(|memory| memory.settle(current.as_ref()))?;
            return Ok(None);
        };
        let now = SystemClock.now();
        if let Some(again) = found.memory.hook_earliest(now)
            && !self.shared.is_forced
        {
            return Ok(Some(between(now, again)));
        }
        let variables = self.variables(Hook::After, found, Some(outcome))?;
        let run = hook::run(command, &variables, config.hook_timeout());
        let done = self.shared.stop.or_late(run).await.ok_or(Trouble::Stopped)?;
        let now = SystemClock.now();
        match done {
            Ok(()) => {
                self.remember(|memory| memory.settle(current.as_ref()))?;
                self.tell(&Event::HookDone { hook: Hook::After, outcome: Some(outcome) });
                Ok(None)
            }
            Err(error) => {
                let again = self.remember(|memory| memory.hook_failed(now, random()))?;
                let reason = error.to_string();
                self.tell(&Event::HookFailed { hook: Hook::After, reason, again });
                Ok(Some(between(now, again)))
            }
        }
    }

    /// What a hook is told.
    fn variables(
        &self,
        hook: Hook,
        found: &Found,
        outcome: Option<Outcome>,
    ) -> Result<Vec<(&'static str, OsString)>, Trouble> {
        let folder = self.shared.home.path(&self.name);
        let settings = self.on_disk(Settings::read(&Real, &folder))?;
        let key = if settings.key_store == "pkcs12" { pkcs12::KEY_FILE } else { file::KEY_FILE };
        let pair = folder.join("current");
        let mut variables = vec![
            ("KOSHIN_HOOK", hook.as_str().into()),
            ("KOSHIN_IDENTITY", self.name.as_str().into()),
            ("KOSHIN_FOLDER", folder.into()),
            ("KOSHIN_CERTIFICATE", pair.join("certificate.pem").into()),
            ("KOSHIN_KEY", pair.join(key).into()),
        ];
        if let Some(current) = &found.current {
            variables.push(("KOSHIN_CERT_ID", CertId::of(current).as_str().into()));
            variables.push(("KOSHIN_NOT_AFTER", current.not_after().to_string().into()));
        }
        variables.extend(outcome.map(|outcome| ("KOSHIN_OUTCOME", outcome.as_str().into())));
        Ok(variables)
    }

    /// What the folder says. The lock is given back: hooks may want it.
    fn found(&self) -> Result<Found, Trouble> {
        let identity = self.open()?;
        let schedule = self.on_disk(Schedule::read(&identity))?;
        let mut memory = self.on_disk(Memory::read(&identity))?;
        let current = self.on_disk(identity.current())?.map(|pair| pair.certificate);
        let id = current.as_ref().map(CertId::of);
        if memory.meet(id.as_ref()) {
            self.on_disk(memory.put(&identity))?;
        }
        let open = self.on_disk(identity.resume())?;
        let journal = open.iter().find_map(koshin_client::identity::OpenGeneration::journal);
        let replaced = journal.and_then(|journal| match &journal.purpose {
            Purpose::Renewal { replaces } => Some(replaces.clone()),
            Purpose::Enrollment { .. } | Purpose::Import => None,
        });
        let attempted = replaced.or(id);
        let begun = open.first().map(|_| journal.map_or(Time::MAX, |journal| journal.begun));
        let is_own = schedule.attempts.is_about(attempted.as_ref());
        Ok(Found { schedule, memory, current, attempted, begun, is_own })
    }

    /// Changes what is remembered, durably.
    fn remember<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> Result<T, Trouble> {
        let identity = self.open()?;
        let mut memory = self.on_disk(Memory::read(&identity))?;
        let changed = change(&mut memory);
        self.on_disk(memory.put(&identity))?;
        Ok(changed)
    }

    fn open(&self) -> Result<Identity, Trouble> {
        let folder = self.shared.home.path(&self.name);
        let settings = self.on_disk(Settings::read(&Real, &folder))?;
        let passphrase = self.passphrase.as_ref().map(SecretFile::read_passphrase).transpose();
        let passphrase =
            passphrase.map_err(|error| Trouble::Class(Class::Act, error.to_string()))?;
        let keys: Arc<dyn KeyStore> = match (settings.key_store.as_str(), passphrase) {
            ("pkcs12", passphrase) => Arc::new(Pkcs12Store::new(passphrase.unwrap_or_default())),
            (_, Some(passphrase)) => Arc::new(FileStore::encrypted(passphrase)),
            (_, None) => Arc::new(FileStore::plain()),
        };
        match Identity::open(Arc::new(Real), keys, &folder) {
            Err(IdentityError::Locked { .. }) => Err(Trouble::Busy),
            opened => self.on_disk(opened),
        }
    }

    async fn client(&self, identity: Identity) -> Result<Client, Trouble> {
        let pin = self.pin.as_ref().map(SecretFile::read_pin).transpose();
        let pin = pin.map_err(|error| Trouble::Class(Class::Act, error.to_string()))?.flatten();
        let environment = environment::detect("koshin", env!("CARGO_PKG_VERSION"));
        let environment =
            environment.map_err(|error| Trouble::Class(Class::Fault, error.to_string()))?;
        let (shared, name) = (Arc::clone(&self.shared), self.name.clone());
        let built = Client::builder(identity)
            .consent(Unattended::new(pin))
            .environment(environment)
            .clock(self.clock.clone())
            .progress(move |event: &ClientEvent| shared.log.report(&name, event))
            .language(self.shared.log.tongue().language().as_str())
            .build();
        self.known(built.await)
    }

    fn on_disk<T>(&self, done: Result<T, IdentityError>) -> Result<T, Trouble> {
        self.known(done.map_err(Error::from))
    }

    fn known<T>(&self, done: Result<T, Error>) -> Result<T, Trouble> {
        done.map_err(|error| Trouble::Class(error.class(), self.words(&error)))
    }

    fn words(&self, error: &Error) -> String {
        printable(&self.shared.log.tongue().error(error))
    }

    fn tell(&self, event: &Event) {
        self.shared.log.tell_of(&self.name, event);
    }
}

impl Rest {
    fn of(quiet: Duration) -> Self {
        Self { quiet: quiet.clamp(BUSY, DAY), class: None, is_trouble: false, renew_at: None }
    }
}

fn between(from: Time, to: Time) -> Duration {
    Duration::from_secs(u64::try_from(to.seconds_since(from)).unwrap_or(0))
}

/// Without randomness there is no jitter, and the pauses are as good otherwise.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}
