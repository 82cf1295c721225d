//! Taking the log (WAL) into the file, so that it does not grow for ever. The writer does it, and not `SQLite` by itself, which
//! keeps what fails of it to itself: a disk that does not flush the file any more would go unnoticed until the log has filled it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use crate::store::StoreError;
use crate::store::outage::Outage;

/// Pages of the log after which they are taken into the file: 16 MB. A page that many commits change in the meantime is
/// written once.
const EVERY: i32 = 4096;

/// Pages after which it is tried again where somebody still reads what the log says, such as a backup: 4 MB.
const AGAIN: i32 = 1024;

/// Octets that the log's file keeps when the log begins anew, after it grew beside a long read: 64 MB.
const KEPT: i64 = 64 << 20;

/// The log of a connection that writes.
pub(super) struct Checkpoints {
    pages: Arc<AtomicI32>,
    due: i32,
}

impl Checkpoints {
    pub(super) fn of(connection: &mut Connection) -> Result<Self, StoreError> {
        connection.pragma_update(None, "journal_size_limit", KEPT)?;
        // Before the hook, since that is what this switches off.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, due: EVERY })
    }

    /// Takes the log into the file if it has become long.
    pub(super) fn after_commit(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < EVERY {
            self.due = EVERY;
        }
        if pages < self.due {
            return Ok(());
        }
        self.due = pages.saturating_add(AGAIN);
        take_in(connection)
    }
}

/// Takes as much into the file as nobody still reads, without waiting for anybody. The log then begins anew in its own room.
pub(super) fn take_in(connection: &Connection) -> Result<(), StoreError> {
    checkpoint(connection, CheckpointMode::PASSIVE)
}

/// Takes everything into the file and empties the log, unless somebody else uses it.
///
/// A bank whose disk failed may have left commits in the log that the kernel holds and the disk does not. They are written
/// anew by this, and so are durable before anything is answered that rests on them.
pub(super) fn write_anew(connection: &Connection) -> Result<(), StoreError> {
    let patience: i64 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
    connection.pragma_update(None, "busy_timeout", 0)?;
    let done = checkpoint(connection, CheckpointMode::TRUNCATE);
    connection.pragma_update(None, "busy_timeout", patience)?;
    match done {
        Err(StoreError::Outage(Outage::Full)) => {
            // Nor can it be stored, which the first change finds out.
            tracing::warn!("the log is not taken into the file: the disk is full");
            Ok(())
        }
        done => done,
    }
}

fn checkpoint(connection: &Connection, mode: CheckpointMode) -> Result<(), StoreError> {
    match connection.wal_checkpoint_v2(Some("main"), mode).map_err(StoreError::from) {
        // Somebody else is at it, or uses what was to be emptied.
        Err(StoreError::Outage(Outage::Locked)) => Ok(()),
        done => done.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    struct Log {
        folder: tempfile::TempDir,
        connection: Connection,
        checkpoints: Checkpoints,
    }

    impl Log {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let mut connection = open(folder.path());
            connection.execute_batch("CREATE TABLE t (x)").expect("a table");
            let checkpoints = Checkpoints::of(&mut connection).expect("a hook");
            Self { folder, connection, checkpoints }
        }

        /// Commits so many megabytes.
        fn write(&mut self, megabytes: u32) {
            for _ in 0..megabytes {
                self.connection
                    .execute("INSERT INTO t VALUES (zeroblob(1000000))", [])
                    .expect("a row");
                self.checkpoints.after_commit(&self.connection).expect("a sound disk");
            }
        }

        fn megabytes(&self) -> u64 {
            fs::metadata(self.folder.path().join("t-wal")).expect("a log").len() >> 20
        }
    }

    fn open(folder: &Path) -> Connection {
        let connection = Connection::open(folder.join("t")).expect("a database");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
            .expect("set");
        connection
    }

    #[test]
    fn the_log_stays_short_and_is_cut_back_after_a_long_read() {
        let mut log = Log::new();
        log.write(60);
        assert!(log.megabytes() <= 18, "{} MiB", log.megabytes());
        let reader = open(log.folder.path());
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").expect("a read");
        log.write(100);
        assert!(log.megabytes() > 80, "a read that lasts keeps the log: {} MiB", log.megabytes());
        reader.execute_batch("COMMIT").expect("its end");
        log.write(10);
        assert!(log.megabytes() <= 64, "{} MiB", log.megabytes());
    }

    #[test]
    fn what_was_in_the_log_is_in_the_file_before_a_bank_serves() {
        let mut log = Log::new();
        log.write(1);
        write_anew(&log.connection).expect("written anew");
        assert_eq!(log.megabytes(), 0);
        let reader = open(log.folder.path());
        reader.execute_batch("BEGIN; SELECT count(*) FROM t").expect("a read");
        log.write(2);
        write_anew(&log.connection).expect("whoever reads does not keep a bank from starting");
        assert!(log.megabytes() > 0);
    }
}
