//! A disk in memory that can be killed, fail, and lose power at any operation of the seam.
//!
//! It keeps two views: what a process sees now, and what would still be there after a power loss. Content becomes durable by
//! `sync` of its file, names by `sync_folder` of their folder, and by nothing else: harsher than ext4 or XFS, which is
//! the point. A power loss keeps of the rest what a seed says: nothing, all names with no content, or any mixture,
//! content torn included. A failed sync forgets what it should have written, as Linux does: a later sync that succeeds
//! does not bring it back.

#![allow(clippy::unwrap_used, reason = "a broken invariant of the harness is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use koshin_client::files::{Access, Files, Lock, NewFile};

/// What happens at the planned operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process ends before the operation (a write: in the middle of it); nothing else follows.
    Stop,
    /// The operation fails with this error number; the process lives on.
    Error(i32),
}

pub(crate) const EINTR: i32 = 4;
pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;

/// A disk; clones are the same disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    inodes: Vec<Inode>,
    /// Operations since the last restart, for messages.
    log: Vec<String>,
    plan: Option<(usize, Fault)>,
    stopped: bool,
    locks: BTreeSet<usize>,
    boot: u64,
}

#[derive(Clone, Debug)]
enum Inode {
    File { now: Vec<u8>, durable: Vec<u8>, mode: u32, forgotten: bool },
    Folder { now: Names, durable: Names, pending: Vec<Change> },
    Link(PathBuf),
}

type Names = BTreeMap<String, usize>;
/// Names that change together: a rename is one change.
type Change = Vec<(String, Option<usize>)>;

impl Disk {
    /// An empty disk with the root folder `/`.
    pub(crate) fn new() -> Self {
        let state = State {
            inodes: vec![Inode::empty_folder()],
            log: Vec::new(),
            plan: None,
            stopped: false,
            locks: BTreeSet::new(),
            boot: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Another disk with the same content, durable and not.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state();
        let inodes = state.inodes.clone();
        Self(Arc::new(Mutex::new(State {
            inodes,
            log: Vec::new(),
            plan: None,
            stopped: false,
            locks: BTreeSet::new(),
            boot: 0,
        })))
    }

    /// The operation with this number (from 0, counted from now on) has this fault.
    pub(crate) fn plan(&self, at: usize, fault: Fault) {
        let mut state = self.state();
        state.log.clear();
        state.plan = Some((at, fault));
    }

    /// Counts from 0 again, without any fault.
    pub(crate) fn count(&self) {
        let mut state = self.state();
        state.log.clear();
        state.plan = None;
    }

    /// The operations since the last plan, count or restart.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Whether the process has met a [`Fault::Stop`]: whatever it still says or does is not to be heard.
    #[allow(dead_code, reason = "the simulation's question alone")]
    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// The process is gone, the machine is not: everything that was done is there, locks are free.
    pub(crate) fn restart(&self) {
        let mut state = self.state();
        state.stopped = false;
        state.plan = None;
        state.log.clear();
        state.locks.clear();
        state.boot += 1;
    }

    /// The power goes and comes back: of what was not synced, `seed` decides. 0: nothing is kept; 1: all names, but
    /// files have their length and zeros; 2: all names, files empty; others: each change and each content by chance.
    pub(crate) fn lose_power(&self, seed: u64) {
        self.restart();
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut state = self.state();
        for inode in &mut state.inodes {
            match inode {
                Inode::File { now, durable, forgotten, .. } => {
                    if *now != *durable {
                        *now = match seed {
                            0 => durable.clone(),
                            1 => vec![0; now.len()],
                            2 => Vec::new(),
                            _ => match chance.below(4) {
                                0 => durable.clone(),
                                1 => now[..chance.below(now.len() + 1)].to_vec(),
                                2 => vec![0; now.len()],
                                _ => now.clone(),
                            },
                        };
                        durable.clone_from(now);
                    }
                    *forgotten = false;
                }
                Inode::Folder { now, durable, pending } => {
                    for change in std::mem::take(pending) {
                        let kept = match seed {
                            0 => false,
                            1 | 2 => true,
                            _ => chance.below(2) == 1,
                        };
                        if kept {
                            apply(durable, &change);
                        }
                    }
                    now.clone_from(durable);
                }
                Inode::Link(_) => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation; its fault, if it has one that is an error.
    fn step(&self, what: &str, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let planned = state.enter(what, path)?;
        match planned {
            None => Ok(state),
            Some(Fault::Error(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Fault::Stop) => {
                state.stopped = true;
                Err(gone())
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the process has ended")
}

fn apply(names: &mut Names, change: &Change) {
    for (name, inode) in change {
        match inode {
            Some(inode) => names.insert(name.clone(), *inode),
            None => names.remove(name),
        };
    }
}

impl Inode {
    fn empty_folder() -> Self {
        Self::Folder { now: Names::new(), durable: Names::new(), pending: Vec::new() }
    }
}

impl State {
    fn enter(&mut self, what: &str, path: &Path) -> io::Result<Option<Fault>> {
        if self.stopped {
            return Err(gone());
        }
        let number = self.log.len();
        self.log.push(format!("{number} {what} {}", path.display()));
        Ok(self.plan.filter(|(at, _)| *at == number).map(|(_, fault)| fault))
    }

    /// The inode of a path, its last link not followed.
    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut at = 0;
        let parts = path.components().collect::<Vec<_>>();
        for (index, part) in parts.iter().enumerate() {
            let Component::Normal(name) = part else { continue };
            let Inode::Folder { now, .. } = &self.inodes[at] else {
                return Err(io::ErrorKind::NotADirectory.into());
            };
            at = *now.get(name.to_str().unwrap()).ok_or(io::ErrorKind::NotFound)?;
            if let (Inode::Link(target), true) = (&self.inodes[at], index + 1 < parts.len()) {
                let folder: PathBuf = parts[..index].iter().collect();
                at = self.find(&folder.join(target))?;
            }
        }
        Ok(at)
    }

    fn change(&mut self, path: &Path, change: Change) -> io::Result<()> {
        let parent = self.find(path.parent().unwrap())?;
        let Inode::Folder { now, pending, .. } = &mut self.inodes[parent] else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        apply(now, &change);
        pending.push(change);
        Ok(())
    }

    fn add(&mut self, path: &Path, inode: Inode) -> io::Result<usize> {
        if self.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.inodes.len();
        self.inodes.push(inode);
        self.change(path, vec![(name(path), Some(id))])?;
        Ok(id)
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Files for Disk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step("make_folder", path)?.add(path, Inode::empty_folder()).map(drop)
    }

    fn create(&self, path: &Path, access: Access) -> io::Result<Box<dyn NewFile>> {
        let file = Inode::File {
            now: Vec::new(),
            durable: Vec::new(),
            mode: access.mode(),
            forgotten: false,
        };
        let inode = self.step("create", path)?.add(path, file)?;
        Ok(Box::new(Handle { disk: self.clone(), inode, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        assert_eq!(from.parent(), to.parent(), "a rename across folders is not one change");
        let mut state = self.step("rename", to)?;
        let inode = state.find(from)?;
        state.change(to, vec![(name(from), None), (name(to), Some(inode))])
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.step("link", link)?.add(link, Inode::Link(target.to_owned())).map(drop)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let planned = state.enter("sync_folder", path)?;
        let inode = state.find(path)?;
        let Inode::Folder { durable, pending, .. } = &mut state.inodes[inode] else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        match planned {
            None => {
                for change in std::mem::take(pending) {
                    apply(durable, &change);
                }
                Ok(())
            }
            Some(Fault::Error(number)) => {
                pending.clear();
                Err(io::Error::from_raw_os_error(number))
            }
            Some(Fault::Stop) => {
                state.stopped = true;
                Err(gone())
            }
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.step("read", path)?;
        let inode = state.find(path)?;
        match &state.inodes[inode] {
            Inode::File { now, .. } => Ok(now.clone()),
            Inode::Folder { .. } | Inode::Link(_) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let state = self.step("read_link", path)?;
        let inode = state.find(path)?;
        match &state.inodes[inode] {
            Inode::Link(target) => Ok(target.clone()),
            Inode::File { .. } | Inode::Folder { .. } => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.step("list", path)?;
        let inode = state.find(path)?;
        match &state.inodes[inode] {
            Inode::Folder { now, .. } => Ok(now.keys().map(OsString::from).collect()),
            Inode::File { .. } | Inode::Link(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn permissions(&self, path: &Path) -> io::Result<u32> {
        let state = self.step("permissions", path)?;
        let inode = state.find(path)?;
        match &state.inodes[inode] {
            Inode::File { mode, .. } => Ok(*mode),
            Inode::Folder { .. } => Ok(0o700),
            Inode::Link(_) => Ok(0o777),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step("remove_file", path)?;
        let inode = state.find(path)?;
        if matches!(state.inodes[inode], Inode::Folder { .. }) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.change(path, vec![(name(path), None)])
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step("remove_folder", path)?;
        let inode = state.find(path)?;
        match &state.inodes[inode] {
            Inode::Folder { now, .. } if now.is_empty() => {}
            Inode::Folder { .. } => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Inode::File { .. } | Inode::Link(_) => return Err(io::ErrorKind::NotADirectory.into()),
        }
        state.change(path, vec![(name(path), None)])
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let mut state = self.step("lock", path)?;
        let inode = match state.find(path) {
            Ok(inode) => inode,
            Err(_) => state.add(
                path,
                Inode::File { now: vec![], durable: vec![], mode: 0o600, forgotten: false },
            )?,
        };
        if !state.locks.insert(inode) {
            return Ok(None);
        }
        let boot = state.boot;
        Ok(Some(Lock::held_by(Held { disk: self.clone(), inode, boot })))
    }
}

struct Held {
    disk: Disk,
    inode: usize,
    boot: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boot == self.boot {
            state.locks.remove(&self.inode);
        }
    }
}

struct Handle {
    disk: Disk,
    inode: usize,
    path: PathBuf,
}

impl NewFile for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let planned = state.enter("write", &self.path)?;
        let Inode::File { now, .. } = &mut state.inodes[self.inode] else { unreachable!() };
        match planned {
            None => {
                now.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            Some(Fault::Error(EINTR)) => Err(io::Error::from_raw_os_error(EINTR)),
            Some(fault) => {
                now.extend_from_slice(&bytes[..bytes.len() / 2]);
                match fault {
                    Fault::Error(number) => Err(io::Error::from_raw_os_error(number)),
                    Fault::Stop => {
                        state.stopped = true;
                        Err(gone())
                    }
                }
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let planned = state.enter("sync", &self.path)?;
        let Inode::File { now, durable, forgotten, .. } = &mut state.inodes[self.inode] else {
            unreachable!()
        };
        match planned {
            None => {
                if !*forgotten {
                    durable.clone_from(now);
                }
                Ok(())
            }
            Some(Fault::Error(number)) => {
                *forgotten = true;
                Err(io::Error::from_raw_os_error(number))
            }
            Some(Fault::Stop) => {
                state.stopped = true;
                Err(gone())
            }
        }
    }
}

/// A small seeded source of chance (xorshift), the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % limit
    }
}
