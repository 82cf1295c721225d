//! Reads of the registry.

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::state::session::{Event, Session as Machine};
use koshin_protocol::time::Time;

use super::{Failure, Registry, by_fingerprint};
use crate::id::{ContractId, Fingerprint, OrderId, ReissueId, SessionId, SubjectId};
use crate::rule::refused::{self, Refused};
use crate::rule::row::{
    ActiveSession, ContractLine, ContractRow, Holder, OrderRow, ReissueRow, SubjectRow,
};
use crate::rule::{Known, Name};
use crate::store::{By, Loaded, StoreError};

/// Subjects that are read at once.
const PAGE: u32 = 200;

impl Registry {
    /// The certificate with this fingerprint, and all that an authentication decides on.
    pub async fn certificate_by_fingerprint(
        &self,
        fingerprint: Fingerprint,
    ) -> Result<Option<Holder>, StoreError> {
        self.look(by_fingerprint(fingerprint), |known| {
            let mut certificates = known.subject.certificates.iter().rev();
            let found = certificates.find(|certificate| certificate.fingerprint == fingerprint);
            found.map(|certificate| Ok(known.holder(certificate)))
        })
        .await
    }

    /// The certificate with this certID, likewise.
    pub async fn certificate(&self, id: &CertId) -> Result<Option<Holder>, StoreError> {
        self.look(By::Name(Name::CertId(id.clone())), |known| {
            let mut certificates = known.subject.certificates.iter().rev();
            let found = certificates.find(|certificate| certificate.id == *id);
            found.map(|certificate| Ok(known.holder(certificate)))
        })
        .await
    }

    /// The session, if it has not ended. Counts as no use of it: see [`Registry::touch_session`].
    pub async fn session(
        &self,
        id: SessionId,
        now: Time,
    ) -> Result<Option<ActiveSession>, StoreError> {
        let Some(number) = self.ids.subject_of_session(id) else { return Ok(None) };
        let Some(loaded) = self.load(By::Number(number)).await? else { return Ok(None) };
        let found = loaded.known.subject.session(id).filter(|session| {
            let active = session.active();
            let need = koshin_protocol::state::session::Need::Either;
            Machine::Active(active).step(Event::Used { now, idle: active.idle, need }).is_ok()
        });
        let Some(session) = found else { return Ok(None) };
        Self::settle(loaded.known.active_session(session)).map(Some)
    }

    /// The order.
    pub async fn order(&self, id: OrderId) -> Result<Option<OrderRow>, StoreError> {
        let Some(number) = self.ids.subject_of_order(id) else { return Ok(None) };
        let find = |known: &Known| known.subject.order(id).map(|order| known.order_row(order));
        let found = self.look(By::Number(number), find).await?;
        self.with_der(found).await
    }

    /// The order whose CSR has this key.
    pub async fn order_by_key(&self, key: Thumbprint) -> Result<Option<OrderRow>, StoreError> {
        let find =
            |known: &Known| known.subject.order_by_key(key).map(|order| known.order_row(order));
        let found = self.look(By::Name(Name::Key(key)), find).await?;
        self.with_der(found).await
    }

    async fn with_der(&self, row: Option<OrderRow>) -> Result<Option<OrderRow>, StoreError> {
        match row {
            Some(row) => self.hand_out(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// An order with its certificate's DER, where it has one.
    pub(super) async fn hand_out(&self, mut row: OrderRow) -> Result<OrderRow, StoreError> {
        if let Some(certificate) = &row.certificate {
            row.der = Some(self.der(certificate.number).await?);
        }
        Ok(row)
    }

    /// A contract with all its subjects, or with one.
    pub async fn contract(
        &self,
        id: ContractId,
        only: Option<SubjectId>,
    ) -> Result<Option<ContractRow>, StoreError> {
        let Some((contract, _)) = self.store.contract(id).await? else { return Ok(None) };
        let mut subjects = Vec::new();
        match only {
            Some(subject) => {
                let loaded = self.load(By::Name(Name::Subject(subject))).await?;
                let own = loaded.filter(|loaded| loaded.known.subject.contract == id);
                subjects.extend(own.map(|loaded| loaded.known.entry()));
            }
            None => {
                let mut after = 0;
                loop {
                    let page = self.store.subjects(id, after, PAGE).await?;
                    let Some(last) = page.last() else { break };
                    after = last.number;
                    subjects.extend(page.iter().map(|loaded| loaded.known.entry()));
                }
                subjects.sort_by(|one, other| one.subject.name.cmp(&other.subject.name));
            }
        }
        Ok(Some(ContractRow { id, name: contract.name, subjects }))
    }

    /// Every contract, by name.
    pub async fn contracts(&self) -> Result<Vec<ContractLine>, StoreError> {
        let contracts = self.store.contracts().await?.into_iter();
        let line = |(contract, subjects): (crate::store::Contract, u64)| ContractLine {
            id: contract.id,
            name: contract.name,
            disabled: contract.disabled,
            created: contract.created,
            subjects,
        };
        Ok(contracts.map(line).collect())
    }

    /// A subject.
    pub async fn subject(&self, id: SubjectId) -> Result<Option<SubjectRow>, StoreError> {
        let loaded = self.load(By::Name(Name::Subject(id))).await?;
        Ok(loaded.map(|loaded| loaded.known.row()))
    }

    /// A subject by its name.
    pub async fn subject_by_name(
        &self,
        name_der: Vec<u8>,
    ) -> Result<Option<SubjectRow>, StoreError> {
        let loaded = self.load(By::Name(Name::SubjectName(name_der))).await?;
        Ok(loaded.map(|loaded| loaded.known.row()))
    }

    /// A reissue. Its `expires` is not compared with any clock here.
    pub async fn reissue(&self, id: ReissueId) -> Result<Option<ReissueRow>, StoreError> {
        self.look(By::Name(Name::Reissue(id)), |known| {
            known.subject.reissue(id).map(|reissue| Ok(known.reissue_row(reissue)))
        })
        .await
    }

    /// What `find` finds of a subject, in its chapters if need be.
    pub(super) async fn look<T>(
        &self,
        by: By,
        find: impl Fn(&Known) -> Option<Result<T, refused::Failure>>,
    ) -> Result<Option<T>, StoreError> {
        let Some(mut loaded) = self.load(by).await? else { return Ok(None) };
        loop {
            match find(&loaded.known) {
                Some(Ok(found)) => return Ok(Some(found)),
                Some(Err(refused::Failure::Chapter)) => self.unfold(&mut loaded).await?,
                Some(Err(other)) => return Self::settle(Err(other)).map(Some),
                None if loaded.known.subject.chapter.is_some() => self.unfold(&mut loaded).await?,
                None => return Ok(None),
            }
        }
    }

    /// A view that cannot be refused.
    fn settle<T>(seen: Result<T, refused::Failure>) -> Result<T, StoreError> {
        seen.map_err(|failure| match Failure::from(failure) {
            Failure::Fault(fault) => fault,
            Failure::Refused(refused) => StoreError::Corrupt(format!("{refused:?}")),
        })
    }

    /// The subject that a name finds, or the refusal.
    pub(super) async fn named(&self, name: Name, missing: Refused) -> Result<Loaded, Failure> {
        self.load(By::Name(name)).await?.ok_or_else(|| missing.into())
    }
}
