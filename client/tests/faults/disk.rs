//! A file system in a file, whose power can be cut: what was not made durable is gone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::tool::{Missing, run};

const SIZE: u64 = 64 << 20;

/// Nothing is written by itself within a test; a rename does not write the content of what is renamed.
const OPTIONS: &str = "loop,commit=300,noauto_da_alloc";

/// How the power goes.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// The file system's journal was just written, without the content of files: names survive, content does not.
    WithJournal,
    /// Nothing was.
    WithoutJournal,
}

/// A mounted ext4. Dropped, it is unmounted.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    pub fn new() -> Result<Self, Missing> {
        let machine = |error: std::io::Error| Missing::Machine(error.to_string());
        // The only thing of xfs_io that is not ext4's own.
        run("xfsprogs", "xfs_io", &["-V"])?;
        let folder = tempfile::tempdir().map_err(machine)?;
        let disk = Self { folder };
        let image = disk.image();
        File::create(&image).and_then(|file| file.set_len(SIZE)).map_err(machine)?;
        run("e2fsprogs", "mkfs.ext4", &["-q", "-F", text(&image)])?;
        fs::create_dir(disk.path()).map_err(machine)?;
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self) -> Result<(), Missing> {
        let (image, path) = (self.image(), self.path());
        run("mount", "mount", &["-o", OPTIONS, text(&image), text(&path)]).map(drop)
    }

    /// Makes everything durable that is there now.
    pub fn settle(&self) {
        run("coreutils", "sync", &["-f", text(&self.path())]).unwrap();
    }

    /// Cuts the power, and switches it on again.
    pub fn cut(&self, how: Cut) {
        let command = match how {
            Cut::WithJournal => "shutdown -f",
            Cut::WithoutJournal => "shutdown",
        };
        let path = self.path();
        run("xfsprogs", "xfs_io", &["-x", "-c", command, text(&path)]).unwrap();
        run("mount", "umount", &[text(&path)]).unwrap();
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = self.path();
        // Where it was never mounted both fail, and nothing is to be done.
        if run("mount", "umount", &[text(&path)]).is_err() {
            run("mount", "umount", &["-l", text(&path)]).ok();
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
