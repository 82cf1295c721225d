//! What survives a power loss: files that are whole under their final name, and a link that is switched at one instant.
//!
//! A file is written under a temporary name, synced, renamed, and its folder synced; only when [`put`] has returned is it
//! there for good. Before that it is either absent (or the former one) or whole, never torn. A sync that failed is never
//! repeated, because the operating system forgets what it could not write: the next attempt writes a new file.
//! Temporary names begin with `.` and end with `.tmp`; whoever holds the identity's lock may [`sweep`] them.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::{Access, FileError, Files};

/// One file for [`put`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its final name in the folder.
    pub name: &'a str,
    /// Its whole content.
    pub content: &'a [u8],
    /// Who may read it.
    pub access: Access,
}

/// Puts files into a folder, replacing those of the same names; all are durable when it returns.
///
/// After an error or a power loss in between each of them is the former or the new one, by itself: whoever reads
/// several that belong together checks that they do. Content is durable before its name appears.
pub fn put(files: &dyn Files, folder: &Path, entries: &[Entry<'_>]) -> Result<(), FileError> {
    for entry in entries {
        let temporary = folder.join(temporary_name(entry.name));
        if let Err(error) = write_synced(files, &temporary, entry) {
            // What the failed attempt left must not be taken for anything; if this fails too, the next sweep does it.
            files.remove_file(&temporary).ok();
            return Err(error);
        }
        let path = folder.join(entry.name);
        if let Err(source) = files.rename(&temporary, &path) {
            files.remove_file(&temporary).ok();
            return Err(FileError { doing: "rename the new", path, source });
        }
    }
    files.sync_folder(folder).map_err(FileError::of("sync the folder", folder))
}

/// Points the symbolic link `name` in `folder` to `target`; durable when it returns.
/// At every instant, a power loss included, it points to the former or to the new target.
pub fn switch(
    files: &dyn Files,
    folder: &Path,
    name: &str,
    target: &Path,
) -> Result<(), FileError> {
    let temporary = folder.join(temporary_name(name));
    files.link(target, &temporary).map_err(FileError::of("make the link", &temporary))?;
    let path = folder.join(name);
    if let Err(source) = files.rename(&temporary, &path) {
        files.remove_file(&temporary).ok();
        return Err(FileError { doing: "switch the link", path, source });
    }
    files.sync_folder(folder).map_err(FileError::of("sync the folder", folder))
}

/// Makes a folder whose name is durable when it returns.
pub fn make_folder(files: &dyn Files, parent: &Path, name: &str) -> Result<(), FileError> {
    let path = parent.join(name);
    files.make_folder(&path).map_err(FileError::of("make the folder", &path))?;
    files.sync_folder(parent).map_err(FileError::of("sync the folder", parent))
}

/// Removes the temporary files that an interrupted [`put`] or [`switch`] left in a folder.
/// What cannot be removed stays, and is no harm but to the disk's space.
pub fn sweep(files: &dyn Files, folder: &Path) -> Result<(), FileError> {
    for name in files.list(folder).map_err(FileError::of("list", folder))? {
        if is_temporary(&name) {
            files.remove_file(&folder.join(name)).ok();
        }
    }
    Ok(())
}

/// Whether a name is that of a temporary file.
pub fn is_temporary(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b".") && bytes.ends_with(b".tmp")
}

fn write_synced(files: &dyn Files, path: &Path, entry: &Entry<'_>) -> Result<(), FileError> {
    let mut file = files.create(path, entry.access).map_err(FileError::of("create", path))?;
    let mut rest = entry.content;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => {
                return Err(FileError {
                    doing: "write",
                    path: path.to_owned(),
                    source: io::ErrorKind::WriteZero.into(),
                });
            }
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            // Nothing was written: the one error after which the same call is right.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(FileError { doing: "write", path: path.to_owned(), source }),
        }
    }
    file.sync().map_err(FileError::of("sync", path))
}

/// A name that no earlier attempt has used: the file of a failed sync may still be there.
fn temporary_name(name: &str) -> String {
    let mut random = [0; 8];
    // Without randomness the name is a fixed one, and `create` refuses it if it is taken: safe, only less convenient.
    getrandom::fill(&mut random).ok();
    format!(".{name}.{:016x}.tmp", u64::from_be_bytes(random))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
    use super::super::Real;
    use super::*;

    #[test]
    fn put_replaces_the_content_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        for content in [b"one".as_slice(), b"two"] {
            put(&Real, folder.path(), &[Entry { name: "a", content, access: Access::Private }])
                .unwrap();
            assert_eq!(Real.read(&folder.path().join("a")).unwrap(), content);
        }
        assert_eq!(Real.list(folder.path()).unwrap(), ["a"]);
        assert_eq!(Real.permissions(&folder.path().join("a")).unwrap(), 0o600);
    }

    #[test]
    fn switch_moves_the_link() {
        let folder = tempfile::tempdir().unwrap();
        for target in ["one", "two"] {
            switch(&Real, folder.path(), "current", Path::new(target)).unwrap();
            assert_eq!(Real.read_link(&folder.path().join("current")).unwrap(), Path::new(target));
        }
        assert_eq!(Real.list(folder.path()).unwrap(), ["current"]);
    }

    #[test]
    fn sweep_takes_temporary_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".key.pem.0123456789abcdef.tmp", "key.pem", ".hidden", "x.tmp"] {
            drop(Real.create(&folder.path().join(name), Access::Private).unwrap());
        }
        sweep(&Real, folder.path()).unwrap();
        assert_eq!(Real.list(folder.path()).unwrap(), [".hidden", "key.pem", "x.tmp"]);
    }
}
