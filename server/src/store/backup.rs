//! What a backup is asked to be, and why there is none.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::pin::Pin;

use thiserror::Error;

use super::StoreError;
use super::encryption::Recipient;

/// A copy of the database to be made, as it is at one instant, while the bank goes on.
pub struct Backup {
    /// The new file. It appears when it is whole and durable; what exists is never overwritten.
    pub target: PathBuf,
    /// Who can decrypt it; nobody: it is not encrypted.
    pub recipients: Vec<Recipient>,
    /// Is told how far it is, some hundred times a gigabyte, and may end it.
    pub progress: Box<dyn FnMut(Progress) -> ControlFlow<()> + Send>,
}

/// What asking for a backup answers.
pub type BackedUp<'a> = Pin<Box<dyn Future<Output = Result<(), BackupError>> + Send + 'a>>;

/// How far a backup is. An encrypted one reads everything twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Octets that were copied or encrypted.
    pub done: u64,
    /// As many as there are in all.
    pub total: u64,
}

/// Why there is no backup. Nothing of it is left, and the bank goes on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackupError {
    /// The target is there.
    #[error("{} exists already; a backup never overwrites", .0.display())]
    Exists(PathBuf),
    /// Another backup is being written to the same target.
    #[error("another backup is being written to {}", .0.display())]
    Underway(PathBuf),
    /// The copy does not fit onto the disk of this file.
    #[error("{}: no room: the copy needs {} MiB", path.display(), needed.div_ceil(1 << 20))]
    NoRoom {
        /// The target, or the copy to be encrypted.
        path: PathBuf,
        /// Octets that the copy has.
        needed: u64,
    },
    /// The file cannot be written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The target, or the copy to be encrypted.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Whoever watched its progress ended it.
    #[error("the backup was interrupted; nothing of it is left")]
    Interrupted,
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Backup {
    /// A copy in clear that nobody watches.
    pub fn to(target: impl Into<PathBuf>) -> Self {
        let progress = Box::new(|_| ControlFlow::Continue(()));
        Self { target: target.into(), recipients: Vec::new(), progress }
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("target", &self.target)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
