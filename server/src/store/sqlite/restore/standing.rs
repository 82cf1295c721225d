//! What was disabled, locked, set or redeemed after a backup, by the exported heads: what was closed
//! is closed again, and all of it is named.
//!
//! A backup may be newer than the heads. So only what belongs to a chain of which the heads know more
//! records than the backup has is compared: each of these changes has a record in its chain.

use std::collections::HashSet;
use std::hash::Hash;

use koshin_protocol::state::reissue::{Event, Status};
use koshin_protocol::time::Time;
use rusqlite::params;

use super::report::{Lost, NamedContract, NamedSubject, Note, RestoreReport};
use crate::audit::{Chain, Object, Standing};
use crate::store::id::{ContractId, SubjectId};
use crate::store::row::{OperatorRow, SubjectRow};
use crate::store::sqlite::column::{Sql, execute, one};
use crate::store::sqlite::read;
use crate::store::sqlite::transition::Transition;
use crate::store::{Failure, StoreError};

const CONTRACT: &str = "SELECT name FROM contract WHERE id = ?1";
const DISABLE_CONTRACT: &str = "UPDATE contract SET disabled = 1 WHERE id = ?1";
const DISABLE_SUBJECT: &str = "UPDATE subject SET disabled = 1 WHERE id = ?1";
const LOCK: &str = "UPDATE subject SET pin_attempts = 5 WHERE id = ?1 AND pin_hash IS NOT NULL";
const PIN_SET: &str = "SELECT pin_set FROM subject WHERE id = ?1";
const ENABLED: &str = "SELECT 1 FROM operator WHERE name = ?1 AND disabled IS NULL";
const OTHERS: &str = "SELECT count(*) FROM operator WHERE name <> ?1 AND disabled IS NULL";
const DISABLE_OPERATOR: &str = "UPDATE operator SET disabled = ?2 WHERE name = ?1";

/// A backup and the heads that know more.
pub(super) struct Differences<'a> {
    backup: &'a Standing,
    heads: &'a Standing,
    behind: HashSet<Chain>,
    accepted_by: Option<&'a str>,
}

impl<'a> Differences<'a> {
    pub(super) fn new(
        backup: &'a Standing,
        heads: &'a Standing,
        lost: &[Lost],
        accepted_by: Option<&'a str>,
    ) -> Self {
        let behind = lost.iter().map(|lost| lost.chain).collect();
        Self { backup, heads, behind, accepted_by }
    }

    /// Whether who accepts the loss was disabled after the backup, and somebody else was not.
    pub(super) fn acceptor_is_disabled(&self, operators: &[OperatorRow]) -> bool {
        let disabled = |name: &str| self.heads.disabled_operators.iter().any(|gone| gone == name);
        let enabled = operators.iter().filter(|operator| operator.disabled.is_none());
        self.behind.contains(&Chain::Bank)
            && self.accepted_by.is_some_and(disabled)
            && enabled.map(|operator| &operator.name).any(|name| !disabled(name))
    }

    /// Closes again what was closed, and names all that differs.
    pub(super) fn apply(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        self.contracts(transition, report)?;
        self.subjects(transition, report)?;
        self.pins(transition, report)?;
        self.reissues(transition, report)?;
        self.operators(transition, report)
    }

    fn contracts(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        let (heads, backup) = (&self.heads.disabled_contracts, &self.backup.disabled_contracts);
        for contract in only(heads, backup) {
            if let Some(named) = self.contract(transition, contract)? {
                execute(transition.connection, DISABLE_CONTRACT, [contract])?;
                transition.changed(contract, Object::Contract, &contract, "disabled");
                report.notes.push(Note::ContractDisabled(named));
            }
        }
        for contract in only(backup, heads) {
            let named = self.contract(transition, contract)?;
            report.notes.extend(named.map(Note::ContractEnabled));
        }
        Ok(())
    }

    fn subjects(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        let (heads, backup) = (&self.heads.disabled_subjects, &self.backup.disabled_subjects);
        for id in only(heads, backup) {
            if let Some(subject) = self.subject(transition, id)? {
                execute(transition.connection, DISABLE_SUBJECT, [id])?;
                transition.changed(subject.contract, Object::Subject, &id, "disabled");
                report.notes.push(Note::SubjectDisabled(named(subject)));
            }
        }
        for id in only(backup, heads) {
            let subject = self.subject(transition, id)?;
            report.notes.extend(subject.map(named).map(Note::SubjectEnabled));
        }
        Ok(())
    }

    fn pins(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        let (heads, backup) = (&self.heads.locked_pins, &self.backup.locked_pins);
        for id in only(heads, backup) {
            if let Some(subject) = self.subject(transition, id)?
                && execute(transition.connection, LOCK, [id])? == 1
            {
                transition.changed(subject.contract, Object::Subject, &id, "pinLocked");
                report.notes.push(Note::PinLocked(named(subject)));
            }
        }
        for id in only(backup, heads) {
            let subject = self.subject(transition, id)?;
            report.notes.extend(subject.map(named).map(Note::PinUnlocked));
        }
        for (id, set) in &self.heads.pins_set {
            let Some(subject) = self.subject(transition, *id)? else { continue };
            let known = one(transition.connection, PIN_SET, [id], |row| {
                row.get::<_, Option<Sql<Time>>>(0)
            })?;
            if known.flatten().is_none_or(|known| known.0 < *set) {
                report.notes.push(Note::PinSet(named(subject)));
            }
        }
        Ok(())
    }

    fn reissues(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        for reissue in only(&self.backup.open_reissues, &self.heads.open_reissues) {
            let Some(line) = transition.find_reissue(reissue)? else { continue };
            let now = transition.now;
            let event = match line.state.status(now) {
                Status::Pending => Event::Cancel { now },
                // Its time may be over by a clock that is wrong.
                Status::Expired => Event::Void,
                // What was redeemed in the backup has an order, and perhaps the subject's newest certificate.
                Status::Redeemed
                | Status::Completed
                | Status::Failed
                | Status::Canceled
                | Status::Voided => continue,
            };
            if let Some(subject) = self.subject(transition, line.subject)? {
                transition.reissue_event(reissue, event)?;
                report.notes.push(Note::ReissueEnded { reissue, subject: named(subject) });
            }
        }
        Ok(())
    }

    fn operators(
        &self,
        transition: &mut Transition<'_>,
        report: &mut RestoreReport,
    ) -> Result<(), Failure> {
        if !self.behind.contains(&Chain::Bank) {
            return Ok(());
        }
        let mut gone = only(&self.heads.disabled_operators, &self.backup.disabled_operators);
        // Where nobody else is left, who accepted the loss is.
        gone.sort_by_key(|name| self.accepted_by == Some(name));
        for operator in gone {
            let connection = transition.connection;
            let enabled: Option<i64> = one(connection, ENABLED, [&operator], |row| row.get(0))?;
            if enabled.is_none() {
                continue;
            }
            if one(connection, OTHERS, [&operator], |row| row.get(0))? == Some(0) {
                report.notes.push(Note::OperatorLeft { operator });
                continue;
            }
            execute(connection, DISABLE_OPERATOR, params![operator, Sql(transition.now)])?;
            transition.entry(Chain::Bank).change(Object::Operator, &operator, "disabled");
            report.notes.push(Note::OperatorDisabled { operator });
        }
        Ok(())
    }

    /// The contract, if the backup has it and is behind.
    fn contract(
        &self,
        transition: &Transition<'_>,
        contract: ContractId,
    ) -> Result<Option<NamedContract>, StoreError> {
        if !self.behind.contains(&Chain::Contract(contract)) {
            return Ok(None);
        }
        one(transition.connection, CONTRACT, [contract], |row| {
            Ok(NamedContract { contract, name: row.get(0)? })
        })
    }

    /// The subject, if the backup has it and its contract is behind.
    fn subject(
        &self,
        transition: &Transition<'_>,
        subject: SubjectId,
    ) -> Result<Option<SubjectRow>, StoreError> {
        let subject = read::subject(transition.connection, subject)?;
        Ok(subject.filter(|subject| self.behind.contains(&Chain::Contract(subject.contract))))
    }
}

fn named(subject: SubjectRow) -> NamedSubject {
    NamedSubject { subject: subject.id, name: subject.name }
}

/// What is in the one list and not in the other.
fn only<T: Clone + Eq + Hash>(list: &[T], other: &[T]) -> Vec<T> {
    let other: HashSet<&T> = other.iter().collect();
    list.iter().filter(|id| !other.contains(id)).cloned().collect()
}
