//! Group commit: one thread owns the connection that writes, and folds everything that waits into one transaction.
//!
//! Works are answered after the commit that made them durable, never before. A work that the database cannot do
//! does not fail others: its batch is rolled back and every work of it is done again by itself. When the disk can no longer be
//! believed the writer goes on answering, with that error only.
//!
//! Checkpoints are made here and not by SQLite, which does not tell when one fails.

use std::cell::Cell;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use engine::ports::StoreError;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::failure::{Failure, closed, database_error, ends_trust};
use crate::mark::{MARK, Mark};
use crate::schema;

/// How many works wait at most; more wait outside, and with them those who ask.
const WAITING: usize = 1024;
/// How many works share a commit at most.
const BATCH: usize = 256;
/// A checkpoint is due after so many pages of log: 16 MiB.
const CHECKPOINT_PAGES: i32 = 2_000;
/// From so many pages on readers are waited for, so that the log begins anew: 128 MiB.
const RESTART_PAGES: i32 = 16_000;
/// How long they are waited for.
const RESTART_PATIENCE: Duration = Duration::from_millis(250);

thread_local! {
    /// The length of the log after this thread's last commit, in pages.
    static LOG_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// The way to the writing thread.
pub(crate) struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// `commits` is how many the database has seen; `mark` is told of each that was synced.
    pub(crate) fn start(connection: Connection, commits: u64, mark: Option<Mark>) -> io::Result<Self> {
        let (requests, waiting) = mpsc::channel(WAITING);
        let thread = thread::Builder::new()
            .name("stepwell-writer".to_owned())
            .spawn(move || WriterThread::new(connection, commits, mark).run(waiting))?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Does `work` in the next transaction and returns its answer once that is durable. `work` may be called more than
    /// once, never after it was committed; it is done even if its caller has gone.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Work(Box::new(Pending { work, done: None, reply }))).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Moves the log into the database, so that both files take the space that their content takes.
    pub(crate) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Checkpoint(reply)).await?;
        answer.await.map_err(|_| closed())?
    }

    async fn send(&self, request: Request) -> Result<(), StoreError> {
        match &self.requests {
            Some(requests) => requests.send(request).await.map_err(|_| closed()),
            None => Err(closed()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread of the data directory panicked");
        }
    }
}

enum Request {
    Work(Box<dyn Work>),
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
}

/// Work of a transaction, with a caller that waits for its answer.
trait Work: Send {
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Answers the caller; `outcome` is that of the transaction.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: F,
    done: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Work for Pending<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, Failure> + Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.done = Some(match (self.work)(connection) {
            Ok(value) => Ok(value),
            Err(Failure::Database(error)) => return Err(error),
            Err(refused @ Failure::Refused(_)) => Err(refused.into()),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        let answer = outcome.and_then(|()| done.unwrap_or_else(|| Err(closed())));
        // The caller may have gone: that changes nothing about the commit.
        let _ = reply.send(answer);
    }
}

struct WriterThread {
    connection: Connection,
    commits: u64,
    mark: Option<Mark>,
    /// Set for good when the disk can no longer be believed.
    lost: Option<StoreError>,
    /// The length of the log at which the next checkpoint is tried.
    next_checkpoint: i32,
}

impl WriterThread {
    fn new(connection: Connection, commits: u64, mark: Option<Mark>) -> Self {
        // Takes the place of SQLite's own hook, and so of its own checkpoints.
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }));
        Self { connection, commits, mark, lost: None, next_checkpoint: CHECKPOINT_PAGES }
    }

    fn run(mut self, mut waiting: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(BATCH);
        while waiting.blocking_recv_many(&mut requests, BATCH) > 0 {
            let mut batch = Vec::with_capacity(requests.len());
            let mut checkpoints = Vec::new();
            for request in requests.drain(..) {
                match request {
                    Request::Work(work) => batch.push(work),
                    Request::Checkpoint(reply) => checkpoints.push(reply),
                }
            }
            self.commit(batch);
            if checkpoints.is_empty() {
                self.checkpoint_when_due();
            } else {
                let outcome = self.checkpoint("TRUNCATE");
                for reply in checkpoints {
                    let _ = reply.send(outcome.clone());
                }
            }
        }
    }

    fn commit(&mut self, mut batch: Vec<Box<dyn Work>>) {
        if batch.is_empty() {
            return;
        }
        let outcome = match &self.lost {
            Some(lost) => Err(lost.clone()),
            None => match self.transact(&mut batch) {
                Err(error) if batch.len() > 1 && is_of_one_work(&error) => {
                    for work in batch {
                        self.commit(vec![work]);
                    }
                    return;
                }
                outcome => outcome.map_err(|error| self.note(&error)),
            },
        };
        for work in batch {
            work.answer(outcome.clone());
        }
    }

    /// One transaction, durable when it returns `Ok`, without effect otherwise.
    fn transact(&mut self, batch: &mut [Box<dyn Work>]) -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        for work in batch {
            work.run(&transaction)?;
        }
        let commits = self.commits.saturating_add(1);
        schema::count_commits(&transaction, commits)?;
        transaction.commit()?;
        self.commits = commits;
        if let Some(mark) = &mut self.mark
            && let Err(error) = mark.write(commits)
        {
            // The stored mark stays valid, it only says less: no reason to refuse durable commits.
            tracing::warn!(%error, "{MARK} cannot be written: lost commits will not all be noticed");
            self.mark = None;
        }
        Ok(())
    }

    fn checkpoint_when_due(&mut self) {
        let pages = LOG_PAGES.get();
        if self.lost.is_some() || pages < self.next_checkpoint {
            // The log began anew: count from the start again.
            if pages < CHECKPOINT_PAGES {
                self.next_checkpoint = CHECKPOINT_PAGES;
            }
            return;
        }
        // A reader that hinders a checkpoint (a backup, say) may hinder the next one: it is not tried after every commit.
        self.next_checkpoint = pages.saturating_add(CHECKPOINT_PAGES);
        // Failures that matter are kept in `lost`; one that does not is tried again.
        let _ = self.checkpoint(if pages < RESTART_PAGES { "PASSIVE" } else { "TRUNCATE" });
    }

    /// Moves what readers allow from the log into the database.
    fn checkpoint(&mut self, mode: &str) -> Result<(), StoreError> {
        if let Some(lost) = &self.lost {
            return Err(lost.clone());
        }
        let run = || {
            let before = Duration::from_millis(self.connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?);
            self.connection.busy_timeout(RESTART_PATIENCE)?;
            let outcome =
                self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(0));
            self.connection.busy_timeout(before)?;
            outcome
        };
        match run() {
            Ok(0) => {
                if mode == "TRUNCATE" {
                    LOG_PAGES.set(0);
                }
                Ok(())
            }
            // Readers are in the way: the rest is moved next time.
            Ok(_) => Ok(()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
            Err(error) => Err(self.note(&error)),
        }
    }

    fn note(&mut self, error: &rusqlite::Error) -> StoreError {
        let told = database_error(error);
        if ends_trust(error) && self.lost.is_none() {
            tracing::error!(error = %told, "the data directory cannot be written: nothing is acknowledged any more");
            self.lost = Some(StoreError {
                message: format!("the data directory failed and has to be opened again ({told})"),
                retryable: false,
            });
        }
        told
    }
}

/// Whether the rest of a batch may fare better without the work that failed.
fn is_of_one_work(error: &rusqlite::Error) -> bool {
    let of_all = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    !of_all && !ends_trust(error)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    fn writer(home: &tempfile::TempDir) -> Writer {
        let mut connection = Connection::open(home.path().join("test.db")).expect("opens");
        schema::create(&mut connection, &[1; 32]).expect("is created");
        Writer::start(connection, 0, None).expect("starts")
    }

    async fn add(writer: &Writer, id: i64, fails_with: Option<i32>) -> Result<(), StoreError> {
        let work = move |connection: &Connection| {
            connection.execute("INSERT INTO discarded (id) VALUES (?1)", [id])?;
            match fails_with {
                None => Ok(()),
                Some(code) => {
                    Err(Failure::Database(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)))
                }
            }
        };
        writer.write(work).await
    }

    async fn stored(writer: &Writer) -> Vec<i64> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT id FROM discarded ORDER BY id")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        writer.write(read).await.expect("reads")
    }

    #[tokio::test]
    async fn a_work_that_fails_takes_nobody_along() {
        let home = tempfile::tempdir().expect("a directory");
        let writer = writer(&home);
        let works = (0..50).map(|id| add(&writer, id, (id == 20).then_some(rusqlite::ffi::SQLITE_CONSTRAINT)));
        let failed: Vec<_> = join_all(works).await.iter().map(Result::is_err).collect();
        assert_eq!(failed, (0..50).map(|id| id == 20).collect::<Vec<_>>());
        assert_eq!(stored(&writer).await, (0..50).filter(|id| *id != 20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_is_acknowledged() {
        let home = tempfile::tempdir().expect("a directory");
        let writer = writer(&home);
        add(&writer, 1, None).await.expect("is written");
        let failed = add(&writer, 2, Some(rusqlite::ffi::SQLITE_IOERR_FSYNC)).await.expect_err("the disk failed");
        assert!(!failed.retryable);
        let refused = add(&writer, 3, None).await.expect_err("the disk is not believed any more");
        assert!(refused.message.contains("has to be opened again"), "{refused}");
        writer.checkpoint().await.expect_err("the disk is not believed any more");
        drop(writer);
        let connection = Connection::open(home.path().join("test.db")).expect("opens");
        let ids: Vec<i64> = connection
            .prepare("SELECT id FROM discarded")
            .and_then(|mut all| all.query_map([], |row| row.get(0))?.collect())
            .expect("reads");
        assert_eq!(ids, [1]);
    }

    #[tokio::test]
    async fn a_full_disk_is_no_reason_to_stop() {
        let home = tempfile::tempdir().expect("a directory");
        let writer = writer(&home);
        let fill = |pages: i64, bytes: i64| {
            writer.write(move |connection: &Connection| {
                connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
                connection.execute("INSERT INTO starts (id, body) VALUES (?1, zeroblob(?1))", [bytes])?;
                Ok(())
            })
        };
        let full = fill(40, 1 << 20).await.expect_err("1 MiB does not fit 40 pages");
        assert!(full.retryable, "{full}");
        fill(40, 1).await.expect("a byte fits");
        fill(4_000, 1 << 20).await.expect("there is space again");
    }

    #[tokio::test]
    async fn what_was_asked_for_is_done_before_the_writer_ends() {
        let home = tempfile::tempdir().expect("a directory");
        let writer = writer(&home);
        // Asked, and no longer interested in the answer.
        let _ = add(&writer, 5, None).now_or_never();
        drop(writer);
        let connection = Connection::open(home.path().join("test.db")).expect("opens");
        let id: i64 = connection.query_row("SELECT id FROM discarded", [], |row| row.get(0)).expect("is there");
        assert_eq!(id, 5);
    }
}
