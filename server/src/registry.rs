//! The bank's registry: what is asked of it is loaded, judged by a rule, and committed (SPEC.md 7, 10).
//!
//! Each method is one transition, or one read. A subject that somebody else changed meanwhile is loaded and judged again.
//! A write answers when it is durable; dropping its future does not undo it.

mod numbers;
mod order;
mod read;
mod staff;
mod subject;
mod touch;
mod turn;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use koshin_protocol::time::Time;

use self::numbers::Numbers;
use self::touch::Touches;
use self::turn::Turns;
use crate::id::{Fingerprint, SessionId};
use crate::rule::command::Actor;
use crate::rule::refused::{self, OperatorRefused, Refused};
use crate::rule::{Authority, Change, Judged, Known, Name};
use crate::store::ids::Ids;
use crate::store::{By, Commit, Committed, Holds, Loaded, Put, PutSubject, Store, StoreError};

/// How often a subject that others change is judged again before the requester is told to come again.
const ATTEMPTS: usize = 32;

/// DER of certificates that is kept: whoever orders one confirms it at once.
const KEPT: usize = 4096;

/// Why a request has no answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The rules forbid it.
    Refused(Box<Refused>),
    /// The store could not. Whether it happened is not known to the requester, who asks again.
    Fault(StoreError),
}

/// Loads, judges, commits.
pub struct Registry {
    store: Arc<dyn Store>,
    ids: Arc<Ids>,
    numbers: Numbers,
    turns: Turns,
    touches: Touches,
    kept: RwLock<HashMap<u64, Arc<[u8]>>>,
}

/// What a commit is made of besides what the rule says.
struct Terms {
    holds: Vec<Holds>,
    approved: Option<crate::store::Request>,
    now: Time,
}

impl Registry {
    /// On a store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            ids: store.ids(),
            numbers: Numbers::default(),
            turns: Turns::default(),
            touches: Touches::default(),
            kept: RwLock::default(),
            store,
        }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Begins the session's idle time anew. Takes effect at once, in this process: a crash may let a session end early,
    /// never late.
    pub fn touch_session(&self, session: SessionId, now: Time) {
        self.touches.touch(session, now);
    }

    async fn load(&self, by: By) -> Result<Option<Loaded>, StoreError> {
        let mut loaded = self.store.load(by).await?;
        if let Some(loaded) = &mut loaded {
            self.touches.apply(&mut loaded.known.subject);
        }
        Ok(loaded)
    }

    /// A transition of the subject that `by` finds.
    ///
    /// `rule` is told which of its names was taken, if one was.
    async fn transact<A>(
        &self,
        by: By,
        missing: Refused,
        now: Time,
        rule: impl Fn(&Known, Option<&Name>) -> Result<Judged<A>, refused::Failure>,
    ) -> Result<A, Failure> {
        self.transact_as(&Actor::Bank, by, missing, now, |known, _, taken| rule(known, taken)).await
    }

    /// The same, on somebody's word.
    async fn transact_as<A>(
        &self,
        actor: &Actor,
        by: By,
        missing: Refused,
        now: Time,
        rule: impl Fn(&Known, &Authority, Option<&Name>) -> Result<Judged<A>, refused::Failure>,
    ) -> Result<A, Failure> {
        let (mut authority, mut holds) = self.authority(actor, now).await?;
        let Some(mut loaded) = self.load(by).await? else { return Err(missing.into()) };
        let _turn = self.turns.take(loaded.number).await;
        let mut taken = None;
        for _ in 0..ATTEMPTS {
            let judged = loop {
                match rule(&loaded.known, &authority, taken.as_ref()) {
                    Err(refused::Failure::Chapter) => self.unfold(&mut loaded).await?,
                    judged => break judged?,
                }
            };
            let Judged { change: Some(change), answer } = judged else { return Ok(judged.answer) };
            let terms = Terms { holds: holds.clone(), approved: None, now };
            match self.commit(&loaded, change, terms).await? {
                Committed::Done => return Ok(answer),
                Committed::Conflict => {}
                Committed::Taken(name) => taken = Some(name),
            }
            let by = By::Number(loaded.number);
            loaded = self.load(by).await?.ok_or_else(|| vanished(loaded.number))?;
            (authority, holds) = self.authority(actor, now).await?;
        }
        Err(StoreError::Contended.into())
    }

    /// Who acts, and what must still hold when it is written.
    async fn authority(
        &self,
        actor: &Actor,
        now: Time,
    ) -> Result<(Authority, Vec<Holds>), Failure> {
        match actor {
            Actor::Bank => Ok((Authority::Bank, Vec::new())),
            Actor::Operator(name) => {
                let (staff, version) = self.store.staff().await?;
                let unknown = Refused::Operator(OperatorRefused::Unknown);
                staff.enabled(name).ok_or(unknown)?;
                Ok((Authority::Operator(name.clone()), vec![Holds::Staff(version)]))
            }
            Actor::Session(id) => {
                let number = self.ids.subject_of_session(*id).ok_or(Refused::SessionEnded)?;
                let loaded = self.load(By::Number(number)).await?.ok_or(Refused::SessionEnded)?;
                let authority = Authority::administrator(&loaded.known, *id, now)?;
                let version = loaded.version;
                Ok((authority, vec![Holds::Subject { number, version }]))
            }
            Actor::Certificate(_) => Err(Refused::NotAuthorized.into()),
        }
    }

    /// Takes the next chapter back into a loaded subject.
    async fn unfold(&self, loaded: &mut Loaded) -> Result<(), StoreError> {
        let subject = &mut loaded.known.subject;
        let corrupt = || StoreError::Corrupt(format!("subject {} lacks what is in no chapter", subject.id));
        let number = subject.chapter.ok_or_else(corrupt)?;
        let chapter = self.store.chapter(number).await?.ok_or_else(corrupt)?;
        subject.unfold(chapter);
        Ok(())
    }

    async fn commit(
        &self,
        loaded: &Loaded,
        change: Change,
        terms: Terms,
    ) -> Result<Committed, StoreError> {
        let Change { mut subject, rows, entry } = change;
        let before = waits(&loaded.known.subject);
        let waiting = Some(waits(&subject)).filter(|after| *after != before);
        let chapter = if subject.carries_too_much() {
            let number = self.numbers.next(&*self.store).await?;
            Some((number, subject.fold(number)))
        } else {
            None
        };
        let issued: Vec<_> =
            rows.certificates.iter().map(|row| (row.number, Arc::clone(&row.der))).collect();
        let put = Put::Subject(Box::new(PutSubject {
            number: loaded.number,
            expected: loaded.version,
            subject,
            chapter,
            rows,
            waiting,
            approved: terms.approved,
        }));
        let Terms { holds, now, .. } = terms;
        let committed = self.store.commit(Commit { put, holds, entry, now }).await?;
        if committed == Committed::Done {
            issued.into_iter().for_each(|(number, der)| self.keep(number, der));
        }
        Ok(committed)
    }

    fn keep(&self, number: u64, der: Arc<[u8]>) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(number, der);
    }

    /// The DER of a certificate of the registry.
    pub async fn der(&self, certificate: u64) -> Result<Arc<[u8]>, StoreError> {
        let found = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            kept.get(&certificate).map(Arc::clone)
        };
        if let Some(der) = found {
            return Ok(der);
        }
        let der = self.store.certificate(certificate).await?;
        let der = der.ok_or_else(|| StoreError::Corrupt(format!("certificate {certificate} has no DER")))?;
        self.keep(certificate, Arc::clone(&der));
        Ok(der)
    }
}

/// The order that a CA has yet to issue.
fn waits(subject: &crate::rule::subject::Subject) -> Option<crate::id::OrderId> {
    subject.orders.iter().find(|order| order.issuing.is_some()).map(|order| order.id)
}

fn vanished(number: u64) -> StoreError {
    StoreError::Corrupt(format!("subject {number} is not there any more"))
}

fn by_fingerprint(fingerprint: Fingerprint) -> By {
    By::Name(Name::Fingerprint(fingerprint))
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

impl From<StoreError> for Failure {
    fn from(fault: StoreError) -> Self {
        Self::Fault(fault)
    }
}

impl From<refused::Failure> for Failure {
    fn from(failure: refused::Failure) -> Self {
        match failure {
            refused::Failure::Refused(refused) => Self::Refused(refused),
            refused::Failure::Corrupt(what) => Self::Fault(StoreError::Corrupt(what)),
            refused::Failure::Chapter => {
                Self::Fault(StoreError::Corrupt("a chapter is asked for that is not there".to_owned()))
            }
        }
    }
}
