//! Copies of the file (SPEC.md 14). A copy says of itself that it is one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::backup::StepResult;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::column::all;
use super::connection::configure;
use super::schema;
use crate::store::StoreError;
use crate::store::backup::{Backup, BackupError, Progress};
use crate::store::encryption::encrypt;
use crate::store::private::{NewFile, NewFileError, beside, room};
use crate::store::row::Integrity;

/// Pages between two looks at whoever watches: 4 MiB.
const PAGES: i32 = 1024;

/// Steps between two flushes of the copy: 64 MiB. The disk then never has so much to write at once that the commits of the
/// serving bank wait for it.
const STEPS: u32 = 16;

/// Copies the database to a new file while others write.
pub(super) fn write(database: &Path, backup: Backup) -> Result<(), BackupError> {
    let Backup { target, recipients, progress } = backup;
    let create = |path: &Path| NewFile::create(path).map_err(|error| failed(path, error));
    let new = create(&target)?;
    let snapshot = Snapshot::of(database)?;
    let needed = snapshot.size;
    if recipients.is_empty() {
        let mut meter = Meter { progress, done: 0, total: needed };
        Copy { path: new.partial(), file: new.file(), needed }.fill(
            &snapshot,
            &mut meter,
            || Ok(()),
        )?;
        return new.finish().map_err(|error| failed(&target, error));
    }
    let mut meter = Meter { progress, done: 0, total: 2 * needed };
    // SQLite writes its copy here and there, so it cannot be encrypted on its way. It is made beside the database, where the
    // same octets are in clear anyway, and has no name by the time that anything is in it: it ends with this process.
    let plain = create(&beside(database, ".copy"))?;
    let unlink = || fs::remove_file(plain.partial());
    Copy { path: plain.partial(), file: plain.file(), needed }
        .fill(&snapshot, &mut meter, unlink)?;
    // The database's log may begin anew, however slow the target is.
    drop(snapshot);
    let encrypted = Copy { path: new.partial(), file: new.file(), needed };
    encrypted.has_room()?;
    let mut octets = plain.file();
    let watch = |octets| match meter.add(octets) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let done = octets
        .rewind()
        .and_then(|()| encrypt(&recipients, octets, BufWriter::new(new.file()), watch))
        .map_err(|error| encrypted.failed(&error))?;
    if done.is_break() {
        return Err(BackupError::Interrupted);
    }
    new.finish().map_err(|error| failed(&target, error))
}

fn failed(path: &Path, error: NewFileError) -> BackupError {
    let path = path.to_owned();
    match error {
        NewFileError::Exists => BackupError::Exists(path),
        NewFileError::Underway => BackupError::Underway(path),
        NewFileError::Io(error) => BackupError::File { path, reason: error.to_string() },
    }
}

/// How far a backup is.
struct Meter {
    progress: Box<dyn FnMut(Progress) -> ControlFlow<()> + Send>,
    done: u64,
    total: u64,
}

impl Meter {
    fn add(&mut self, octets: u64) -> Result<(), BackupError> {
        self.done += octets;
        match (self.progress)(Progress { done: self.done, total: self.total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(BackupError::Interrupted),
        }
    }
}

/// The database as it is at one instant, in a read transaction that lasts as long as this: no commit of whatever process makes
/// a copy of it begin anew. Who writes is not held up; only the log cannot begin anew meanwhile.
struct Snapshot {
    connection: Connection,
    page: u64,
    size: u64,
}

impl Snapshot {
    fn of(database: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(database, flags)?;
        configure(&connection)?;
        connection.execute_batch("BEGIN")?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        let page = u64::from(number("page_size")?);
        let size = u64::from(number("page_count")?) * page;
        Ok(Self { connection, page, size })
    }
}

/// A file to be filled.
struct Copy<'a> {
    path: &'a Path,
    file: &'a File,
    needed: u64,
}

impl Copy<'_> {
    /// `opened` is called when the file is open, still empty, and does not need its name any more.
    fn fill(
        &self,
        snapshot: &Snapshot,
        meter: &mut Meter,
        opened: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), BackupError> {
        self.has_room()?;
        let unwritten = |error| self.unwritten(error);
        let mut copy = Connection::open_with_flags(self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(unwritten)?;
        // Nobody else opens it, and what fails is thrown away: it needs no journal.
        copy.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF")
            .and_then(|()| copy.pragma_update(None, "journal_mode", "OFF"))
            .map_err(unwritten)?;
        opened().map_err(|error| self.failed(&error))?;
        self.take_pages(snapshot, &mut copy, meter)?;
        copy.close().map_err(|(_, error)| self.unwritten(error))?;
        mark(self.file).map_err(|error| self.failed(&error))
    }

    fn take_pages(
        &self,
        snapshot: &Snapshot,
        copy: &mut Connection,
        meter: &mut Meter,
    ) -> Result<(), BackupError> {
        let unwritten = |error| self.unwritten(error);
        let backup =
            rusqlite::backup::Backup::new(&snapshot.connection, copy).map_err(unwritten)?;
        let mut left = snapshot.size;
        for step in 1_u32.. {
            let outcome = backup.step(PAGES).map_err(unwritten)?;
            let now = u64::from(backup.progress().remaining.unsigned_abs()) * snapshot.page;
            meter.add(left.saturating_sub(now))?;
            left = now;
            match outcome {
                StepResult::Done => break,
                StepResult::More if step % STEPS == 0 => {
                    self.file.sync_data().map_err(|error| self.failed(&error))?;
                }
                StepResult::More => {}
                other => return Err(StoreError::Database(format!("the copy is {other:?}")).into()),
            }
        }
        Ok(())
    }

    fn has_room(&self) -> Result<(), BackupError> {
        match room(self.path) {
            Some(room) if room < self.needed => Err(self.no_room()),
            Some(_) | None => Ok(()),
        }
    }

    fn no_room(&self) -> BackupError {
        BackupError::NoRoom { path: self.path.to_owned(), needed: self.needed }
    }

    fn unwritten(&self, error: rusqlite::Error) -> BackupError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => self.no_room(),
            Some(ErrorCode::DatabaseCorrupt) => StoreError::from(error).into(),
            _ => BackupError::File { path: self.path.to_owned(), reason: error.to_string() },
        }
    }

    fn failed(&self, error: &io::Error) -> BackupError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.no_room(),
            _ => BackupError::File { path: self.path.to_owned(), reason: error.to_string() },
        }
    }
}

/// Says in the header of a database file (its `application_id`) that it is a copy, and that it has no log of its own, as the
/// database has: <https://www.sqlite.org/fileformat2.html#the_database_header>. Only while no connection has it open.
fn mark(copy: &File) -> io::Result<()> {
    copy.write_all_at(&[1, 1], 18)?;
    copy.write_all_at(&COPY.to_be_bytes(), 68)
}

/// What a copy says of itself: "KBAK".
const COPY: i32 = 0x4b42_414b;

/// Refuses to serve from a copy: it may not know of revocations that were published since.
pub(super) fn refuse_copy(connection: &Connection) -> Result<(), StoreError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id == COPY { Err(StoreError::Backup) } else { Ok(()) }
}

/// Makes a database of a copy.
pub(super) fn unmark(copy: &Connection) -> Result<(), StoreError> {
    Ok(copy.pragma_update(None, "application_id", 0)?)
}

/// The database's own check, and its version.
pub(super) fn integrity(connection: &Connection) -> Result<Integrity, StoreError> {
    let mut findings: Vec<String> =
        all(connection, "PRAGMA integrity_check", [], |row| row.get(0))?;
    findings.retain(|finding| finding != "ok");
    let dangling = all(connection, "PRAGMA foreign_key_check", [], |row| {
        Ok(format!("a row of {} refers to nothing", row.get::<_, String>(0)?))
    })?;
    findings.extend(dangling);
    Ok(Integrity { findings, version: schema::version(connection)? })
}
