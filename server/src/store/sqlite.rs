//! The embedded store: one `SQLite` file in WAL mode, flushed at every commit.
//!
//! One thread writes and shares each flush among all who wait (`writer`); reads are done where they are asked for, on
//! connections of their own (`reader`).

mod audit;
mod backup;
mod commit;
mod crl;
mod name;
#[cfg(debug_assertions)]
mod plan;
mod read;
mod reader;
mod schema;
mod statement;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use koshin_protocol::time::Time;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use self::reader::Readers;
use self::statement::{integer, one};
use self::writer::Writer;
use super::crl::{CrlRow, ImportedRevocation, RevocationRow, SupersededRow};
use super::ids::Ids;
use super::{
    By, Commit, Committed, Contract, Integrity, Loaded, Read, Request, Staff, Store, StoreError,
    Write,
};
use crate::audit::{AuditRecord, Chain, Head};
use crate::id::{ContractId, OrderId, RequestId};
use crate::rule::subject::Chapter;
pub use backup::operator_credential_in;

/// As many connections read at once.
const READERS: usize = 4;

/// Pages of the log after which they are copied into the file: 16 MB. A page that many commits change in the meantime is
/// copied once.
const CHECKPOINT: u32 = 4096;

/// The store in one `SQLite` file.
pub struct Sqlite {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    ids: Arc<Ids>,
}

impl Sqlite {
    /// Opens the file, making it where needed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let connection = open(&path)?;
        backup::refuse_copy(&connection)?;
        let key = one(&connection, "SELECT id_key FROM bank", [], |row| row.get(0))?;
        let key = key.ok_or_else(|| StoreError::Corrupt("the bank has no key".to_owned()))?;
        let readers = Readers::open(&path, READERS)?;
        let writer = Writer::start(connection)?;
        Ok(Self { path, writer, readers, ids: Arc::new(Ids::new(&key)) })
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
        Box::pin(std::future::ready(self.readers.read(read)))
    }

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

fn open(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::Open {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    configure(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    schema::prepare(&mut connection)?;
    Ok(connection)
}

/// What every connection is told.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(128);
    // Plans do not depend on what is bound. Without this a statement that a partial index could serve is compiled anew at
    // each use, which takes longer than all else that a request does.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;
         PRAGMA busy_timeout = 10000; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(())
}

const NUMBERS: &str = "UPDATE bank SET next = next + ?1 RETURNING next - ?1";

impl Store for Sqlite {
    fn ids(&self) -> Arc<Ids> {
        Arc::clone(&self.ids)
    }

    fn load(&self, by: By) -> Read<'_, Option<Loaded>> {
        self.read(|connection| read::load(connection, &by))
    }

    fn subjects(&self, contract: ContractId, after: u64, limit: u32) -> Read<'_, Vec<Loaded>> {
        self.aside(move |connection| read::subjects(connection, contract, after, limit))
    }

    fn waiting(&self, limit: u32) -> Read<'_, Vec<(u64, OrderId)>> {
        self.read(|connection| read::waiting(connection, limit))
    }

    fn chapter(&self, number: u64) -> Read<'_, Option<Chapter>> {
        self.read(|connection| read::chapter(connection, number))
    }

    fn certificate(&self, number: u64) -> Read<'_, Option<Arc<[u8]>>> {
        self.read(|connection| read::certificate(connection, number))
    }

    fn contract(&self, id: ContractId) -> Read<'_, Option<(Contract, u64)>> {
        self.read(|connection| read::contract(connection, id))
    }

    fn contracts(&self) -> Read<'_, Vec<(Contract, u64)>> {
        self.aside(read::contracts)
    }

    fn staff(&self) -> Read<'_, (Staff, u64)> {
        self.read(read::staff)
    }

    fn request(&self, id: RequestId) -> Read<'_, Option<Request>> {
        self.read(|connection| read::request(connection, id))
    }

    fn requests(&self) -> Read<'_, Vec<Request>> {
        self.aside(read::requests)
    }

    fn revocations(&self, issuer: Vec<u8>, unexpired_at: Time) -> Read<'_, Vec<RevocationRow>> {
        self.aside(move |connection| crl::revocations(connection, &issuer, unexpired_at))
    }

    fn imported_revocations(&self, unexpired_at: Time) -> Read<'_, Vec<ImportedRevocation>> {
        self.aside(move |connection| crl::imported_revocations(connection, unexpired_at))
    }

    fn superseded(&self, issuer: Vec<u8>, now: Time) -> Read<'_, Vec<SupersededRow>> {
        self.aside(move |connection| crl::superseded(connection, &issuer, now))
    }

    fn latest_crl(&self, issuer: Vec<u8>) -> Read<'_, Option<CrlRow>> {
        self.read(|connection| crl::latest(connection, &issuer))
    }

    fn audit(&self, chain: Chain, after: u64, limit: u32) -> Read<'_, Vec<AuditRecord>> {
        match chain {
            Chain::Bank => self.aside(move |connection| audit::records(connection, after, limit)),
        }
    }

    fn audit_heads(&self) -> Read<'_, Vec<Head>> {
        self.read(|connection| Ok(audit::newest(connection)?.into_iter().collect()))
    }

    fn integrity(&self) -> Read<'_, Integrity> {
        self.aside(backup::integrity)
    }

    fn backup(&self, path: PathBuf) -> Read<'_, ()> {
        self.aside(move |connection| backup::write(connection, &path))
    }

    fn numbers(&self, count: u32) -> Write<'_, u64> {
        self.writer.submit(move |connection, _| {
            let first = one(connection, NUMBERS, [count], |row| row.get::<_, i64>(0))?;
            let missing = || StoreError::Corrupt("the bank's own row is missing".to_owned());
            first.map(i64::unsigned_abs).ok_or_else(missing)
        })
    }

    fn commit(&self, commit: Commit) -> Write<'_, Committed> {
        self.writer.submit(move |connection, records| commit::write(connection, &commit, records))
    }

    fn next_crl_number(&self, issuer: Vec<u8>) -> Write<'_, u64> {
        self.writer.submit(move |connection, _| crl::next_number(connection, &issuer))
    }

    fn publish_crl(&self, issuer: Vec<u8>, row: CrlRow) -> Write<'_, ()> {
        debug_assert!(integer(row.number) > 0, "numbers are given from 1");
        self.writer.submit(move |connection, _| crl::publish(connection, &issuer, &row))
    }
}
