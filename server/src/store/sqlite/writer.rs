//! The one thread that writes. It takes all the jobs that wait, runs each in a savepoint of one
//! transaction, commits, and only then answers any of them: a disk's flush costs many jobs once.
//!
//! What is in the way of every job ([`Outage`]) is the answer of all that it met, and the store's condition. While one lasts
//! that passes, the thread itself tries to write from time to time; after every other one it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::checkpoint::{Checkpoints, take_in};
use super::schema;
use crate::store::outage::{Condition, Outage};
use crate::store::{Failure, StoreError, Write};

/// As many jobs as share a commit at most.
const GROUP: usize = 128;

/// How often it is looked whether an outage is over, if no job finds it out before.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The way to the thread.
pub(super) struct Writer {
    jobs: Mutex<Option<Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One change and who waits for it.
trait Job: Send {
    /// Runs the change. `false` undoes it, and nothing else.
    fn run(&mut self, connection: &Connection) -> bool;

    /// What the job met that is in the way of every other one as well.
    fn outage(&self) -> Option<&Outage>;

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

    fn outage(&self) -> Option<&Outage> {
        match &self.outcome {
            Some(Err(Failure::Fault(StoreError::Outage(outage)))) => Some(outage),
            Some(_) | None => None,
        }
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
    pub(super) fn start(
        mut connection: Connection,
        condition: Condition,
    ) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        let checkpoints = Checkpoints::of(&mut connection)?;
        let work = move || {
            let run = || run(connection, checkpoints, &receiver, &condition);
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                condition.met(&Outage::Panicked);
            }
        };
        let thread = std::thread::Builder::new()
            .name("koshin-store".to_owned())
            .spawn(work)
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
        if let Some(thread) = thread {
            thread.join().expect("its panics are caught");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(
    connection: Connection,
    mut checkpoints: Checkpoints,
    jobs: &Receiver<Box<dyn Job>>,
    condition: &Condition,
) {
    let mut look = Instant::now();
    loop {
        let turn = Turn::next(jobs, condition, look);
        if condition.failure().is_some() {
            // A read met it.
            return;
        }
        let done = match turn {
            Turn::Jobs(first) => {
                let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
                commit(&connection, group, condition)
            }
            Turn::Look => try_again(&connection).inspect(|()| condition.committed(true)),
            Turn::End => break,
        };
        if let Err(StoreError::Outage(outage)) =
            done.and_then(|()| checkpoints.after_commit(&connection))
        {
            condition.met(&outage);
            look = Instant::now() + LOOK_AGAIN;
        }
        if condition.failure().is_some() {
            return;
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::error!(%error, "the store did not close cleanly");
    }
}

/// What the thread does next.
enum Turn {
    /// This job, and those that wait behind it.
    Jobs(Box<dyn Job>),
    /// Sees whether an outage is over.
    Look,
    /// Nothing any more: no job will come.
    End,
}

impl Turn {
    /// Waits for it. During an outage it is looked again at `look`, whatever jobs there are: most write nothing.
    fn next(jobs: &Receiver<Box<dyn Job>>, condition: &Condition, look: Instant) -> Self {
        if condition.outage().is_none() {
            return jobs.recv().map_or(Self::End, Self::Jobs);
        }
        let patience = look.saturating_duration_since(Instant::now());
        if patience.is_zero() {
            return Self::Look;
        }
        match jobs.recv_timeout(patience) {
            Ok(job) => Self::Jobs(job),
            Err(RecvTimeoutError::Timeout) => Self::Look,
            Err(RecvTimeoutError::Disconnected) => Self::End,
        }
    }
}

/// Runs a group and answers it. Whoever is answered finds the store's condition changed already.
fn commit(
    connection: &Connection,
    group: impl Iterator<Item = Box<dyn Job>>,
    condition: &Condition,
) -> Result<(), StoreError> {
    let mut ran = Vec::new();
    let before = connection.total_changes();
    let outcome = transact(connection, group, &mut ran);
    roll_back(connection, &outcome);
    match &outcome {
        Ok(()) => condition.committed(connection.total_changes() != before),
        Err(StoreError::Outage(outage)) => condition.met(outage),
        Err(fault) => {
            tracing::error!(%fault, jobs = ran.len(), "a group of changes was not committed");
        }
    }
    for job in ran {
        job.answer(outcome.clone());
    }
    outcome
}

/// Ends the transaction that a failed COMMIT, or a statement before it, left open.
fn roll_back(connection: &Connection, outcome: &Result<(), StoreError>) {
    if outcome.is_err()
        && !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "cannot roll back");
    }
}

/// Writes something that changes nothing, to see whether an outage is over.
fn try_again(connection: &Connection) -> Result<(), StoreError> {
    // Where the disk is full, the log can still begin anew in the room that it has.
    match take_in(connection) {
        Err(fault) if fault != Outage::Full.into() => return Err(fault),
        Ok(()) | Err(_) => {}
    }
    let outcome = (|| {
        execute(connection, "BEGIN IMMEDIATE")?;
        connection.pragma_update(None, "user_version", schema::version(connection)?)?;
        Ok(execute(connection, "COMMIT")?)
    })();
    roll_back(connection, &outcome);
    outcome
}

fn transact(
    connection: &Connection,
    group: impl Iterator<Item = Box<dyn Job>>,
    ran: &mut Vec<Box<dyn Job>>,
) -> Result<(), StoreError> {
    let mut group = group.peekable();
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        ran.extend(group);
        return Err(error.into());
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
        let outage = job.outage().cloned();
        ran.push(job);
        if let Some(outage) = outage {
            ran.extend(group);
            return Err(outage.into());
        }
        run?;
    }
    Ok(execute(connection, if undo { "ROLLBACK" } else { "COMMIT" })?)
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
        let (folder, writer, _) = watched();
        (folder, writer)
    }

    /// The same, and its condition. It does not wait for locks.
    fn watched() -> (tempfile::TempDir, Writer, Condition) {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = Connection::open(folder.path().join("t")).expect("a database");
        connection.busy_timeout(Duration::ZERO).expect("set");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;
                 CREATE TABLE t (x INTEGER PRIMARY KEY);
                 CREATE TABLE late (x INTEGER REFERENCES t (x) DEFERRABLE INITIALLY DEFERRED);",
            )
            .expect("tables");
        let condition = Condition::sound();
        let writer = Writer::start(connection, condition.clone()).expect("a thread");
        (folder, writer, condition)
    }

    /// Lets the file have so many pages at most, as a disk without room does.
    async fn limit(writer: &Writer, pages: u32) {
        let limit = writer.submit(move |connection: &Connection| {
            Ok(connection.pragma_update(None, "max_page_count", pages).map_err(StoreError::from)?)
        });
        limit.await.expect("set");
    }

    fn insert_much() -> impl FnOnce(&Connection) -> Result<(), Failure> + Send + 'static {
        |connection| {
            connection
                .execute_batch(
                    "CREATE TABLE IF NOT EXISTS much (x); INSERT INTO much VALUES (zeroblob(99999))",
                )
                .map_err(StoreError::from)?;
            Ok(())
        }
    }

    fn fault(answer: Result<(), Failure>) -> StoreError {
        match answer {
            Err(Failure::Fault(fault)) => fault,
            other => panic!("no fault: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_the_answer_of_the_whole_group_until_there_is_room() {
        let (_folder, writer, condition) = watched();
        limit(&writer, 10).await;
        let changes = condition.changes();
        let release = block(&writer);
        let (good, full, last) =
            (writer.submit(insert(1)), writer.submit(insert_much()), writer.submit(insert(2)));
        drop(release);
        for answer in [good.await, full.await, last.await] {
            assert_eq!(fault(answer), Outage::Full.into());
        }
        assert!(changes.has_changed().is_ok_and(|changed| changed));
        assert_eq!(fault(writer.submit(insert_much()).await), Outage::Full.into());
        assert_eq!(rows(&writer).await, [0; 0]);
        limit(&writer, 1000).await;
        assert_eq!(writer.submit(insert_much()).await, Ok(()));
        assert_eq!(condition.outage(), None);
    }

    #[tokio::test]
    async fn a_full_disk_that_has_room_again_is_found_out_by_itself() {
        let (_folder, writer, condition) = watched();
        limit(&writer, 10).await;
        assert_eq!(fault(writer.submit(insert_much()).await), Outage::Full.into());
        let mut changes = condition.changes();
        limit(&writer, 1000).await;
        let over = changes.wait_for(Option::is_none).await;
        assert!(over.is_ok());
    }

    #[tokio::test]
    async fn what_another_process_keeps_locked_is_stored_once_it_lets_go() {
        let (folder, writer, condition) = watched();
        let other = Connection::open(folder.path().join("t")).expect("a connection");
        other.execute_batch("BEGIN IMMEDIATE").expect("locked");
        assert_eq!(fault(writer.submit(insert(1)).await), Outage::Locked.into());
        assert_eq!(condition.outage(), Some(Outage::Locked));
        other.execute_batch("ROLLBACK").expect("let go");
        assert_eq!(writer.submit(insert(1)).await, Ok(()));
        assert_eq!(condition.outage(), None);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_written_any_more_whoever_met_it() {
        let failure = || Outage::Disk("a test".to_owned());
        let (_folder, writer, condition) = watched();
        let release = block(&writer);
        let good = writer.submit(insert(1));
        let bad: Write<'_, ()> = writer.submit(move |_| Err(StoreError::from(failure()).into()));
        drop(release);
        for answer in [good.await, bad.await] {
            assert_eq!(fault(answer), failure().into());
        }
        assert_eq!(condition.failed().await, failure());
        assert_eq!(fault(writer.submit(insert(2)).await), StoreError::Stopped);

        let (folder, writer, condition) = watched();
        assert!(condition.after::<()>(Err(failure().into())).is_err(), "a read");
        assert_eq!(fault(writer.submit(insert(2)).await), StoreError::Stopped);
        let file = Connection::open(folder.path().join("t")).expect("a connection");
        let count = file.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        assert_eq!(count, Ok(0));
    }

    #[tokio::test]
    async fn a_damaged_page_is_a_failure() {
        let (folder, writer, condition) = watched();
        assert_eq!(writer.submit(insert_much()).await, Ok(()));
        let other = Connection::open(folder.path().join("t")).expect("a connection");
        other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("in the file");
        let file = std::fs::OpenOptions::new().write(true).open(folder.path().join("t"));
        let file = file.expect("the file");
        let rest = usize::try_from(file.metadata().expect("a length").len()).expect("short") - 4096;
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0x55; rest], 4096).expect("damaged");
        let read: Write<'_, i64> = writer.submit(|connection: &Connection| {
            connection.execute_batch("PRAGMA shrink_memory").map_err(StoreError::from)?;
            let sum = "SELECT sum(length(CAST(x AS TEXT))) FROM much";
            Ok(connection.query_row(sum, [], |row| row.get(0)).map_err(StoreError::from)?)
        });
        drop(read.await);
        assert_eq!(condition.failure().map(|outage| outage.cause()), Some("damaged"));
    }

    #[tokio::test]
    async fn a_panic_of_the_thread_itself_is_a_failure() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("this is the panic");
            }
        }
        let (_folder, writer, condition) = watched();
        // Nobody waits for the answer, so the thread drops it.
        drop(writer.submit(|_| Ok(Bomb)));
        assert_eq!(condition.failed().await, Outage::Panicked);
        assert_eq!(fault(writer.submit(insert(1)).await), StoreError::Stopped);
        writer.stop();
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
