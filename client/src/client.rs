//! An identity and its bank together: what every call of [`crate::renew`] and its neighbours works with.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use koshin_protocol::algorithm::KeyType;
use koshin_protocol::certificate::Certificate;
use koshin_protocol::environment::Environment;
use koshin_protocol::key_store::KeyStoreName;
use koshin_protocol::pin::{Pin, PinRule};
use koshin_protocol::problem::{Extra, Token};
use koshin_protocol::session::{NewSession, Purpose};

use crate::bank::{Access, Bank};
use crate::clock::{Clock, SystemClock};
use crate::consent::{AskPin, Consent, Unattended};
use crate::environment;
use crate::error::Error;
use crate::identity::{Identity, IdentityError, Pair};
use crate::progress::{Event, Progress, Quiet};
use crate::session::Session;
use crate::transport::{Https, Transport};

/// How long a single wait on the bank's word may be, unless set otherwise.
const PATIENCE: Duration = Duration::from_mins(2);

/// An identity at its bank. Clones share both.
#[derive(Clone)]
pub struct Client {
    pub(crate) identity: Identity,
    pub(crate) bank: Bank,
    pub(crate) anchors: Arc<[Certificate]>,
    pub(crate) environment: Environment,
    pub(crate) consent: Arc<dyn Consent>,
    pub(crate) key_type: KeyType,
    pub(crate) key_store: KeyStoreName,
}

/// What a client may be given, each with a default.
pub struct Builder {
    identity: Identity,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    consent: Arc<dyn Consent>,
    progress: Arc<dyn Progress>,
    environment: Environment,
    language: String,
    patience: Duration,
    key_type: KeyType,
}

impl Client {
    /// Begins a client for an identity.
    pub fn builder(identity: Identity) -> Builder {
        Builder {
            identity,
            transport: None,
            clock: Arc::new(SystemClock),
            consent: Arc::new(Unattended::default()),
            progress: Arc::new(Quiet),
            environment: environment::of_this_library(),
            language: "en".to_owned(),
            patience: PATIENCE,
            key_type: KeyType::P256,
        }
    }

    /// The identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The bank, for the steps singly.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Logs on with the pair that the bank accepts, as [`Self::renew`] does, for the steps singly.
    pub async fn log_on(&self) -> Result<Session, Error> {
        crate::logon::log_on(&Run::new(self)).await
    }

    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Identity) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.identity.run(work).await?)
    }

    pub(crate) fn report(&self, event: &Event) {
        self.bank.report(event);
    }
}

impl Builder {
    /// Carries the requests; HTTPS with the identity's trust if nothing is given.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Whoever answers for the user; [`Unattended`] without a PIN if nothing is given.
    pub fn consent(mut self, consent: impl Consent + 'static) -> Self {
        self.consent = Arc::new(consent);
        self
    }

    /// Whoever hears what happens.
    pub fn progress(mut self, progress: impl Progress + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// What the program runs on ([`environment::detect`]).
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// The language of the bank's texts, as in `Accept-Language`: `ja`, `en` (the default).
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.language = language.into();
        self
    }

    /// The longest single wait on the bank's word; a longer one is [`Error::ComeBack`]. Two minutes if nothing is given;
    /// programs that nobody watches may give an hour, the longest wait that there is.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The type of new keys; P-256, which every bank takes, if nothing is given.
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.key_type = key_type;
        self
    }

    /// Reads the identity's trust and settings.
    pub async fn build(self) -> Result<Client, Error> {
        let Self { identity, transport, clock, consent, progress, .. } = self;
        let anchors = identity.run(Identity::anchors).await?;
        let transport = match transport {
            Some(transport) => transport,
            None => Arc::new(https(&identity).await?),
        };
        let settings = identity.settings();
        let key_store = settings.key_store.parse();
        let key_store = key_store.map_err(|error| Error::Invalid(format!("{error}")))?;
        let (language, patience) = (self.language, self.patience);
        let signs_here = identity.is_on_callers_thread();
        let access = Access { transport, clock, progress, language, patience, signs_here };
        let bank = Bank::new(settings.directory.clone(), access);
        let (environment, key_type) = (self.environment, self.key_type);
        Ok(Client {
            identity,
            bank,
            anchors: anchors.into(),
            environment,
            consent,
            key_type,
            key_store,
        })
    }
}

async fn https(identity: &Identity) -> Result<Https, Error> {
    let roots = identity.run(Identity::tls_anchors).await?;
    let pins = identity.settings().tls_pins.iter().map(|pin| pin.parse());
    let pins = pins.collect::<Result<Vec<_>, _>>()?;
    Ok(identity.run(move |_| Https::new(&roots, pins)).await?)
}

/// One call of the client: what it learns from the user is forgotten with it.
pub(crate) struct Run<'a> {
    pub(crate) client: &'a Client,
    pin: Mutex<Option<Pin>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self { client, pin: Mutex::default() }
    }

    /// Logs on with one pair; asks for the PIN where the bank does.
    pub(crate) async fn log_on_with(
        &self,
        pair: &Pair,
        purpose: Purpose,
    ) -> Result<Session, Error> {
        let mut ask = self.prompt().await?;
        loop {
            let environment = self.client.environment.clone();
            let request = NewSession { pin: self.pin(), environment, purpose };
            match self.client.bank.log_on(pair, &request).await {
                Ok(session) => return Ok(session),
                Err(error) => self.another_pin(&mut ask, error).await?,
            }
        }
    }

    /// Asks for the PIN ahead of the request that the bank would refuse without one.
    pub(crate) async fn prompt(&self) -> Result<AskPin, Error> {
        let rule = self.client.bank.directory().await?.pin_rule();
        let ask = AskPin { rule, attempts_left: None };
        if rule.is_some_and(PinRule::required) && self.pin().is_none() {
            let pin = self.client.consent.pin(&ask).await;
            self.set_pin(pin);
        }
        Ok(ask)
    }

    /// After a refusal: another PIN, if that is what was wrong and the user has one. The same wrong PIN is never sent twice.
    pub(crate) async fn another_pin(&self, ask: &mut AskPin, error: Error) -> Result<(), Error> {
        if !matches!(error.token(), Some(Token::PinRequired | Token::PinWrong)) {
            return Err(error);
        }
        let refused = self.pin();
        self.set_pin(None);
        if let Some(Extra::AttemptsLeft(left)) = error.problem().map(|problem| &problem.extra) {
            ask.attempts_left = Some(*left);
        }
        let next = self.client.consent.pin(ask).await;
        if next.is_none() || next == refused {
            return Err(error);
        }
        self.set_pin(next);
        Ok(())
    }

    pub(crate) fn pin(&self) -> Option<Pin> {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_pin(&self, pin: Option<Pin>) {
        *self.pin.lock().unwrap_or_else(PoisonError::into_inner) = pin;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("identity", &self.identity).finish_non_exhaustive()
    }
}
