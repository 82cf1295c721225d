//! The embedded store: one `SQLite` file in WAL mode, flushed at every commit.
//!
//! One thread writes and shares each flush among all who wait (`writer`); reads are done where they
//! are asked for, on connections of their own (`reader`). A write is a `transition`: it gives events to
//! the protocol's state machines and carries out their effects.

mod backup;
mod checkpoint;
mod column;
mod connection;
mod contract;
mod order;
#[cfg(debug_assertions)]
mod plan;
mod read;
mod reader;
mod registry;
mod reissue;
mod restore;
mod revocation;
mod schema;
mod session;
mod signer;
mod source;
mod standing;
mod tidy;
mod touch;
mod transition;
mod writer;

use std::path::{Path, PathBuf};

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::time::Time;
use rusqlite::Connection;

use self::column::{all, execute};
use self::reader::Readers;
use self::touch::Touches;
use self::writer::Writer;
use super::backup::{BackedUp, Backup};
use super::change::{
    Actor, Attempt, Confirm, Delivery, Enroll, Import, ImportOutcome, LogOn, LoggedOn, NewContract,
    NewReissue, NewRequest, NewSubject, PinCheck, PlaceOrder, Placed, Reserve, Revoke, Signed,
    Undo,
};
use super::id::{ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId};
use super::outage::Condition;
use super::row::{
    ActiveSession, ContractLine, ContractRow, CrlRow, Holder, Integrity, OperatorRow, OrderRow,
    ReissueRow, RequestRow, Reserved, RevocationRow, SubjectRow, SupersededRow, Unfinished,
};
use super::{Failure, Read, Shown, Store, StoreError, Write};
use crate::audit::{AuditRecord, Chain, Export, Head, record_time};
pub use restore::{
    KnownBy, Lost, NamedCertificate, NamedContract, NamedSubject, Note, Restore, RestoreError,
    RestoreReport, Told, restore,
};
pub use source::{Source, SourceError};

/// As many connections read at once.
const READERS: usize = 4;

/// The store in one `SQLite` file.
pub struct Sqlite {
    path: PathBuf,
    // Closed before the writer, whose connection is then the last one and takes the log into the file.
    readers: Readers,
    writer: Writer,
    touches: Touches,
    condition: Condition,
}

impl Sqlite {
    /// Opens the file, making or migrating it where needed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::begin(path.into(), |_| Ok(()))
    }

    /// The same, to serve from: what a bank left whose disk failed is made durable first.
    pub fn open_to_serve(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::begin(path.into(), checkpoint::write_anew)
    }

    fn begin(
        path: PathBuf,
        prepare: impl FnOnce(&Connection) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let connection = connection::open(&path)?;
        backup::refuse_copy(&connection)?;
        prepare(&connection)?;
        let readers = Readers::open(&path, READERS)?;
        let condition = Condition::sound();
        let writer = Writer::start(connection, condition.clone())?;
        Ok(Self { path, readers, writer, touches: Touches::default(), condition })
    }

    /// Whether it can store.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finishes what was submitted and closes the file. Later writes are refused.
    pub fn close(&self) {
        self.writer.stop();
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Read<'_, T> {
        Box::pin(std::future::ready(self.condition.after(self.readers.read(read))))
    }

    fn write<T, F>(&self, change: F) -> Write<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Touches) -> Result<T, Failure> + Send + 'static,
    {
        let touches = self.touches.clone();
        self.writer.submit(move |connection| change(connection, &touches))
    }
}

/// Of the newest record of each chain. A loose scan: one seek for each chain, not one step for each record.
macro_rules! heads {
    ($columns:literal) => {
        concat!(
            "WITH RECURSIVE chains (chain) AS (
                SELECT min(chain) FROM audit
                UNION ALL
                SELECT (SELECT min(chain) FROM audit WHERE chain > chains.chain) FROM chains
                WHERE chains.chain IS NOT NULL
            )
            SELECT ",
            $columns,
            " FROM chains JOIN audit AS a ON a.chain = chains.chain
                AND a.sequence = (SELECT max(sequence) FROM audit WHERE chain = chains.chain)"
        )
    };
}

const AUDIT: &str = "
    SELECT sequence, record, hash FROM audit WHERE chain = ?1 AND sequence > ?2
    ORDER BY sequence LIMIT ?3";
const HEADS: &str = heads!("a.chain, a.sequence, a.hash");
const NEWEST_RECORDS: &str = heads!("a.record");

fn heads(connection: &Connection) -> Result<Vec<Head>, StoreError> {
    all(connection, HEADS, [], |row| {
        Ok(Head {
            chain: row.get(0)?,
            sequence: row.get::<_, i64>(1)?.unsigned_abs(),
            hash: row.get(2)?,
        })
    })
}

/// When the newest record of all chains was written. A record that cannot be read is for `audit verify` to find.
fn newest_record(connection: &Connection) -> Result<Option<Time>, StoreError> {
    let times = all(connection, NEWEST_RECORDS, [], |row| {
        Ok(row.get_ref("record")?.as_blob().ok().and_then(record_time))
    })?;
    Ok(times.into_iter().flatten().max())
}

impl Store for Sqlite {
    fn certificate_by_fingerprint(&self, fingerprint: Fingerprint) -> Read<'_, Option<Holder>> {
        self.read(|connection| {
            Ok(read::holder_by_fingerprint(connection, fingerprint)?.map(|held| held.holder))
        })
    }

    fn certificate(&self, certificate: &CertId) -> Read<'_, Option<Holder>> {
        self.read(|connection| {
            Ok(read::holder_by_cert_id(connection, certificate)?.map(|held| held.holder))
        })
    }

    fn session(&self, session: SessionId, now: Time) -> Read<'_, Option<ActiveSession>> {
        self.read(|connection| {
            let found = read::session(connection, session, &self.touches)?;
            let found = found.map(|(session, _)| session);
            Ok(found.filter(|session| !signer::active(session).over(now)))
        })
    }

    fn touch_session(&self, session: SessionId, now: Time) {
        self.touches.touch(session, now);
    }

    fn order(&self, order: OrderId) -> Read<'_, Option<OrderRow>> {
        self.read(|connection| read::order(connection, order))
    }

    fn order_by_key(&self, key: Thumbprint) -> Read<'_, Option<OrderRow>> {
        self.read(|connection| read::order_by_key(connection, key))
    }

    fn contract(
        &self,
        contract: ContractId,
        shown: Shown,
        now: Time,
    ) -> Read<'_, Option<ContractRow>> {
        let read = |connection: &Connection| contract::page(connection, contract, shown, now);
        Box::pin(std::future::ready(self.condition.after(self.readers.snapshot(read))))
    }

    fn contracts(&self) -> Read<'_, Vec<ContractLine>> {
        self.read(registry::contracts)
    }

    fn subject(&self, subject: SubjectId) -> Read<'_, Option<SubjectRow>> {
        self.read(|connection| read::subject(connection, subject))
    }

    fn reissue(&self, reissue: ReissueId) -> Read<'_, Option<ReissueRow>> {
        self.read(|connection| read::reissue(connection, reissue))
    }

    fn requests(&self) -> Read<'_, Vec<RequestRow>> {
        self.read(reissue::requests)
    }

    fn revocations(&self, issuer: Vec<u8>, unexpired_at: Time) -> Read<'_, Vec<RevocationRow>> {
        self.read(|connection| revocation::listed(connection, &issuer, unexpired_at))
    }

    fn superseded(&self, issuer: Vec<u8>, now: Time) -> Read<'_, Vec<SupersededRow>> {
        self.read(|connection| revocation::superseded(connection, &issuer, now))
    }

    fn latest_crl(&self, issuer: Vec<u8>) -> Read<'_, Option<CrlRow>> {
        self.read(|connection| revocation::latest(connection, &issuer))
    }

    fn operators(&self) -> Read<'_, Vec<OperatorRow>> {
        self.read(registry::operators)
    }

    fn operator_credential(&self, name: &str) -> Read<'_, Option<String>> {
        self.read(|connection| registry::credential(connection, name))
    }

    fn audit(&self, chain: Chain, after: u64, limit: u32) -> Read<'_, Vec<AuditRecord>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.read(|connection| {
            all(connection, AUDIT, rusqlite::params![chain, after, limit], |row| {
                Ok(AuditRecord {
                    sequence: row.get::<_, i64>(0)?.unsigned_abs(),
                    record: row.get(1)?,
                    hash: row.get(2)?,
                })
            })
        })
    }

    fn audit_heads(&self) -> Read<'_, Vec<Head>> {
        self.read(heads)
    }

    fn audit_export(&self, now: Time) -> Read<'_, Export> {
        let export = |connection: &Connection| standing::export(connection, now);
        Box::pin(std::future::ready(self.readers.snapshot(export)))
    }

    fn newest_record(&self) -> Read<'_, Option<Time>> {
        self.aside(newest_record)
    }

    fn integrity(&self) -> Read<'_, Integrity> {
        self.aside(backup::integrity)
    }

    fn backup(&self, backup: Backup) -> BackedUp<'_> {
        let path = self.path.clone();
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || backup::write(&path, backup));
            work.await.unwrap_or(Err(StoreError::Panicked.into()))
        })
    }

    fn begin_pin_attempt(&self, subject: SubjectId, now: Time) -> Write<'_, Attempt> {
        self.write(move |connection, _| registry::begin_pin_attempt(connection, subject, now))
    }

    fn pin_was_right(&self, subject: SubjectId, hash: String, now: Time) -> Write<'_, ()> {
        self.write(move |connection, _| registry::pin_was_right(connection, subject, &hash, now))
    }

    fn log_on(&self, log_on: LogOn, now: Time) -> Write<'_, LoggedOn> {
        self.write(move |connection, _| session::log_on(connection, &log_on, now))
    }

    fn log_off(&self, session: SessionId, now: Time) -> Write<'_, ()> {
        self.write(move |connection, touches| session::log_off(connection, touches, session, now))
    }

    fn defer(&self, session: SessionId, now: Time) -> Write<'_, ActiveSession> {
        self.write(move |connection, touches| session::defer(connection, touches, session, now))
    }

    fn place_order(&self, place: PlaceOrder, now: Time) -> Write<'_, Placed> {
        self.write(move |connection, touches| order::place(connection, touches, &place, now))
    }

    fn unfinished_orders(&self, limit: u32, lease: Time, now: Time) -> Write<'_, Vec<Unfinished>> {
        self.write(move |connection, _| order::take_unfinished(connection, limit, lease, now))
    }

    fn reserve_signing(&self, reserve: Reserve, now: Time) -> Write<'_, Reserved> {
        self.write(move |connection, _| order::reserve(connection, &reserve, now))
    }

    fn issued(&self, order: OrderId, signed: Signed, now: Time) -> Write<'_, Delivery> {
        self.write(move |connection, _| order::issued(connection, order, &signed, now))
    }

    fn issue_failed(&self, order: OrderId, reason: String, now: Time) -> Write<'_, OrderRow> {
        self.write(move |connection, _| order::issue_failed(connection, order, &reason, now))
    }

    fn cancel_order(&self, undo: Undo, now: Time) -> Write<'_, OrderRow> {
        self.write(move |connection, touches| order::cancel(connection, touches, undo, now))
    }

    fn confirm_order(&self, confirm: Confirm, now: Time) -> Write<'_, OrderRow> {
        self.write(move |connection, _| order::confirm(connection, confirm, now))
    }

    fn roll_back(&self, undo: Undo, now: Time) -> Write<'_, OrderRow> {
        self.write(move |connection, touches| order::roll_back(connection, touches, undo, now))
    }

    fn tidy_up(&self, limit: u32, now: Time) -> Write<'_, u32> {
        let touched = self.touches.take();
        let writing = touched.clone();
        let change =
            self.write(move |connection, _| tidy::tidy_up(connection, &writing, limit, now));
        Box::pin(async move {
            let forgotten = change.await?;
            self.touches.written(&touched);
            Ok(forgotten)
        })
    }

    fn open_reissue(
        &self,
        reissue: NewReissue,
        by: Actor,
        now: Time,
    ) -> Write<'_, (ReissueRow, bool)> {
        self.write(move |connection, touches| {
            reissue::open(connection, touches, &reissue, &by, now)
        })
    }

    fn cancel_reissue(&self, reissue: ReissueId, by: Actor, now: Time) -> Write<'_, ReissueRow> {
        self.write(move |connection, touches| {
            reissue::cancel(connection, touches, reissue, &by, now)
        })
    }

    fn enroll(&self, enroll: Enroll, now: Time) -> Write<'_, Placed> {
        self.write(move |connection, _| reissue::enroll(connection, &enroll, now))
    }

    fn request_reissue(
        &self,
        request: NewRequest,
        maker: String,
        now: Time,
    ) -> Write<'_, RequestRow> {
        self.write(move |connection, _| reissue::request(connection, &request, &maker, now))
    }

    fn approve_reissue(
        &self,
        request: RequestId,
        reissue: NewReissue,
        checker: String,
        now: Time,
    ) -> Write<'_, ReissueRow> {
        self.write(move |connection, _| {
            reissue::approve(connection, request, &reissue, &checker, now)
        })
    }

    fn unlock(&self, subject: SubjectId, by: Actor, now: Time) -> Write<'_, ()> {
        self.write(move |connection, touches| {
            registry::unlock(connection, touches, subject, &by, now)
        })
    }

    fn set_pin_hash(
        &self,
        subject: SubjectId,
        hash: String,
        old: PinCheck,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()> {
        self.write(move |connection, touches| {
            registry::set_pin_hash(connection, touches, subject, &hash, &old, &by, now)
        })
    }

    fn revoke(&self, revoke: Revoke, by: Actor, now: Time) -> Write<'_, Vec<CertId>> {
        self.write(move |connection, touches| {
            revocation::revoke(connection, touches, &revoke, &by, now)
        })
    }

    fn next_crl_number(&self, issuer: Vec<u8>, _now: Time) -> Write<'_, u64> {
        self.write(move |connection, _| revocation::next_number(connection, &issuer))
    }

    fn publish_crl(&self, issuer: Vec<u8>, crl: CrlRow) -> Write<'_, ()> {
        self.write(move |connection, _| revocation::publish(connection, &issuer, &crl))
    }

    fn add_operator(
        &self,
        name: String,
        credential_hash: String,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()> {
        self.write(move |connection, _| {
            registry::add_operator(connection, &name, &credential_hash, &by, now)
        })
    }

    fn operator_refused(&self, name: String, now: Time) -> Write<'_, ()> {
        self.write(move |connection, _| registry::operator_refused(connection, name, now))
    }

    fn disable_operator(&self, name: String, by: Actor, now: Time) -> Write<'_, ()> {
        self.write(move |connection, _| registry::disable_operator(connection, &name, &by, now))
    }

    fn add_contract(&self, contract: NewContract, by: Actor, now: Time) -> Write<'_, ()> {
        self.write(move |connection, _| registry::add_contract(connection, &contract, &by, now))
    }

    fn add_subject(&self, subject: NewSubject, by: Actor, now: Time) -> Write<'_, SubjectRow> {
        self.write(move |connection, _| registry::add_subject(connection, &subject, &by, now))
    }

    fn set_subject_disabled(
        &self,
        subject: SubjectId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()> {
        self.write(move |connection, _| {
            registry::set_subject_disabled(connection, subject, disabled, &by, now)
        })
    }

    fn set_contract_disabled(
        &self,
        contract: ContractId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()> {
        self.write(move |connection, _| {
            registry::set_contract_disabled(connection, contract, disabled, &by, now)
        })
    }

    fn import_certificates(
        &self,
        imports: Vec<Import>,
        dry_run: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, Vec<ImportOutcome>> {
        self.write(move |connection, _| {
            if !dry_run {
                return registry::import(connection, &imports, &by, now);
            }
            execute(connection, "SAVEPOINT dry_run", [])?;
            let outcomes = registry::import(connection, &imports, &by, now);
            execute(connection, "ROLLBACK TO dry_run", [])?;
            execute(connection, "RELEASE dry_run", [])?;
            outcomes
        })
    }
}

impl Sqlite {
    /// Slow reads: on a thread and a connection of their own.
    fn aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Read<'_, T> {
        let path = self.path.clone();
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || read(&Connection::open(path)?));
            work.await.unwrap_or(Err(StoreError::Panicked))
        })
    }
}
