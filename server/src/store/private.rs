//! Files that only their owner may read: a bank's memory holds the hashes of PINs and of operators' credentials.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a file that was not there. It has mode 0600 from its creation on, whatever the umask.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// The path with something added to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in the file's folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Bytes that may still be written to the file system of the file's folder, if it tells.
pub(super) fn room(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder(path)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A private file in the making, under a name beside its own: it appears under its own name whole or not at all.
///
/// Dropped before [`NewFile::finish`], it is removed. What a process left that was killed is removed by the next one that
/// makes the same file; a lock tells it from what another process is writing just now.
#[derive(Debug)]
pub(super) struct NewFile {
    file: File,
    partial: PathBuf,
    target: PathBuf,
}

/// Why a file cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NewFileError {
    #[error("it exists already")]
    Exists,
    #[error("another process is writing it")]
    Underway,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NewFile {
    pub(super) fn create(target: &Path) -> Result<Self, NewFileError> {
        let partial = beside(target, ".partial");
        if fs::symlink_metadata(target).is_ok() {
            return Err(NewFileError::Exists);
        }
        let file = match create(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_leftover(&partial)?;
                create(&partial)?
            }
            created => created?,
        };
        if is_locked(&file) {
            return Err(NewFileError::Underway);
        }
        Ok(Self { file, partial, target: target.to_owned() })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where it is while it is written.
    pub(super) fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives it its own name, durably. What has that name by now stays.
    pub(super) fn finish(self) -> Result<(), NewFileError> {
        self.file.sync_all()?;
        if fs::symlink_metadata(&self.target).is_ok() {
            return Err(NewFileError::Exists);
        }
        fs::rename(&self.partial, &self.target)?;
        Ok(sync_folder(&self.target)?)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After a rename nothing has that name.
        fs::remove_file(&self.partial).ok();
    }
}

/// Whether another process holds the lock, which is taken otherwise. Where the file system has no locks, nobody does.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn remove_leftover(partial: &Path) -> Result<(), NewFileError> {
    let file = File::open(partial)?;
    if is_locked(&file) {
        return Err(NewFileError::Underway);
    }
    // Whoever wrote it may have finished it meanwhile: then the name is another file's.
    if fs::symlink_metadata(partial)?.ino() == file.metadata()?.ino() {
        fs::remove_file(partial)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a name"));
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_under_its_name_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a");
        drop(NewFile::create(&target).expect("created"));
        assert_eq!(names(folder.path()), [""; 0]);
        let new = NewFile::create(&target).expect("created");
        assert_eq!(names(folder.path()), ["a.partial"]);
        new.finish().expect("finished");
        assert_eq!(names(folder.path()), ["a"]);
        let mode = fs::metadata(&target).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(NewFile::create(&target), Err(NewFileError::Exists)));
    }

    #[test]
    fn what_appears_under_the_name_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a");
        let new = NewFile::create(&target).expect("created");
        fs::write(&target, "another's").expect("written");
        assert!(matches!(new.finish(), Err(NewFileError::Exists)));
        assert_eq!(fs::read_to_string(&target).expect("read"), "another's");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_process_left_is_replaced_and_what_another_writes_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("a");
        fs::write(folder.path().join("a.partial"), "half").expect("written");
        let new = NewFile::create(&target).expect("created");
        assert!(matches!(NewFile::create(&target), Err(NewFileError::Underway)));
        new.finish().expect("finished");
        assert_eq!(fs::read(&target).expect("read"), b"");
    }
}
