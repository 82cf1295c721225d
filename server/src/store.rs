//! The bank's memory. Each method is one atomic transition; nobody outside reads, thinks and writes
//! back across two (SPEC.md 10; the invariants hold at every commit).
//!
//! [`sqlite::Sqlite`] keeps everything in one file beside the bank. Another database fits beside it,
//! since no method shows which one it is: ids and times come in, rows and refusals come out.
//!
//! Every write that changes a state appends its audit record in the same transaction, and answers only
//! when the commit is durable. A refused write changes nothing, with one exception that says so:
//! [`Store::issued`].
//!
//! Dropping the future of a write before it is ready does not undo it.

pub mod backup;
pub mod change;
pub mod encryption;
pub mod id;
pub mod latest_crl;
pub mod outage;
mod private;
mod refused;
pub mod row;
pub mod sqlite;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use koshin_protocol::cert_id::CertId;
use koshin_protocol::jwk::Thumbprint;
use koshin_protocol::time::Time;
use thiserror::Error;

use crate::audit::{AuditRecord, Chain, Export, Head};
use backup::{BackedUp, Backup};
use change::{
    Actor, Attempt, Confirm, Delivery, Enroll, Import, ImportOutcome, LogOn, LoggedOn, NewContract,
    NewReissue, NewRequest, NewSubject, PinCheck, PlaceOrder, Placed, Reserve, Revoke, Signed,
    Undo,
};
use id::{ContractId, Fingerprint, OrderId, ReissueId, RequestId, SessionId, SubjectId};
use outage::Outage;
pub use refused::{OperatorRefused, OrderRefused, Refused};
use row::{
    ActiveSession, ContractLine, ContractRow, CrlRow, Holder, Integrity, OperatorRow, OrderRow,
    ReissueRow, RequestRow, Reserved, RevocationRow, SubjectRow, SupersededRow, Unfinished,
};

/// How many wrong PINs in a row lock it.
pub const PIN_ATTEMPTS: u32 = 5;

/// Which subjects a page of a contract shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One of them.
    One(SubjectId),
    /// Up to so many, by name: the first ones, or those that follow a subject. Names never change, so whoever is added
    /// meanwhile, nobody is left out or comes twice (CTR-06).
    Some {
        /// Whom they follow.
        after: Option<SubjectId>,
        /// How many at most.
        most: u32,
    },
}

/// What a read answers.
pub type Read<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What a write answers, once it is durable.
pub type Write<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The rules forbid it.
    Refused(Box<Refused>),
    /// The store could not. Whether it happened is not known to the requester, who asks again.
    Fault(StoreError),
}

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
    /// Nothing can be stored, whatever it is.
    #[error(transparent)]
    Outage(#[from] Outage),
    /// The writer has stopped, after an outage or because the store is being closed: nothing more
    /// is accepted until the bank starts again.
    #[error("the store has stopped writing; see the log, then start the bank again")]
    Stopped,
    /// The file is of a newer version of this program.
    #[error("the database has schema version {found}, this program knows {known} at most")]
    Newer {
        /// The file's.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
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

/// Everything that the bank remembers.
pub trait Store: Send + Sync {
    /// The certificate with this fingerprint, and all that an authentication decides on.
    fn certificate_by_fingerprint(&self, fingerprint: Fingerprint) -> Read<'_, Option<Holder>>;

    /// The certificate with this certID, likewise.
    fn certificate(&self, certificate: &CertId) -> Read<'_, Option<Holder>>;

    /// The session, if it has not ended. Counts as no use of it: see [`Store::touch_session`].
    fn session(&self, session: SessionId, now: Time) -> Read<'_, Option<ActiveSession>>;

    /// Begins the session's idle time anew. Takes effect at once and becomes durable with a later
    /// commit: a crash may let a session end early, never late.
    fn touch_session(&self, session: SessionId, now: Time);

    /// The order.
    fn order(&self, order: OrderId) -> Read<'_, Option<OrderRow>>;

    /// The order whose CSR has this key.
    fn order_by_key(&self, key: Thumbprint) -> Read<'_, Option<OrderRow>>;

    /// A page of the contract's status. `None`: there is no such contract, or the subject that the page is about is none of it.
    fn contract(
        &self,
        contract: ContractId,
        shown: Shown,
        now: Time,
    ) -> Read<'_, Option<ContractRow>>;

    /// Every contract, by name.
    fn contracts(&self) -> Read<'_, Vec<ContractLine>>;

    /// A subject.
    fn subject(&self, subject: SubjectId) -> Read<'_, Option<SubjectRow>>;

    /// A reissue. Its `expires` is not compared with any clock here.
    fn reissue(&self, reissue: ReissueId) -> Read<'_, Option<ReissueRow>>;

    /// The operators' requests for reissues that wait for a checker, oldest first.
    fn requests(&self) -> Read<'_, Vec<RequestRow>>;

    /// What the CRL of the issuer with this key identifier (first part of its certIDs) lists:
    /// everything revoked that had not expired at `unexpired_at`.
    fn revocations(&self, issuer: Vec<u8>, unexpired_at: Time) -> Read<'_, Vec<RevocationRow>>;

    /// The issuer's certificates that were superseded, had not expired at `now`, and cannot be restored any more: what
    /// policy may have the CRL list besides.
    fn superseded(&self, issuer: Vec<u8>, now: Time) -> Read<'_, Vec<SupersededRow>>;

    /// The CRL last published for the issuer.
    fn latest_crl(&self, issuer: Vec<u8>) -> Read<'_, Option<CrlRow>>;

    /// Every operator, by name.
    fn operators(&self) -> Read<'_, Vec<OperatorRow>>;

    /// The hash of an enabled operator's credential.
    fn operator_credential(&self, name: &str) -> Read<'_, Option<String>>;

    /// Up to `limit` records of a chain with a sequence number above `after`, in order.
    fn audit(&self, chain: Chain, after: u64, limit: u32) -> Read<'_, Vec<AuditRecord>>;

    /// The newest record of each chain.
    fn audit_heads(&self) -> Read<'_, Vec<Head>>;

    /// The same, with what a restore needs besides, all of it as it was at one commit.
    fn audit_export(&self, now: Time) -> Read<'_, Export>;

    /// When the newest record of all chains was written, by the clock of then; `None` if there is no record.
    fn newest_record(&self) -> Read<'_, Option<Time>>;

    /// Checks the whole file. Slow.
    fn integrity(&self) -> Read<'_, Integrity>;

    /// Writes a consistent copy to a new file while the bank goes on.
    ///
    /// Dropping the future does not end it; whoever watches its progress can.
    fn backup(&self, backup: Backup) -> BackedUp<'_>;

    /// Counts a PIN attempt, durably, before its hash is verified: parallel guesses cannot exceed
    /// [`PIN_ATTEMPTS`]. Refused: `PinLocked`.
    fn begin_pin_attempt(&self, subject: SubjectId, now: Time) -> Write<'_, Attempt>;

    /// Starts the count of wrong PINs anew: the PIN fitted this hash, and the transition that would have
    /// done so was refused. Changes nothing where another PIN was set meanwhile.
    fn pin_was_right(&self, subject: SubjectId, hash: String, now: Time) -> Write<'_, ()>;

    /// Logs on: ends the former session of the same certificate. The first logon with an unconfirmed
    /// successor confirms its order.
    fn log_on(&self, log_on: LogOn, now: Time) -> Write<'_, LoggedOn>;

    /// Ends the session.
    fn log_off(&self, session: SessionId, now: Time) -> Write<'_, ()>;

    /// Records that the renewal of the session's certificate is put off.
    fn defer(&self, session: SessionId, now: Time) -> Write<'_, ActiveSession>;

    /// Places a renewal order. The same key for the same certificate gives the same order.
    fn place_order(&self, place: PlaceOrder, now: Time) -> Write<'_, Placed>;

    /// Takes up to `limit` orders in `processing` that nobody works on, for this caller to issue
    /// until `lease`.
    fn unfinished_orders(&self, limit: u32, lease: Time, now: Time) -> Write<'_, Vec<Unfinished>>;

    /// Stores what a slow CA is about to be asked to sign; the answer is what was stored first and is
    /// to be signed. Refused once the order is not `processing`.
    fn reserve_signing(&self, reserve: Reserve, now: Time) -> Write<'_, Reserved>;

    /// Hands in a CA's certificate. Stored if the order is still `processing`, revoked if it ended,
    /// thrown away if the order has its certificate.
    fn issued(&self, order: OrderId, signed: Signed, now: Time) -> Write<'_, Delivery>;

    /// The CA refused for good.
    fn issue_failed(&self, order: OrderId, reason: String, now: Time) -> Write<'_, OrderRow>;

    /// Cancels an open order of the session's subject.
    fn cancel_order(&self, undo: Undo, now: Time) -> Write<'_, OrderRow>;

    /// Completes the order: the successor is current, the predecessor superseded.
    fn confirm_order(&self, confirm: Confirm, now: Time) -> Write<'_, OrderRow>;

    /// Goes back to the predecessor, by a recovery session of it.
    fn roll_back(&self, undo: Undo, now: Time) -> Write<'_, OrderRow>;

    /// Tidies up: writes down when sessions were last used, and forgets at most `limit` sessions that
    /// have been over for a day; the answer is how many. That a time has passed is written nowhere
    /// (SPEC.md 10.5), so nothing depends on whether this runs.
    fn tidy_up(&self, limit: u32, now: Time) -> Write<'_, u32>;

    /// Opens a reissue. The same id with the same content gives the same one, with `false`.
    fn open_reissue(
        &self,
        reissue: NewReissue,
        by: Actor,
        now: Time,
    ) -> Write<'_, (ReissueRow, bool)>;

    /// Cancels a reissue.
    fn cancel_reissue(&self, reissue: ReissueId, by: Actor, now: Time) -> Write<'_, ReissueRow>;

    /// Redeems an enrollment code. The same key gives the same order.
    fn enroll(&self, enroll: Enroll, now: Time) -> Write<'_, Placed>;

    /// Requests a reissue for an administrator, or a first enrollment: the maker.
    fn request_reissue(
        &self,
        request: NewRequest,
        maker: String,
        now: Time,
    ) -> Write<'_, RequestRow>;

    /// Approves a request and opens its reissue: the checker, who is not the maker.
    fn approve_reissue(
        &self,
        request: RequestId,
        reissue: NewReissue,
        checker: String,
        now: Time,
    ) -> Write<'_, ReissueRow>;

    /// Lets a subject's PIN be tried again.
    fn unlock(&self, subject: SubjectId, by: Actor, now: Time) -> Write<'_, ()>;

    /// Sets a PIN. With a session, the old one's hash must be the one that was verified.
    fn set_pin_hash(
        &self,
        subject: SubjectId,
        hash: String,
        old: PinCheck,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()>;

    /// Revokes a certificate; idempotent. The answer names everything revoked by or before this.
    fn revoke(&self, revoke: Revoke, by: Actor, now: Time) -> Write<'_, Vec<CertId>>;

    /// Takes the next CRL number of an issuer. Numbers are never given twice.
    fn next_crl_number(&self, issuer: Vec<u8>, now: Time) -> Write<'_, u64>;

    /// Keeps a CRL as the one to hand out, unless a newer one is kept.
    fn publish_crl(&self, issuer: Vec<u8>, crl: CrlRow) -> Write<'_, ()>;

    /// Adds an operator with the hash of a credential.
    fn add_operator(
        &self,
        name: String,
        credential_hash: String,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()>;

    /// Writes into the audit that somebody called themselves this operator and did not prove it.
    fn operator_refused(&self, name: String, now: Time) -> Write<'_, ()>;

    /// Disables an operator, for ever: the audit's names stay unambiguous.
    fn disable_operator(&self, name: String, by: Actor, now: Time) -> Write<'_, ()>;

    /// Adds a contract; the same again changes nothing.
    fn add_contract(&self, contract: NewContract, by: Actor, now: Time) -> Write<'_, ()>;

    /// Adds a subject.
    fn add_subject(&self, subject: NewSubject, by: Actor, now: Time) -> Write<'_, SubjectRow>;

    /// Disables or enables a subject. Everything that its certificates sign is refused meanwhile.
    fn set_subject_disabled(
        &self,
        subject: SubjectId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()>;

    /// Disables or enables a contract, and with it all its subjects.
    fn set_contract_disabled(
        &self,
        contract: ContractId,
        disabled: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, ()>;

    /// Takes in certificates, each for itself; repeatable. A dry run changes nothing and answers the
    /// same.
    fn import_certificates(
        &self,
        imports: Vec<Import>,
        dry_run: bool,
        by: Actor,
        now: Time,
    ) -> Write<'_, Vec<ImportOutcome>>;
}

impl StoreError {
    /// Whether this is met by whatever is asked for, and told by the store's [`outage::Condition`] already.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Outage(_) | Self::Stopped => true,
            Self::Database(_)
            | Self::Corrupt(_)
            | Self::Panicked
            | Self::Newer { .. }
            | Self::Backup
            | Self::Open { .. } => false,
        }
    }
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
