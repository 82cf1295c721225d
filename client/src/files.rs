//! The one seam for all file access of an identity.
//!
//! Every operation of the client on its own files goes through [`Files`], one system call's worth of work at a time, so that
//! a test can stop before each of them, let each of them fail, or take away what was not synced, and see what is left.
//! [`Real`] is the operating system; `tests/crash.rs` has a disk that forgets.
//!
//! All calls block. Asynchronous code calls them on a thread that may block (`tokio::task::spawn_blocking`); a future that is
//! dropped meanwhile leaves the call to finish by itself, which is as good as a process killed after it.
//!
//! What a caller may rely on after which call (the recipe of crash-safe files) is in [`durable`].

pub mod durable;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// No file of an identity is larger; a larger one is refused before it is read.
pub const MAX_FILE: u64 = 1 << 20;

/// Room for a file with a key, in bytes.
const KEY_FILES: usize = 8192;

/// File access, one operation a call.
///
/// Implementations do not retry: an interrupted call (`EINTR`) is an error of that call, and the caller decides.
pub trait Files: Send + Sync + fmt::Debug {
    /// Makes a folder that only its owner may enter (mode 0700). The parent exists.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a file that does not exist yet, for writing. An existing one is [`io::ErrorKind::AlreadyExists`].
    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>>;

    /// Renames a file or symbolic link, replacing the target atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the symbolic link `link`, with the text `target`.
    fn link(&self, target: &Path, link: &Path) -> io::Result<()>;

    /// Makes the entries of a folder durable: names created, renamed and removed in it, not the content behind them.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Reads a whole file of at most [`MAX_FILE`] bytes.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The text of a symbolic link.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// The permission bits of a file (`0o600`).
    fn permissions(&self, path: &Path) -> io::Result<u32>;

    /// Removes a file or symbolic link.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock of a file, made if absent; `None` if another process (or another open of this one) has it.
    /// The operating system gives it back when the [`Lock`] is dropped or the process ends, however it ends.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// A file being written; dropping it closes it.
pub trait NewFile: Send {
    /// Writes some bytes at the end, returns how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes the content durable. After an error the content is lost for good, whatever a second call says:
    /// the operating system has dropped the pages. Write a new file instead.
    fn sync(&mut self) -> io::Result<()>;
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: mode 0600.
    Private,
    /// Whoever may enter the folder: mode 0644.
    Public,
}

impl Access {
    /// The permission bits.
    pub fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        }
    }
}

/// Holds a lock until it is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct Lock {
    _guard: Box<dyn Send + Sync>,
}

impl Lock {
    /// A lock held by `guard`, whose drop gives it back.
    pub fn held_by(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// An operation that failed, on which file, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried, as a verb: "read", "sync the folder".
    pub doing: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The operating system's answer.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`: names what was tried on what.
    pub fn of(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }

    /// Whether the file simply is not there.
    pub fn is_absent(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// The files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Real;

impl Files for Real {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>> {
        let file =
            fs::OpenOptions::new().write(true).create_new(true).mode(access.mode()).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, link)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Key files fit: bytes that grow leave copies behind, which nobody wipes (SEC-02).
        let mut bytes = Vec::with_capacity(KEY_FILES);
        fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {MAX_FILE} bytes"),
            ));
        }
        Ok(bytes)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn permissions(&self, path: &Path) -> io::Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock::held_by(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

impl NewFile for fs::File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use super::*;

    // [CLI-12]
    #[test]
    fn a_second_open_of_a_locked_file_gets_no_lock_until_the_first_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Real.lock(&path).unwrap().expect("nobody else has it");
        assert!(Real.lock(&path).unwrap().is_none());
        drop(first);
        assert!(Real.lock(&path).unwrap().is_some());
    }

    // [CLI-13]
    #[test]
    fn private_files_and_folders_are_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        Real.make_folder(&folder.path().join("f")).unwrap();
        assert_eq!(Real.permissions(&folder.path().join("f")).unwrap(), 0o700);
        drop(Real.create(&folder.path().join("k"), Access::Private).unwrap());
        assert_eq!(Real.permissions(&folder.path().join("k")).unwrap(), 0o600);
    }

    // [CLI-11]
    #[test]
    fn an_existing_file_is_never_opened_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        drop(Real.create(&folder.path().join("k"), Access::Private).unwrap());
        let Err(error) = Real.create(&folder.path().join("k"), Access::Private) else {
            panic!("it was opened again")
        };
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        fs::File::create(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
        assert_eq!(Real.read(&path).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
