//! PINs, reissues, revocations, and what the bank's staff does to subjects.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::time::Time;

use super::{Failure, Registry, Terms};
use crate::id::{Fingerprint, ReissueId, RequestId, SubjectId};
use crate::rule::command::{
    Actor, Attempt, Import, ImportOutcome, ImportRefused, NewReissue, NewRequest, NewSubject, PinCheck, Revoke,
};
use crate::rule::refused::{OperatorRefused, Refused};
use crate::rule::registry::Found;
use crate::rule::reissue::Opener;
use crate::rule::row::{ReissueRow, SubjectRow};
use crate::rule::{Authority, Judged, Known, Name, pin, registry, reissue, revocation};
use crate::store::{Approval, By, Committed, Holds, Loaded, Request, StoreError};

impl Registry {
    /// Counts a PIN attempt, durably, before its hash is verified: parallel guesses cannot exceed the limit.
    pub async fn begin_pin_attempt(
        &self,
        subject: SubjectId,
        now: Time,
    ) -> Result<Attempt, Failure> {
        self.transact(of(subject), Refused::SubjectUnknown, now, |known, _| {
            pin::begin_attempt(known, now)
        })
        .await
    }

    /// Starts the count of wrong PINs anew: the PIN fitted this hash, and the transition that would have done so was
    /// refused. Changes nothing where another PIN was set meanwhile.
    pub async fn pin_was_right(
        &self,
        subject: SubjectId,
        hash: String,
        now: Time,
    ) -> Result<(), Failure> {
        self.transact(of(subject), Refused::SubjectUnknown, now, |known, _| {
            Ok(pin::was_right(known, &hash, now))
        })
        .await
    }

    /// Lets a subject's PIN be tried again.
    pub async fn unlock(&self, subject: SubjectId, by: Actor, now: Time) -> Result<(), Failure> {
        self.transact_as(&by, of(subject), Refused::SubjectUnknown, now, |known, by, _| {
            pin::unlock(known, by, now)
        })
        .await
    }

    /// Sets a PIN. With a session, the old one's hash must be the one that was verified.
    pub async fn set_pin_hash(
        &self,
        subject: SubjectId,
        hash: String,
        old: PinCheck,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        let missing = Refused::SubjectUnknown;
        match by {
            Actor::Session(session) => {
                self.transact(of(subject), missing, now, |known, _| {
                    pin::change(known, session, &hash, &old, now)
                })
                .await
            }
            by @ (Actor::Certificate(_) | Actor::Operator(_) | Actor::Bank) => {
                self.transact_as(&by, of(subject), missing, now, |known, by, _| {
                    pin::set(known, by, &hash, now)
                })
                .await
            }
        }
    }

    /// Opens a reissue. The same id with the same content gives the same one, with `false`.
    pub async fn open_reissue(
        &self,
        new: NewReissue,
        by: Actor,
        now: Time,
    ) -> Result<(ReissueRow, bool), Failure> {
        let missing = Refused::SubjectUnknown;
        let there = self.store.load(By::Name(Name::Reissue(new.id))).await?.is_some();
        self.transact_as(&by, of(new.subject), missing, now, |known, by, taken| {
            reissue::open(known, &new, &Opener::One(by), there || taken.is_some(), now)
        })
        .await
    }

    /// Cancels a reissue.
    pub async fn cancel_reissue(
        &self,
        id: ReissueId,
        by: Actor,
        now: Time,
    ) -> Result<ReissueRow, Failure> {
        let target = By::Name(Name::Reissue(id));
        self.transact_as(&by, target, Refused::NotFound, now, |known, by, _| {
            reissue::cancel(known, id, by, now)
        })
        .await
    }

    /// Approves a request and opens its reissue: the checker, who is not the maker.
    pub async fn approve_reissue(
        &self,
        id: RequestId,
        new: NewReissue,
        checker: String,
        now: Time,
    ) -> Result<ReissueRow, Failure> {
        let request = self.store.request(id).await?.ok_or(Refused::NotFound)?;
        let refused = |why| Refused::Operator(why);
        if request.maker == checker {
            return Err(refused(OperatorRefused::SamePerson).into());
        }
        if request.approved.is_some() {
            return Err(refused(OperatorRefused::AlreadyApproved).into());
        }
        if new.subject != request.subject || new.reason != request.reason {
            return Err(Refused::SubjectMismatch.into());
        }
        let (authority, holds) = self.authority(&Actor::Operator(checker.clone()), now).await?;
        let loaded = self.named(Name::Subject(new.subject), Refused::SubjectUnknown).await?;
        let _turn = self.turns.take(loaded.number).await;
        let opener = Opener::Two { checker: &authority, form: &request.form };
        let Judged { change: Some(mut change), answer: (row, true) } =
            reissue::open(&loaded.known, &new, &opener, false, now)?
        else {
            return Err(Refused::ReissueConflict.into());
        };
        change.entry.change("request", &id, "approved");
        change.entry.say("maker", request.maker.as_str());
        let approval = Approval { checker, at: now, reissue: new.id };
        let approved = Some(Request { approved: Some(approval), ..request });
        match self.commit(&loaded, change, Terms { holds, approved, now }).await? {
            Committed::Done => Ok(row),
            Committed::Taken(_) => Err(Refused::ReissueConflict.into()),
            Committed::Conflict => Err(StoreError::Contended.into()),
        }
    }

    /// Requests a reissue for an administrator, or a first enrollment: the maker.
    pub async fn request_reissue(
        &self,
        new: NewRequest,
        maker: String,
        now: Time,
    ) -> Result<Request, Failure> {
        let (_, holds) = self.authority(&Actor::Operator(maker.clone()), now).await?;
        let missing = Refused::SubjectUnknown;
        let subject = self.named(Name::Subject(new.subject), missing).await?;
        let NewRequest { id, subject: of, reason, form } = new;
        let request = Request { id, subject: of, reason, form, maker, created: now, approved: None };
        self.add_request(request, &subject, holds, now).await
    }

    /// Revokes a certificate; idempotent. The answer names everything revoked by or before this.
    pub async fn revoke(
        &self,
        revoke: Revoke,
        by: Actor,
        now: Time,
    ) -> Result<Vec<CertId>, Failure> {
        let target = By::Name(Name::CertId(revoke.certificate.clone()));
        match by {
            Actor::Certificate(own) => {
                let by = super::by_fingerprint(own);
                self.transact(by, Refused::CertificateUnknown, now, |known, _| {
                    revocation::itself(known, own, &revoke, now)
                })
                .await
            }
            by @ (Actor::Session(_) | Actor::Operator(_) | Actor::Bank) => {
                self.transact_as(&by, target, Refused::NotFound, now, |known, by, _| {
                    revocation::of_another(known, by, &revoke, now)
                })
                .await
            }
        }
    }

    /// Adds a subject.
    pub async fn add_subject(
        &self,
        new: NewSubject,
        by: Actor,
        now: Time,
    ) -> Result<SubjectRow, Failure> {
        let (authority, mut holds) = self.authority(&by, now).await?;
        let Judged { change, .. } = registry::add(&new, &authority, now)?;
        if self.store.contract(new.contract).await?.is_none() {
            return Err(Refused::Operator(OperatorRefused::ContractUnknown).into());
        }
        holds.push(Holds::Contract(new.contract));
        let Some(change) = change else { return Err(Refused::SubjectUnknown.into()) };
        let loaded = self.unborn(Known { subject: change.subject.clone(), contract_disabled: false }).await?;
        match self.commit(&loaded, change, Terms { holds, approved: None, now }).await? {
            Committed::Done => Ok(loaded.known.row()),
            Committed::Taken(_) => Err(Refused::Operator(OperatorRefused::Conflict).into()),
            Committed::Conflict => Err(StoreError::Contended.into()),
        }
    }

    /// A row for a subject that is about to be.
    async fn unborn(&self, known: Known) -> Result<Loaded, StoreError> {
        Ok(Loaded { number: self.numbers.next(&*self.store).await?, version: 0, known })
    }

    /// Disables or enables a subject. Everything that its certificates sign is refused meanwhile.
    pub async fn set_subject_disabled(
        &self,
        subject: SubjectId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        self.transact_as(&by, of(subject), Refused::SubjectUnknown, now, |known, by, _| {
            registry::set_disabled(known, disabled, by, now)
        })
        .await
    }

    /// Takes in certificates, each for itself; repeatable. A dry run changes nothing and answers the same.
    pub async fn import_certificates(
        &self,
        imports: Vec<Import>,
        dry_run: bool,
        by: Actor,
        now: Time,
    ) -> Result<Vec<ImportOutcome>, Failure> {
        let (authority, holds) = self.authority(&by, now).await?;
        let mut outcomes = Vec::with_capacity(imports.len());
        let mut pretended = Pretended::default();
        for import in imports {
            let outcome = if dry_run {
                self.pretend(&import, &authority, &mut pretended, now).await?
            } else {
                self.import(&import, &authority, &holds, now).await?
            };
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn import(
        &self,
        import: &Import,
        by: &Authority,
        holds: &[Holds],
        now: Time,
    ) -> Result<ImportOutcome, Failure> {
        for _ in 0..super::ATTEMPTS {
            let (found, loaded) = self.found(import).await?;
            let Some(found) = found else {
                return Ok(ImportOutcome::Refused(ImportRefused::ContractUnknown));
            };
            let number = self.numbers.next(&*self.store).await?;
            let judged = registry::import(&found, import, number, by, now)?;
            let Judged { change: Some(change), answer } = judged else { return Ok(judged.answer) };
            let loaded = match loaded {
                Some(loaded) => loaded,
                None => {
                    let known = Known { subject: change.subject.clone(), contract_disabled: false };
                    self.unborn(known).await?
                }
            };
            let _turn = self.turns.take(loaded.number).await;
            let mut holds = holds.to_vec();
            holds.push(Holds::Contract(import.contract));
            match self.commit(&loaded, change, Terms { holds, approved: None, now }).await? {
                Committed::Done => return Ok(answer),
                Committed::Taken(Name::Subject(_)) => {
                    return Err(Refused::Operator(OperatorRefused::Conflict).into());
                }
                Committed::Conflict | Committed::Taken(_) => {}
            }
        }
        Err(StoreError::Contended.into())
    }


    /// What the registry has of a certificate to be taken in; no `Found` where it has no such contract.
    async fn found(&self, import: &Import) -> Result<(Option<Found>, Option<Loaded>), Failure> {
        let certificate = &import.certificate;
        let fingerprint = Fingerprint::from_bytes(certificate.fingerprint());
        let at = |name| self.store.load(By::Name(name));
        let same = at(Name::Fingerprint(fingerprint)).await?;
        let same = same.map(|of| (of.known.subject.id, of.known.subject.contract));
        if same.is_none() && self.store.contract(import.contract).await?.is_none() {
            return Ok((None, None));
        }
        let loaded = at(Name::SubjectName(certificate.subject().der().to_vec())).await?;
        let serial_taken = at(Name::CertId(CertId::of(certificate))).await?.is_some();
        let key_taken = at(Name::Key(certificate.key().thumbprint())).await?.is_some();
        let subject = loaded.as_ref().map(|loaded| loaded.known.clone());
        Ok((Some(Found { subject, same, serial_taken, key_taken }), loaded))
    }

    /// What an import would come to, after those before it.
    async fn pretend(
        &self,
        import: &Import,
        by: &Authority,
        pretended: &mut Pretended,
        now: Time,
    ) -> Result<ImportOutcome, Failure> {
        let (found, _) = self.found(import).await?;
        let Some(mut found) = found else {
            return Ok(ImportOutcome::Refused(ImportRefused::ContractUnknown));
        };
        pretended.apply(&mut found, import);
        let judged = registry::import(&found, import, 0, by, now)?;
        if let Some(change) = judged.change {
            pretended.note(change);
        }
        Ok(judged.answer)
    }
}

/// What a dry run would have written.
#[derive(Default)]
struct Pretended {
    names: std::collections::HashMap<Name, SubjectId>,
    subjects: std::collections::HashMap<SubjectId, crate::rule::subject::Subject>,
}

impl Pretended {
    fn apply(&self, found: &mut Found, import: &Import) {
        let certificate = &import.certificate;
        let subject = |name: Name| self.names.get(&name).and_then(|id| self.subjects.get(id));
        let fingerprint = Fingerprint::from_bytes(certificate.fingerprint());
        if let Some(same) = subject(Name::Fingerprint(fingerprint)) {
            found.same = Some((same.id, same.contract));
        }
        if let Some(named) = subject(Name::SubjectName(certificate.subject().der().to_vec())) {
            found.subject = Some(Known { subject: named.clone(), contract_disabled: false });
        }
        found.serial_taken |= subject(Name::CertId(CertId::of(certificate))).is_some();
        found.key_taken |= subject(Name::Key(certificate.key().thumbprint())).is_some();
    }

    fn note(&mut self, change: crate::rule::Change) {
        let id = change.subject.id;
        self.names.extend(change.rows.names.into_iter().map(|name| (name, id)));
        self.names.insert(Name::SubjectName(change.subject.name_key()), id);
        self.subjects.insert(id, change.subject);
    }
}

fn of(subject: SubjectId) -> By {
    By::Name(Name::Subject(subject))
}
