//! Operators, contracts, makers' requests.

use koshin_protocol::time::Time;

use super::{Failure, Registry};
use crate::audit::{Entry, Principal};
use crate::id::ContractId;
use crate::rule::command::{Actor, NewContract};
use crate::rule::refused::{OperatorRefused, Refused};
use crate::rule::row::OperatorRow;
use crate::store::{
    Commit, Committed, Contract, Holds, Loaded, Operator, Put, Request, Staff, StoreError,
};

impl Registry {
    /// Every operator, by name.
    pub async fn operators(&self) -> Result<Vec<OperatorRow>, StoreError> {
        let (staff, _) = self.store.staff().await?;
        let mut rows: Vec<OperatorRow> = staff
            .operators
            .into_iter()
            .map(|Operator { name, created, disabled, .. }| OperatorRow { name, created, disabled })
            .collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(rows)
    }

    /// The hash of an enabled operator's credential.
    pub async fn operator_credential(&self, name: &str) -> Result<Option<String>, StoreError> {
        let (staff, _) = self.store.staff().await?;
        Ok(staff.enabled(name).map(|operator| operator.credential_hash.clone()))
    }

    /// Adds an operator with the hash of a credential.
    pub async fn add_operator(
        &self,
        name: String,
        credential_hash: String,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        let (staff, expected) = self.store.staff().await?;
        let principal = staff_member(&staff, &by)?;
        if by == Actor::Bank && !staff.operators.is_empty() {
            return Err(Refused::Operator(OperatorRefused::NotTheFirst).into());
        }
        if staff.operators.iter().any(|operator| operator.name == name) {
            return Err(Refused::Operator(OperatorRefused::NameTaken).into());
        }
        let mut entry = Entry::new("operatorAdded", principal);
        entry.change("operator", &name, "enabled");
        let mut staff = staff;
        staff.operators.push(Operator { name, credential_hash, created: now, disabled: None });
        self.put(Put::Staff { staff, expected }, Vec::new(), entry, now).await
    }

    /// Writes into the audit that somebody called themselves this operator and did not prove it.
    pub async fn operator_refused(&self, name: String, now: Time) -> Result<(), Failure> {
        let mut entry = Entry::new("operatorRefused", Principal::Bank);
        entry.say("claimed", name);
        self.put(Put::Nothing, Vec::new(), entry, now).await
    }

    /// Disables an operator, for ever: the audit's names stay unambiguous.
    pub async fn disable_operator(
        &self,
        name: String,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        let (mut staff, expected) = self.store.staff().await?;
        let principal = staff_member(&staff, &by)?;
        let enabled = |operator: &&mut Operator| operator.disabled.is_none();
        let mut named = staff.operators.iter_mut().filter(|operator| operator.name == name);
        let found = named.find(enabled).ok_or(Refused::Operator(OperatorRefused::Unknown))?;
        found.disabled = Some(now);
        if staff.operators.iter().all(|operator| operator.disabled.is_some()) {
            return Err(Refused::Operator(OperatorRefused::LastOne).into());
        }
        let mut entry = Entry::new("operatorDisabled", principal);
        entry.change("operator", &name, "disabled");
        self.put(Put::Staff { staff, expected }, Vec::new(), entry, now).await
    }

    /// Adds a contract; the same again changes nothing.
    pub async fn add_contract(
        &self,
        new: NewContract,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        let (principal, holds) = self.staff(&by).await?;
        match self.store.contract(new.id).await? {
            Some((there, _)) if there.name == new.name => return Ok(()),
            Some(_) => return Err(Refused::Operator(OperatorRefused::Conflict).into()),
            None => {}
        }
        let mut entry = Entry::new("contractAdded", principal);
        entry.change("contract", &new.id, "enabled");
        entry.say("name", new.name.as_str());
        let NewContract { id, name } = new;
        let contract = Contract { id, name, disabled: false, created: now };
        self.put(Put::Contract { contract, expected: 0 }, holds, entry, now).await
    }

    /// Disables or enables a contract, and with it all its subjects.
    pub async fn set_contract_disabled(
        &self,
        id: ContractId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Result<(), Failure> {
        let (principal, holds) = self.staff(&by).await?;
        let unknown = Refused::Operator(OperatorRefused::ContractUnknown);
        let (contract, expected) = self.store.contract(id).await?.ok_or(unknown)?;
        let (event, state) = if disabled {
            ("contractDisabled", "disabled")
        } else {
            ("contractEnabled", "enabled")
        };
        let mut entry = Entry::new(event, principal);
        entry.change("contract", &id, state);
        let contract = Contract { disabled, ..contract };
        self.put(Put::Contract { contract, expected }, holds, entry, now).await
    }

    /// The requests for reissues that wait for a checker, oldest first.
    pub async fn requests(&self) -> Result<Vec<Request>, StoreError> {
        self.store.requests().await
    }

    pub(super) async fn add_request(
        &self,
        request: Request,
        subject: &Loaded,
        holds: Vec<Holds>,
        now: Time,
    ) -> Result<Request, Failure> {
        let by = Principal::Operator(request.maker.clone());
        let mut entry = Entry::new("reissueRequested", by);
        entry.change("request", &request.id, "requested");
        entry.say("subject", subject.known.subject.id.to_string());
        entry.say("reason", request.reason.as_str());
        entry.say("form", request.form.as_str());
        self.put(Put::Request(request.clone()), holds, entry, now).await?;
        Ok(request)
    }

    async fn staff(&self, by: &Actor) -> Result<(Principal, Vec<Holds>), Failure> {
        let (staff, version) = self.store.staff().await?;
        let principal = staff_member(&staff, by)?;
        let holds = match by {
            Actor::Operator(_) => vec![Holds::Staff(version)],
            Actor::Bank | Actor::Session(_) | Actor::Certificate(_) => Vec::new(),
        };
        Ok((principal, holds))
    }

    async fn put(
        &self,
        put: Put,
        holds: Vec<Holds>,
        entry: Entry,
        now: Time,
    ) -> Result<(), Failure> {
        match self.store.commit(Commit { put, holds, entry, now }).await? {
            Committed::Done => Ok(()),
            Committed::Conflict | Committed::Taken(_) => Err(StoreError::Contended.into()),
        }
    }
}

/// How the audit names one of the staff, or the bank.
fn staff_member(staff: &Staff, by: &Actor) -> Result<Principal, Refused> {
    match by {
        Actor::Bank => Ok(Principal::Bank),
        Actor::Operator(name) => {
            staff.enabled(name).ok_or(Refused::Operator(OperatorRefused::Unknown))?;
            Ok(Principal::Operator(name.clone()))
        }
        Actor::Session(_) | Actor::Certificate(_) => Err(Refused::NotAuthorized),
    }
}
