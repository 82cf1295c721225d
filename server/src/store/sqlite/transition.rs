//! A transition: events are given to the state machines of the protocol crate, the new states are
//! written, the effects that the machines ask for are carried out, and the audit says all of it.

use std::collections::BTreeMap;
use std::fmt::Display;

use koshin_protocol::time::Time;
use rusqlite::{Connection, params};

use super::column::{execute, one};
use super::digest::digest;
use crate::audit::{Chain, Entry, Hash, Object, Principal};
use crate::store::id::ContractId;
use crate::store::{Failure, StoreError};

mod certificate;
mod order;
mod reissue;
mod session;

pub(super) use certificate::CertificateLine;
pub(super) use order::OrderLine;
pub(super) use reissue::ReissueLine;

/// One transition on its way.
pub(super) struct Transition<'c> {
    pub(super) connection: &'c Connection,
    pub(super) now: Time,
    event: &'static str,
    by: Principal,
    entries: BTreeMap<Chain, Entry>,
}

/// Runs a transition and appends its audit records.
pub(super) fn run<T>(
    connection: &Connection,
    now: Time,
    event: &'static str,
    by: Principal,
    transition: impl FnOnce(&mut Transition<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut running = Transition { connection, now, event, by, entries: BTreeMap::new() };
    let answer = transition(&mut running)?;
    for (chain, mut entry) in running.entries {
        entry.settle(|change| digest(connection, change))?;
        append(connection, chain, &entry, now)?;
    }
    Ok(answer)
}

const NEWEST: &str =
    "SELECT sequence, hash FROM audit WHERE chain = ?1 ORDER BY sequence DESC LIMIT 1";
const APPEND: &str = "INSERT INTO audit (chain, sequence, record, hash) VALUES (?1, ?2, ?3, ?4)";

fn append(
    connection: &Connection,
    chain: Chain,
    entry: &Entry,
    now: Time,
) -> Result<(), StoreError> {
    let newest = one(connection, NEWEST, [chain], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (sequence, previous): (i64, Hash) = newest.unwrap_or((0, Hash::NONE));
    let sequence = sequence + 1;
    let record = entry.record(chain, sequence.unsigned_abs(), previous, now);
    let hash = Hash::of(&record);
    execute(connection, APPEND, params![chain, sequence, record, hash])?;
    Ok(())
}

impl Transition<'_> {
    /// The audit entry of a chain; it is appended because this was called.
    pub(super) fn entry(&mut self, chain: Chain) -> &mut Entry {
        let (event, by) = (self.event, &self.by);
        self.entries.entry(chain).or_insert_with(|| Entry::new(event, by.clone()))
    }

    /// Says that an object has a new state.
    pub(super) fn changed(
        &mut self,
        contract: ContractId,
        object: Object,
        id: &impl Display,
        state: &'static str,
    ) {
        self.entry(Chain::Contract(contract)).change(object, id, state);
    }
}
