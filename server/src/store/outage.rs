//! When nothing can be stored, whatever is asked for: a full disk, a failed one, a damaged database.
//!
//! | outage | what becomes of the bank |
//! |---|---|
//! | [`Outage::Full`], [`Outage::Locked`] | goes on by itself once it has passed; until then it is not ready, and refuses what it would have to store |
//! | every other one | answers what is under way and ends: only a new start reads the file anew |
//!
//! The store says so once, in its log, and in its [`Condition`]; requests that meet it are refused and not logged.

use std::sync::Arc;

use rusqlite::{ErrorCode, ffi};
use thiserror::Error;
use tokio::sync::watch;

use super::StoreError;

/// Why nothing can be stored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Outage {
    /// The disk has no room.
    #[error("the disk is full")]
    Full,
    /// Another process has held the database's lock for longer than the store waits.
    #[error("another process keeps the database locked")]
    Locked,
    /// The disk did not read, write or flush. After a failed flush the kernel may forget what was not written: trying again
    /// could succeed without the data.
    #[error("the disk failed: {0}")]
    Disk(String),
    /// The database may not be written any more: its disk was mounted read-only, or the file was moved away.
    #[error("the database may not be written: {0}")]
    ReadOnly(String),
    /// The database is not what was written. A new start does not help.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The thread that writes ended by a fault of the program.
    #[error("the thread that writes panicked")]
    Panicked,
}

impl Outage {
    /// What is in the way of every other change as well, of an error that one of them met.
    pub(super) fn of(error: &rusqlite::Error) -> Option<Self> {
        let code = error.sqlite_error()?;
        let reason = || format!("{error} (SQLite's code {})", code.extended_code);
        match (code.code, code.extended_code) {
            // SQLite tells of the log's index so, and of nothing else.
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Some(Self::Full),
            (_, ffi::SQLITE_IOERR_NOMEM) => None,
            (
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed,
                _,
            ) => Some(Self::Locked),
            (ErrorCode::SystemIoFailure, _) => Some(Self::Disk(reason())),
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => {
                Some(Self::ReadOnly(reason()))
            }
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
                Some(Self::Damaged(reason()))
            }
            _ => None,
        }
    }

    /// Whether the store goes on by itself once it is over; else only a new start does.
    pub fn passes(&self) -> bool {
        match self {
            Self::Full | Self::Locked => true,
            Self::Disk(_) | Self::ReadOnly(_) | Self::Damaged(_) | Self::Panicked => false,
        }
    }

    /// One word for it, as metrics say it.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Locked => "locked",
            Self::Disk(_) => "disk",
            Self::ReadOnly(_) => "readOnly",
            Self::Damaged(_) => "damaged",
            Self::Panicked => "panicked",
        }
    }
}

/// Whether a store can store, as it last found out. Clones tell of the same store.
#[derive(Clone, Debug)]
pub struct Condition(Arc<watch::Sender<Option<Outage>>>);

impl Condition {
    pub(super) fn sound() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The outage that lasts now.
    pub fn outage(&self) -> Option<Outage> {
        self.0.borrow().clone()
    }

    /// The outage that lasts until a new start, if there is one.
    pub fn failure(&self) -> Option<Outage> {
        self.outage().filter(|outage| !outage.passes())
    }

    /// Ready once the store has failed for good. Cancel-safe.
    pub async fn failed(&self) -> Outage {
        let mut changes = self.0.subscribe();
        let failed = |now: &Option<Outage>| now.as_ref().is_some_and(|outage| !outage.passes());
        let now = changes.wait_for(failed).await.expect("this holds the sender");
        now.clone().expect("it was waited for")
    }

    /// Learns of each change; what comes and goes in between may be missed.
    pub fn changes(&self) -> watch::Receiver<Option<Outage>> {
        self.0.subscribe()
    }

    /// Something met this outage. What lasts until a new start is not replaced.
    pub(super) fn met(&self, outage: &Outage) {
        let is_new = self.0.send_if_modified(|now| {
            let stays = now.as_ref().is_some_and(|now| !now.passes() || now == outage);
            if !stays {
                *now = Some(outage.clone());
            }
            !stays
        });
        match (is_new, outage.passes()) {
            (true, true) => tracing::error!(
                cause = outage.cause(),
                "nothing can be stored: {outage}; the bank goes on by itself when that is over"
            ),
            (true, false) => tracing::error!(
                cause = outage.cause(),
                "nothing can be stored any more: {outage}; the bank ends, and has to be started anew"
            ),
            (false, _) => {}
        }
    }

    /// A transaction was committed; `wrote` if it changed something, which takes room.
    pub(super) fn committed(&self, wrote: bool) {
        let is_over = self.0.send_if_modified(|now| {
            let over = match now {
                Some(Outage::Full) => wrote,
                Some(Outage::Locked) => true,
                Some(
                    Outage::Disk(_) | Outage::ReadOnly(_) | Outage::Damaged(_) | Outage::Panicked,
                )
                | None => false,
            };
            if over {
                *now = None;
            }
            over
        });
        if is_over {
            tracing::warn!("the store stores again");
        }
    }

    /// Looks at what a read met: what a new start has to mend is in the way of everything else, too.
    pub(super) fn after<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Outage(outage)) = &read
            && !outage.passes()
        {
            self.met(outage);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Outage {
        Outage::Disk("test".to_owned())
    }

    #[test]
    fn an_outage_that_passes_is_over_when_something_is_stored_again() {
        let condition = Condition::sound();
        condition.met(&Outage::Full);
        condition.committed(false);
        assert_eq!(condition.outage(), Some(Outage::Full), "a commit of nothing takes no room");
        condition.committed(true);
        assert_eq!(condition.outage(), None);
        condition.met(&Outage::Locked);
        condition.committed(false);
        assert_eq!(condition.outage(), None);
    }

    #[tokio::test]
    async fn a_failure_lasts_whatever_comes() {
        let condition = Condition::sound();
        condition.met(&Outage::Full);
        assert_eq!(condition.failure(), None);
        condition.met(&disk());
        condition.met(&Outage::Locked);
        condition.committed(true);
        assert_eq!(condition.failure(), Some(disk()));
        assert_eq!(condition.failed().await, disk());
    }

    #[test]
    fn only_what_a_new_start_mends_is_a_failure_when_a_read_meets_it() {
        let condition = Condition::sound();
        let locked = condition.after::<()>(Err(Outage::Locked.into()));
        assert_eq!((locked, condition.outage()), (Err(Outage::Locked.into()), None));
        assert_eq!(condition.after::<()>(Err(disk().into())), Err(disk().into()));
        assert_eq!(condition.failure(), Some(disk()));
    }

    #[test]
    fn each_error_of_sqlite_is_the_outage_that_its_code_says() {
        let of = |code| Outage::of(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        let cause = |code| of(code).map(|outage| outage.cause());
        for (code, expected) in [
            (ffi::SQLITE_FULL, Some("full")),
            (ffi::SQLITE_IOERR_SHMSIZE, Some("full")),
            (ffi::SQLITE_BUSY, Some("locked")),
            (ffi::SQLITE_BUSY_RECOVERY, Some("locked")),
            (ffi::SQLITE_PROTOCOL, Some("locked")),
            (ffi::SQLITE_IOERR_FSYNC, Some("disk")),
            (ffi::SQLITE_IOERR_WRITE, Some("disk")),
            (ffi::SQLITE_IOERR_READ, Some("disk")),
            (ffi::SQLITE_READONLY, Some("readOnly")),
            (ffi::SQLITE_READONLY_DBMOVED, Some("readOnly")),
            (ffi::SQLITE_CORRUPT, Some("damaged")),
            (ffi::SQLITE_NOTADB, Some("damaged")),
            // A connection more than there may be files: those that are open go on.
            (ffi::SQLITE_CANTOPEN, None),
            (ffi::SQLITE_NOMEM, None),
            (ffi::SQLITE_IOERR_NOMEM, None),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, None),
        ] {
            assert_eq!(cause(code), expected, "{code}");
        }
    }
}
