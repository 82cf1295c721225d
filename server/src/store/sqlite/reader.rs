//! Connections that read. Each statement, or each transaction, sees the last commit.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags};

use super::configure;
use crate::store::StoreError;

/// A few connections. A read takes microseconds, so it is done where it is asked for.
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
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
        Ok(Self { connections })
    }

    /// Reads with a connection that nobody else uses meanwhile.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.free())
    }

    /// The first that is free, rather than each in its turn: every commit empties a connection's cache, and what one
    /// read fetched since then the next need not fetch again.
    fn free(&self) -> MutexGuard<'_, Connection> {
        for connection in &self.connections {
            match connection.try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.connections[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
