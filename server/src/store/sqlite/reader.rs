//! Connections that read. Each statement, or each transaction, sees the last commit.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags};

use super::configure;
use crate::store::StoreError;

/// A few connections, used in turn. A read takes microseconds, so it is done where it is asked for.
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Readers {
    /// Opens them.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let open = |_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            configure(&connection)?;
            Ok(Mutex::new(connection))
        };
        let connections = (0..count.max(1)).map(open).collect::<Result<_, StoreError>>()?;
        Ok(Self { connections, next: AtomicUsize::new(0) })
    }

    /// Reads with a connection that nobody else uses meanwhile.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.free())
    }

    /// The same, all of it of one commit.
    pub(super) fn snapshot<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.free();
        let transaction = connection.unchecked_transaction()?;
        let answer = read(&transaction);
        transaction.finish()?;
        answer
    }

    fn free(&self) -> MutexGuard<'_, Connection> {
        let count = self.connections.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..count {
            match self.connections[(first.wrapping_add(turn)) % count].try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[first % count].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
