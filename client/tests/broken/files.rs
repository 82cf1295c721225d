//! Files whose syncs are broken on purpose, over any others.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use koshin_client::files::{Access, Files, Lock, NewFile};

/// What a broken seam does with syncs.
pub(crate) trait Syncs: Copy + std::fmt::Debug + Send + Sync + 'static {
    fn sync(self, real: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()>;
}

/// Leaves them out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoSync;

impl Syncs for NoSync {
    fn sync(self, _: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        Ok(())
    }
}

/// Repeats a failed one, and believes the second answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncAgain;

impl Syncs for SyncAgain {
    fn sync(self, real: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        real().or_else(|_| real())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct BrokenFiles<F, S> {
    pub(crate) files: F,
    pub(crate) syncs: S,
}

struct BrokenFile<S> {
    file: Box<dyn NewFile>,
    syncs: S,
}

impl<S: Syncs> NewFile for BrokenFile<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.syncs.sync(&mut || self.file.sync())
    }
}

impl<F: Files, S: Syncs> Files for BrokenFiles<F, S> {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.files.make_folder(path)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(BrokenFile { file: self.files.create(path, access)?, syncs: self.syncs }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.files.link(target, link)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.syncs.sync(&mut || self.files.sync_folder(path))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.read(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.files.list(path)
    }

    fn permissions(&self, path: &Path) -> io::Result<u32> {
        self.files.permissions(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.files.remove_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.files.lock(path)
    }
}
