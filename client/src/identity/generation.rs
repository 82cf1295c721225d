//! One generation on its way, as types: each step consumes the former state and is durable when it returns.
//!
//! A step that fails gives no generation back: what it left on disk may be ahead of it or behind. [`super::Identity::resume`]
//! finds out which, and leads on.

use std::fmt;
use std::sync::Arc;

use koshin_protocol::certificate::{Certificate, Name};
use koshin_protocol::csr::Csr;
use koshin_protocol::sign::Signer;
use koshin_protocol::time::Time;
use koshin_protocol::url::Url;

use super::IdentityError;
use super::check::{Expected, Mismatch, check};
use super::home::{Home, RECEIPT, REQUEST};
use crate::files::Access;
use crate::files::durable::{self, Entry};
use crate::journal::{Ending, Intent, Journal, Progress, Purpose, Version};
use crate::pem;

/// A pair on its way, in the state `S`.
pub struct Generation<S> {
    home: Arc<Home>,
    number: u64,
    signer: Arc<dyn Signer>,
    journal: Journal,
    state: S,
}

/// Key, request and journal are stored; the request may be sent, again as well.
#[derive(Debug)]
pub struct Began {
    csr: Vec<u8>,
}

/// The bank has an order for it.
#[derive(Debug)]
pub struct Requested {
    order: Url,
}

/// Certificate and chain are stored.
pub struct Received {
    order: Url,
    chain: Vec<Certificate>,
}

/// `current` points to it.
pub struct Installed {
    order: Url,
    chain: Vec<Certificate>,
}

/// The bank knows.
#[derive(Debug)]
pub struct Confirmed;

/// What [`super::Identity::resume`] finds open.
#[derive(Debug)]
pub enum OpenGeneration {
    /// A key alone.
    LoneKey(LoneKey),
    /// A journal whose key is gone.
    LostKey(LostKey),
    /// Sent perhaps.
    Began(Generation<Began>),
    /// Ordered.
    Requested(Generation<Requested>),
    /// Delivered.
    Received(Generation<Received>),
    /// Installed, confirmation to be sent, again perhaps.
    Installed(Generation<Installed>),
    /// Complete, and to be rolled back.
    RollingBack(Generation<Confirmed>),
}

/// A key whose journal or request is gone: the bank may or may not have an order for it (`findOrder` tells).
pub struct LoneKey {
    pub(super) home: Arc<Home>,
    pub(super) number: u64,
    pub(super) signer: Arc<dyn Signer>,
}

/// A generation whose key is not in the key store any more. Its order can only be canceled.
#[derive(Debug)]
pub struct LostKey {
    pub(super) home: Arc<Home>,
    pub(super) number: u64,
    pub(super) journal: Journal,
}

impl<S> Generation<S> {
    pub(super) fn new(
        home: Arc<Home>,
        number: u64,
        signer: Arc<dyn Signer>,
        journal: Journal,
        state: S,
    ) -> Self {
        Self { home, number, signer, journal, state }
    }

    /// Its number, unique within the identity while it exists.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its key.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// What it is for.
    pub fn purpose(&self) -> &Purpose {
        &self.journal.purpose
    }

    /// What is wanted with it.
    pub fn intent(&self) -> Intent {
        self.journal.intent
    }

    /// When it was begun, by this machine's clock.
    pub fn begun(&self) -> Time {
        self.journal.begun
    }

    /// Journals what is wanted with it now, before the bank or `current` sees anything of it.
    pub fn intend(mut self, intent: Intent) -> Result<Self, IdentityError> {
        self.journal.intent = intent;
        self.journal.put(&*self.home.files, &self.home.generation(self.number))?;
        Ok(self)
    }

    /// Keeps the bank's receipt (a flattened JWS) beside the key (RCP-06).
    pub fn keep_receipt(&self, receipt: &[u8]) -> Result<(), IdentityError> {
        keep_receipt(&self.home, self.number, receipt)
    }

    /// Closes it for good, when the bank has ended or refused its order. Key and certificate stay on disk.
    pub fn ended(self, how: Ending) -> Result<(), IdentityError> {
        end(&self.home, self.number, self.journal, how)
    }

    fn advance<T>(
        mut self,
        progress: Progress,
        next: impl FnOnce(S) -> T,
    ) -> Result<Generation<T>, IdentityError> {
        self.journal.progress = progress;
        self.journal.put(&*self.home.files, &self.home.generation(self.number))?;
        let Self { home, number, signer, journal, state } = self;
        Ok(Generation { home, number, signer, journal, state: next(state) })
    }
}

impl LoneKey {
    /// Its number, unique within the identity while it exists.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The key.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// Whom its request was for; `None` if there is none.
    pub fn subject(&self) -> Result<Option<Name>, IdentityError> {
        Ok(self.home.request(self.number, &*self.signer)?.map(|csr| csr.subject().clone()))
    }

    /// Makes request and journal anew for the key. `now` is this machine's time.
    pub fn adopted(
        self,
        purpose: Purpose,
        subject: &Name,
        now: Time,
    ) -> Result<Generation<Began>, IdentityError> {
        Generation::journaled(self.home, self.number, self.signer, purpose, subject, now)
    }
}

impl Generation<Began> {
    /// Makes the request and journals the beginning, for a key that is durable already.
    pub(super) fn journaled(
        home: Arc<Home>,
        number: u64,
        signer: Arc<dyn Signer>,
        purpose: Purpose,
        subject: &Name,
        now: Time,
    ) -> Result<Self, IdentityError> {
        let csr = Csr::make(subject, &*signer)?;
        let journal = Journal {
            version: Version::One,
            begun: now,
            key: signer.public_key().thumbprint(),
            purpose,
            intent: Intent::Complete,
            progress: Progress::Began,
        };
        let text = pem::write("CERTIFICATE REQUEST", &csr);
        let json = journal.to_json();
        let request = Entry { name: REQUEST, content: text.as_bytes(), access: Access::Public };
        let entries = [request, Journal::entry(&json)];
        durable::put(&*home.files, &home.generation(number), &entries)?;
        Ok(Self { home, number, signer, journal, state: Began { csr } })
    }

    pub(super) fn began(csr: &Csr) -> Began {
        Began { csr: csr.der().to_vec() }
    }

    /// The request (PKCS#10, DER), the same bytes however often it is sent.
    pub fn csr(&self) -> &[u8] {
        &self.state.csr
    }

    /// Journals that the bank has an order.
    pub fn requested(self, order: Url) -> Result<Generation<Requested>, IdentityError> {
        self.advance(Progress::Requested { order: order.clone() }, |_| Requested { order })
    }
}

impl Requested {
    pub(super) fn new(order: Url) -> Self {
        Self { order }
    }
}

impl Generation<Requested> {
    /// The order.
    pub fn order(&self) -> &Url {
        &self.state.order
    }

    /// Checks the certificate (its chain leaf first) and stores it. Nothing points to it yet.
    /// What does not fit is refused, and the generation stays as it was, on disk.
    pub fn received(
        mut self,
        chain: Vec<Certificate>,
        expected: Expected<'_>,
    ) -> Result<Generation<Received>, IdentityError> {
        check(&chain, self.signer.public_key(), expected)?;
        self.journal.progress = Progress::Received { order: self.state.order.clone() };
        self.home.put_certificates(self.number, &chain, &self.journal)?;
        let Self { home, number, signer, journal, state } = self;
        home.with_slot(number, |slot| home.keys.attach(slot, &chain))?;
        let state = Received { order: state.order, chain };
        Ok(Generation { home, number, signer, journal, state })
    }
}

impl Received {
    pub(super) fn new(order: Url, chain: Vec<Certificate>) -> Self {
        Self { order, chain }
    }
}

impl Generation<Received> {
    /// The order.
    pub fn order(&self) -> &Url {
        &self.state.order
    }

    /// The certificate and its chain, leaf first.
    pub fn chain(&self) -> &[Certificate] {
        &self.state.chain
    }

    /// Reads key and certificate back, checks them, and only then points `current` to them. When it returns, and not
    /// before, the bank may be told.
    pub fn installed(self, expected: Expected<'_>) -> Result<Generation<Installed>, IdentityError> {
        let pair = self.home.pair(self.number)?.ok_or(Mismatch::Key)?;
        let chain = [&[pair.certificate], pair.issuers.as_slice()].concat();
        check(&chain, pair.signer.public_key(), expected)?;
        // A process that died in the middle of `attach` did not repeat it; a store of files has it at once.
        self.home.with_slot(self.number, |slot| self.home.keys.attach(slot, &chain))?;
        self.home.switch(self.number)?;
        let order = self.state.order.clone();
        self.advance(Progress::Installed { order }, |Received { order, .. }| Installed {
            order,
            chain,
        })
    }
}

impl Installed {
    pub(super) fn new(order: Url, chain: Vec<Certificate>) -> Self {
        Self { order, chain }
    }
}

impl Generation<Installed> {
    /// The order.
    pub fn order(&self) -> &Url {
        &self.state.order
    }

    /// The certificate and its chain, leaf first: what signs the confirmation.
    pub fn chain(&self) -> &[Certificate] {
        &self.state.chain
    }

    /// Journals that the bank knows. The old pair stays until it expired.
    pub fn confirmed(self) -> Result<Generation<Confirmed>, IdentityError> {
        let order = Some(self.state.order.clone());
        self.advance(Progress::Confirmed { order }, |_| Confirmed)
    }
}

impl OpenGeneration {
    /// Its journal, unless that is gone.
    pub fn journal(&self) -> Option<&Journal> {
        match self {
            Self::LoneKey(_) => None,
            Self::LostKey(lost) => Some(&lost.journal),
            Self::Began(generation) => Some(&generation.journal),
            Self::Requested(generation) => Some(&generation.journal),
            Self::Received(generation) => Some(&generation.journal),
            Self::Installed(generation) => Some(&generation.journal),
            Self::RollingBack(generation) => Some(&generation.journal),
        }
    }
}

impl LostKey {
    /// Its number, unique within the identity while it exists.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it was.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Journals what is wanted with it now, before the bank or `current` sees anything of it.
    pub fn intend(mut self, intent: Intent) -> Result<Self, IdentityError> {
        self.journal.intent = intent;
        self.journal.put(&*self.home.files, &self.home.generation(self.number))?;
        Ok(self)
    }

    /// Keeps the bank's receipt (a flattened JWS) in its folder (RCP-06).
    pub fn keep_receipt(&self, receipt: &[u8]) -> Result<(), IdentityError> {
        keep_receipt(&self.home, self.number, receipt)
    }

    /// Closes it for good, when the bank has ended or refused its order.
    pub fn ended(self, how: Ending) -> Result<(), IdentityError> {
        end(&self.home, self.number, self.journal, how)
    }
}

fn keep_receipt(home: &Home, number: u64, receipt: &[u8]) -> Result<(), IdentityError> {
    let entry = Entry { name: RECEIPT, content: receipt, access: Access::Public };
    Ok(durable::put(&*home.files, &home.generation(number), &[entry])?)
}

fn end(home: &Home, number: u64, mut journal: Journal, how: Ending) -> Result<(), IdentityError> {
    journal.progress = Progress::Ended { how };
    Ok(journal.put(&*home.files, &home.generation(number))?)
}

impl<S> fmt::Debug for Generation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("number", &self.number)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoneKey").field("number", &self.number).finish_non_exhaustive()
    }
}
