//! The bank's memory: loads, commits and scans. It knows no rule.
//!
//! A subject is loaded whole and written whole ([`crate::rule::subject::Subject`]); a commit says which version of it was
//! judged, and is refused as a [`Committed::Conflict`] if that is not the newest any more. What must be unique in the
//! whole bank, the [`Name`]s, is unique here. [`crate::registry::Registry`] loads, judges and commits.
//!
//! A commit answers only when it is durable, and its audit record with it. Dropping its future before it is ready does
//! not undo it.

pub mod crl;
pub mod ids;
pub mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use koshin_protocol::time::Time;
use thiserror::Error;

use crate::audit::{AuditRecord, Chain, Entry, Head};
use crate::id::{ContractId, OrderId, RequestId};
use crate::rule::subject::{Chapter, Subject};
use crate::rule::transition::Rows;
use crate::rule::{Known, Name};
pub use contract::{Approval, Contract, Operator, Request, Staff};
use crl::{CrlRow, ImportedRevocation, RevocationRow, SupersededRow};

mod contract;

/// What a read answers.
pub type Read<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a write answers, once it is durable.
pub type Write<'a, T> = Read<'a, T>;

/// A fault of the store itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database reported an error.
    #[error("the database failed: {0}")]
    Database(String),
    /// What the database holds breaks the store's own rules.
    #[error("the database holds what it must not hold: {0}")]
    Corrupt(String),
    /// A change panicked and was undone.
    #[error("a change panicked and was undone")]
    Panicked,
    /// The writer has stopped, after a disk error or because the store is being closed: nothing more is accepted until
    /// the bank starts again.
    #[error("the store has stopped writing; see the log, then start the bank again")]
    Stopped,
    /// A subject is changed by others again and again.
    #[error("the subject is being changed by others all the time")]
    Contended,
    /// The file is of a newer version of this program.
    #[error("the database has schema version {found}, this program knows {known} at most")]
    Version {
        /// The file's.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// The file is another program's, or of Koshin before its first release.
    #[error(
        "this is not a database of this program: one of before the first release cannot be taken over, \
         so make a new bank and import the certificates again"
    )]
    Foreign,
    /// The file is a backup: it may not know of revocations that were published since.
    #[error("this is a backup; restore it first, with the latest CRL and the exported audit heads")]
    Backup,
    /// The file cannot be opened or made.
    #[error("cannot open {path}: {reason}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A subject as it is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its row.
    pub number: u64,
    /// How often it was written.
    pub version: u64,
    /// The subject, and whether its contract is disabled.
    pub known: Known,
}

/// What finds a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Its row.
    Number(u64),
    /// A name that it took.
    Name(Name),
}

/// What is written in one commit, with one audit entry: one object changes its version, rows are added beside it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// What is written.
    pub put: Put,
    /// What must still hold for it.
    pub holds: Vec<Holds>,
    /// What the audit says of it.
    pub entry: Entry,
    /// The bank's time.
    pub now: Time,
}

/// An object with its new content.
#[derive(Clone, Debug)]
pub enum Put {
    /// A subject.
    Subject(Box<PutSubject>),
    /// A contract; `expected` is the version that was judged, 0 for a new one.
    Contract {
        /// It.
        contract: Contract,
        /// The version that it replaces.
        expected: u64,
    },
    /// The list of operators.
    Staff {
        /// All of them.
        staff: Staff,
        /// The version that it replaces.
        expected: u64,
    },
    /// A request that waits for a checker.
    Request(Request),
    /// Nothing but the audit entry.
    Nothing,
}

/// A subject with its new content, and what is added beside it.
#[derive(Clone, Debug)]
pub struct PutSubject {
    /// Its row.
    pub number: u64,
    /// The version that was judged; 0 for a new subject.
    pub expected: u64,
    /// It.
    pub subject: Subject,
    /// A chapter of what has ended, and its number.
    pub chapter: Option<(u64, Chapter)>,
    /// Rows that it adds.
    pub rows: Rows,
    /// Whether it has an order to be issued, where that changed.
    pub waiting: Option<Option<OrderId>>,
    /// A request that is approved by this.
    pub approved: Option<Request>,
}

/// A condition of a commit besides the version of what it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A subject still has this version: the administrator whose word it is.
    Subject {
        /// Its row.
        number: u64,
        /// The version.
        version: u64,
    },
    /// The list of operators still has this version.
    Staff(u64),
    /// The contract exists.
    Contract(ContractId),
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is durable.
    Done,
    /// A version is not the newest any more: load and judge again.
    Conflict,
    /// A name is another's.
    Taken(Name),
}

/// Everything that the bank remembers.
pub trait Store: Send + Sync {
    /// What makes ids that name their subject.
    fn ids(&self) -> Arc<ids::Ids>;

    /// A subject.
    fn load(&self, by: By) -> Read<'_, Option<Loaded>>;

    /// Up to `limit` subjects of a contract whose row is above `after`, in the order of their rows.
    fn subjects(&self, contract: ContractId, after: u64, limit: u32) -> Read<'_, Vec<Loaded>>;

    /// Up to `limit` subjects with an order to be issued.
    fn waiting(&self, limit: u32) -> Read<'_, Vec<(u64, OrderId)>>;

    /// A chapter of what has ended of a subject.
    fn chapter(&self, number: u64) -> Read<'_, Option<Chapter>>;

    /// The DER of a certificate.
    fn certificate(&self, number: u64) -> Read<'_, Option<Arc<[u8]>>>;

    /// A contract with its version.
    fn contract(&self, id: ContractId) -> Read<'_, Option<(Contract, u64)>>;

    /// Every contract, by name, with how many subjects it has.
    fn contracts(&self) -> Read<'_, Vec<(Contract, u64)>>;

    /// The operators, and the list's version.
    fn staff(&self) -> Read<'_, (Staff, u64)>;

    /// A request.
    fn request(&self, id: RequestId) -> Read<'_, Option<Request>>;

    /// The requests that wait for a checker, oldest first.
    fn requests(&self) -> Read<'_, Vec<Request>>;

    /// What the CRL of the issuer with this key identifier (first part of its certIDs) lists: everything revoked that had
    /// not expired at `unexpired_at`.
    fn revocations(&self, issuer: Vec<u8>, unexpired_at: Time) -> Read<'_, Vec<RevocationRow>>;

    /// What was revoked, had not expired at `unexpired_at`, and was imported.
    fn imported_revocations(&self, unexpired_at: Time) -> Read<'_, Vec<ImportedRevocation>>;

    /// The issuer's certificates that were superseded, had not expired at `now`, and cannot be restored any more.
    fn superseded(&self, issuer: Vec<u8>, now: Time) -> Read<'_, Vec<SupersededRow>>;

    /// The CRL last published for the issuer.
    fn latest_crl(&self, issuer: Vec<u8>) -> Read<'_, Option<CrlRow>>;

    /// Up to `limit` audit records of a chain with a sequence number above `after`, in order.
    fn audit(&self, chain: Chain, after: u64, limit: u32) -> Read<'_, Vec<AuditRecord>>;

    /// The newest record of each chain.
    fn audit_heads(&self) -> Read<'_, Vec<Head>>;

    /// Checks the whole file, and that the registry is what the audit says. Slow.
    fn integrity(&self) -> Read<'_, Integrity>;

    /// Writes a consistent copy to a new file while the bank goes on.
    fn backup(&self, path: PathBuf) -> Read<'_, ()>;

    /// Takes `count` numbers for rows, the first of which is answered. Numbers are never given twice.
    fn numbers(&self, count: u32) -> Write<'_, u64>;

    /// Writes.
    fn commit(&self, commit: Commit) -> Write<'_, Committed>;

    /// Takes the next CRL number of an issuer. Numbers are never given twice.
    fn next_crl_number(&self, issuer: Vec<u8>) -> Write<'_, u64>;

    /// Keeps a CRL as the one to hand out, unless a newer one is kept.
    fn publish_crl(&self, issuer: Vec<u8>, crl: CrlRow) -> Write<'_, ()>;
}

/// Whether the file is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// What the database's own check found; empty if sound.
    pub findings: Vec<String>,
    /// The schema's version.
    pub version: u32,
}
