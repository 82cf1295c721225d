//! The one thread that writes. It takes all the jobs that wait, runs them in one transaction, commits, and only then
//! answers any of them: a disk's flush costs many jobs once, and so does the audit's record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::audit::Records;
use crate::store::{StoreError, Write};

/// As many jobs as share a commit at most.
const GROUP: usize = 128;

/// The way to the thread.
pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One write and who waits for it.
trait Job: Send {
    /// Writes. It may be run again, after all that it wrote was rolled back.
    fn run(&mut self, connection: &Connection, records: &mut Records) -> Result<(), StoreError>;

    /// Answers, with the fault if it was not committed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Change<T, F> {
    write: F,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: FnMut(&Connection, &mut Records) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, connection: &Connection, records: &mut Records) -> Result<(), StoreError> {
        let write = AssertUnwindSafe(|| (self.write)(connection, records));
        self.outcome = Some(catch_unwind(write).unwrap_or(Err(StoreError::Panicked))?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { outcome, reply, .. } = *self;
        let outcome = committed.and_then(|()| outcome.ok_or(StoreError::Stopped));
        // Whoever asked may have gone; what was written stays.
        drop(reply.send(outcome));
    }
}

impl Writer {
    /// Starts the thread on its connection.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("koshin-store".to_owned())
            .spawn(move || run(connection, &receiver))
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self { jobs: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Has it written; ready when it is durable. `write` is called again where a group had to be rolled back.
    pub(super) fn submit<T, F>(&self, write: F) -> Write<'static, T>
    where
        T: Send + 'static,
        F: FnMut(&Connection, &mut Records) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Change { write, outcome: None, reply });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        drop(jobs);
        Box::pin(async move {
            if !sent {
                return Err(StoreError::Stopped);
            }
            answer.await.unwrap_or(Err(StoreError::Stopped))
        })
    }

    /// Finishes what waits, then closes the connection.
    pub(super) fn stop(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(connection: Connection, jobs: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1)).collect();
        if let Err(fault) = commit(&connection, group) {
            // After a failed flush the kernel may forget what was not written: trying again could succeed without the
            // data. Nothing is accepted until a new start reads the file anew.
            tracing::error!(%fault, "the disk failed: the store stops writing");
            return;
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the store did not close cleanly");
    }
}

/// Runs a group and answers it. An error means that the disk is not to be trusted any more.
fn commit(connection: &Connection, mut group: Vec<Box<dyn Job>>) -> Result<(), StoreError> {
    match transact(connection, &mut group) {
        Ok(()) => {
            group.into_iter().for_each(|job| job.answer(Ok(())));
            Ok(())
        }
        // One of them may be to blame: each for itself.
        Err(Failed { fatal: false, .. }) if group.len() > 1 => {
            group.into_iter().try_for_each(|job| commit(connection, vec![job]))
        }
        Err(Failed { fault, fatal }) => {
            tracing::error!(%fault, "a change was not committed");
            group.into_iter().for_each(|job| job.answer(Err(fault.clone())));
            if fatal { Err(fault) } else { Ok(()) }
        }
    }
}

struct Failed {
    fault: StoreError,
    /// The disk is not to be trusted any more.
    fatal: bool,
}

fn transact(connection: &Connection, group: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    let outcome = execute(connection, "BEGIN IMMEDIATE").map_err(Failed::from).and_then(|()| {
        let mut records = Records::default();
        for job in group {
            job.run(connection, &mut records).map_err(Failed::of)?;
        }
        records.write(connection).map_err(Failed::of)?;
        execute(connection, "COMMIT").map_err(Failed::from)
    });
    if outcome.is_err()
        && !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "cannot roll back");
    }
    outcome
}

impl Failed {
    fn of(fault: StoreError) -> Self {
        Self { fault, fatal: false }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        let fatal = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
        Self { fault: error.into(), fatal }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
