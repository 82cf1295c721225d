//! The backup that a restore begins with, decrypted if it is encrypted.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;

use super::registry;
use crate::store::StoreError;
use crate::store::encryption::{DecryptError, Identities, decrypt, is_encrypted};
use crate::store::private::{self, NewFile, beside};

/// A backup that can be read as a database.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    /// Is removed with this, unless it became the database.
    _decrypted: Option<NewFile>,
}

/// Why a backup cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// It is encrypted, and no identity was given.
    #[error("{} is encrypted with age: name the file with the identity that opens it (--identity)", .0.display())]
    IdentityMissing(PathBuf),
    /// It was encrypted to others, or it is not what was written.
    #[error("{}: {reason}", path.display())]
    NotDecrypted {
        /// The backup.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Source {
    /// Takes the backup as it is, or decrypts it into a private file beside `target`, the database to be.
    pub fn open(
        backup: &Path,
        target: &Path,
        identities: Option<&Identities>,
    ) -> Result<Self, SourceError> {
        let failed = |path: &Path, error: &dyn std::fmt::Display| SourceError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let open = || File::open(backup).map_err(|error| failed(backup, &error));
        if !is_encrypted(open()?).map_err(|error| failed(backup, &error))? {
            return Ok(Self { path: backup.to_owned(), _decrypted: None });
        }
        let Some(identities) = identities else {
            return Err(SourceError::IdentityMissing(backup.to_owned()));
        };
        let path = beside(target, ".decrypted");
        let plain = NewFile::create(&path).map_err(|error| failed(&path, &error))?;
        decrypt(identities, open()?, plain.file()).map_err(|error| match error {
            DecryptError::Write(error) => failed(&path, &error),
            DecryptError::Read(error) => failed(backup, &error),
            DecryptError::OtherRecipients | DecryptError::Damaged(_) => {
                SourceError::NotDecrypted { path: backup.to_owned(), reason: error.to_string() }
            }
        })?;
        Ok(Self { path: plain.partial().to_owned(), _decrypted: Some(plain) })
    }

    /// The hash of the credential of an enabled operator, as the backup knows it: who accepts a loss proves to be somebody
    /// before there is a bank to ask. The file is only read.
    pub fn operator_credential(&self, name: &str) -> Result<Option<String>, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::Open {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        registry::credential(&connection, name)
    }

    /// Makes a private copy of it, in place of what a restore left that was killed.
    pub(super) fn copy_to(&self, scratch: &Path) -> Result<(), SourceError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| SourceError::File { path, reason: error.to_string() }
        };
        match fs::remove_file(scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(scratch)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let mut source = File::open(&self.path).map_err(failed(&self.path))?;
        let mut copy = private::create(scratch).map_err(failed(scratch))?;
        io::copy(&mut source, &mut copy).map_err(failed(scratch)).map(drop)
    }
}
