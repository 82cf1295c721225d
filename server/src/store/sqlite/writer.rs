//! The one thread that writes. It takes all the jobs that wait, runs each in a savepoint of one
//! transaction, commits, and only then answers any of them: a disk's flush costs many jobs once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::store::{Failure, StoreError, Write};

/// As many jobs as share a commit at most.
const GROUP: usize = 128;

/// The way to the thread.
pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One change and who waits for it.
trait Job: Send {
    /// Runs the change. `false` undoes it, and nothing else.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Answers, with the fault if nothing of the group was committed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Change<T, F> {
    todo: Option<F>,
    outcome: Option<Result<T, Failure>>,
    reply: oneshot::Sender<Result<T, Failure>>,
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Failure> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let change = self.todo.take().expect("a job runs once");
        let outcome = catch_unwind(AssertUnwindSafe(|| change(connection)))
            .unwrap_or_else(|_| Err(Failure::Fault(StoreError::Panicked)));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            // A refusal rests on what the group's other jobs did, so it falls with them.
            (Err(fault), _) => Err(Failure::Fault(fault)),
            (Ok(()), None) => Err(Failure::Fault(StoreError::Stopped)),
        };
        // Whoever asked may have gone; the change is made all the same.
        drop(self.reply.send(outcome));
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

    /// Has the change run; ready when it is durable or refused.
    pub(super) fn submit<T, F>(&self, change: F) -> Write<'static, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Change { todo: Some(change), outcome: None, reply });
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        drop(jobs);
        Box::pin(async move {
            if !sent {
                return Err(Failure::Fault(StoreError::Stopped));
            }
            answer.await.unwrap_or(Err(Failure::Fault(StoreError::Stopped)))
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
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        if let Err(fault) = commit(&connection, group) {
            // After a failed flush the kernel may forget what was not written: trying again could
            // succeed without the data. Nothing is accepted until a new start reads the file anew.
            tracing::error!(%fault, "the disk failed: the store stops writing");
            return;
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the store did not close cleanly");
    }
}

/// Runs a group and answers it. An error means that the disk is not to be trusted any more.
fn commit(
    connection: &Connection,
    group: impl Iterator<Item = Box<dyn Job>>,
) -> Result<(), StoreError> {
    let mut ran = Vec::new();
    let outcome = transact(connection, group, &mut ran);
    if outcome.is_err() && !connection.is_autocommit() {
        // A failed COMMIT leaves the transaction open.
        if let Err(error) = connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "cannot roll back");
        }
    }
    let (answer, fatal) = match outcome {
        Ok(()) => (Ok(()), None),
        Err(error) => {
            let fatal = error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure);
            let fault = StoreError::from(error);
            tracing::error!(%fault, jobs = ran.len(), "a group of changes was not committed");
            (Err(fault.clone()), fatal.then_some(fault))
        }
    };
    for job in ran {
        job.answer(answer.clone());
    }
    fatal.map_or(Ok(()), Err)
}

fn transact(
    connection: &Connection,
    group: impl Iterator<Item = Box<dyn Job>>,
    ran: &mut Vec<Box<dyn Job>>,
) -> Result<(), rusqlite::Error> {
    let begun = execute(connection, "BEGIN IMMEDIATE");
    let mut group = group.peekable();
    if begun.is_err() {
        ran.extend(group);
        return begun;
    }
    let mut undo = false;
    while let Some(mut job) = group.next() {
        let alone = ran.is_empty() && group.peek().is_none();
        let run = if alone {
            // The transaction itself undoes it: a savepoint would copy each page that it changes.
            undo = !job.run(connection);
            Ok(())
        } else {
            in_savepoint(connection, job.as_mut())
        };
        ran.push(job);
        run?;
    }
    execute(connection, if undo { "ROLLBACK" } else { "COMMIT" })
}

fn in_savepoint(connection: &Connection, job: &mut dyn Job) -> Result<(), rusqlite::Error> {
    execute(connection, "SAVEPOINT job")?;
    if !job.run(connection) {
        // SQLite ends the whole transaction by itself on some errors (disk full, I/O): then this
        // fails, and with it the group.
        execute(connection, "ROLLBACK TO job")?;
    }
    execute(connection, "RELEASE job")
}

fn execute(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Refused;

    fn writer() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = Connection::open(folder.path().join("t")).expect("a database");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;
                 CREATE TABLE t (x INTEGER PRIMARY KEY);
                 CREATE TABLE late (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);",
            )
            .expect("tables");
        (folder, Writer::start(connection).expect("a thread"))
    }

    fn insert(x: i64) -> impl FnOnce(&Connection) -> Result<(), Failure> + Send + 'static {
        move |connection| {
            connection.execute("INSERT INTO t VALUES (?1)", [x]).map_err(StoreError::from)?;
            Ok(())
        }
    }

    /// Keeps the thread busy until the answer is dropped, so that what is submitted meanwhile makes
    /// one group.
    fn block(writer: &Writer) -> std::sync::mpsc::Sender<()> {
        let (release, wait) = channel::<()>();
        drop(writer.submit(move |_| {
            // The error is the signal: the sender was dropped.
            assert!(wait.recv().is_err());
            Ok(())
        }));
        release
    }

    async fn rows(writer: &Writer) -> Vec<i64> {
        let rows = writer.submit(|connection| {
            let mut statement =
                connection.prepare("SELECT x FROM t ORDER BY x").map_err(StoreError::from)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(StoreError::from)?;
            Ok(rows.collect::<Result<_, _>>().map_err(StoreError::from)?)
        });
        rows.await.expect("rows")
    }

    #[tokio::test]
    async fn a_refused_failed_or_panicking_job_undoes_only_itself() {
        let (_folder, writer) = writer();
        let release = block(&writer);
        let good = writer.submit(insert(1));
        let refused = writer.submit(|connection: &Connection| {
            insert(2)(connection)?;
            Err::<(), _>(Refused::NotFound.into())
        });
        let failed = writer.submit(|connection: &Connection| {
            insert(3)(connection)?;
            insert(1)(connection)
        });
        let panicked: Write<'_, ()> = writer.submit(|connection: &Connection| {
            insert(4)(connection)?;
            panic!("this is the panic");
        });
        let last = writer.submit(insert(5));
        drop(release);
        assert_eq!(good.await, Ok(()));
        assert_eq!(refused.await, Err(Refused::NotFound.into()));
        assert!(matches!(failed.await, Err(Failure::Fault(StoreError::Database(_)))));
        assert_eq!(panicked.await, Err(StoreError::Panicked.into()));
        assert_eq!(last.await, Ok(()));
        assert_eq!(rows(&writer).await, [1, 5]);
    }

    #[tokio::test]
    async fn a_failed_commit_is_the_fault_of_every_job_of_its_group() {
        let (_folder, writer) = writer();
        let release = block(&writer);
        let good = writer.submit(insert(1));
        let refused = writer.submit(|_: &Connection| Err::<(), Failure>(Refused::NotFound.into()));
        let bad = writer.submit(|connection: &Connection| {
            connection.execute("INSERT INTO late VALUES (9)", []).map_err(StoreError::from)?;
            Ok(())
        });
        drop(release);
        for answer in [good.await, refused.await, bad.await] {
            assert!(matches!(answer, Err(Failure::Fault(StoreError::Database(_)))), "{answer:?}");
        }
        assert_eq!(writer.submit(insert(2)).await, Ok(()));
        assert_eq!(rows(&writer).await, [2], "the writer goes on, and only with what it answered");
    }

    #[tokio::test]
    async fn stopping_finishes_what_waits_and_refuses_the_rest() {
        let (_folder, writer) = writer();
        let release = block(&writer);
        let waiting = writer.submit(insert(1));
        drop(release);
        writer.stop();
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(writer.submit(insert(2)).await, Err(StoreError::Stopped.into()));
    }
}
