//! The handle that the rest of the daemon holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::backup::{self, BackupReport};
use crate::check;
use crate::connection::Target;
use crate::error::StoreError;
use crate::health::Health;
use crate::open;
use crate::options::StoreOptions;
use crate::readers::{Readers, snapshot};
use crate::writer::{Job, Message, Tx};

/// A handle on the open database; clones share it.
///
/// The database closes, after all queued jobs, when the last clone is dropped or on
/// [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    /// Counts writes that were answered with `Ok`.
    commits: Arc<watch::Sender<u64>>,
}

pub(crate) struct Inner {
    pub(crate) path: Option<PathBuf>,
    pub(crate) queue: mpsc::Sender<Message>,
    /// `None` where one connection does all: on a full disk, and in memory.
    pub(crate) readers: Option<(Arc<Readers>, Target)>,
    pub(crate) health: watch::Receiver<Health>,
    pub(crate) thread: std::sync::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.inner.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            commits: Arc::default(),
        }
    }

    /// Opens (or makes) the database in `options.dir`, migrates it, and starts its writer. Blocks
    /// for as long as the disk takes; needs no runtime.
    ///
    /// On a full or read-only disk it opens what it can: an existing database of the right schema
    /// for reading ([`Health::ReadOnly`]), else one in memory ([`Health::Unsaved`]).
    ///
    /// # Errors
    /// [`StoreError::SchemaNewer`], [`StoreError::Damaged`], [`StoreError::Foreign`],
    /// [`StoreError::UnsafeFolder`], [`StoreError::LibraryTooOld`], [`StoreError::Migration`], or
    /// what the disk said.
    pub fn open(options: &StoreOptions) -> Result<Self, StoreError> {
        open::open(options)
    }

    /// A store that lives in memory, [`Health::Unsaved`] with `why`, ended with the process. It is
    /// the fallback for what must run although the disk is full.
    ///
    /// # Errors
    /// When even that can't be made.
    pub fn in_memory(options: &StoreOptions, why: &str) -> Result<Self, StoreError> {
        open::in_memory(options, why)
    }

    /// The database's file; `None` in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Runs `f` inside a write transaction and answers after that is durable.
    ///
    /// Jobs that wait while a commit runs share the next transaction, each in a savepoint: an `Err`
    /// from `f` undoes only its own changes. `Ok` means that the commit was synced. An `Err` after
    /// `f` returned `Ok` means that it was not acknowledged: after [`StoreError::DiskFull`] nothing
    /// was changed, after [`StoreError::Device`] the outcome is unknown until the next write works.
    ///
    /// Waits while the queue is full. Dropping the future before it was queued prevents the job;
    /// after that the job runs and nobody hears its result.
    ///
    /// `f` must be short (it holds up every writer), must not end the transaction, and may run on
    /// any thread.
    ///
    /// # Errors
    /// What `f` returned, or a [`StoreError`] turned into `E`.
    pub async fn write<T, E, F>(&self, activity: &'static str, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Job::new(activity, f, reply);
        let closed = || E::from(StoreError::Closed { activity });
        self.inner
            .queue
            .send(Message::Write(job))
            .await
            .map_err(|_| closed())?;
        let outcome = answer.await.unwrap_or_else(|_| Err(closed()));
        if outcome.is_ok() {
            self.commits
                .send_modify(|count| *count = count.wrapping_add(1));
        }
        outcome
    }

    /// Runs `f` on one consistent state of the database, which includes every write that was
    /// answered before. Waits for a free reader; runs off the async threads.
    ///
    /// # Errors
    /// What `f` returned, or a [`StoreError`] turned into `E`.
    pub async fn read<T, E, F>(&self, activity: &'static str, f: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        match &self.inner.readers {
            Some((readers, _)) => readers.read(activity, f).await,
            None => self
                .on_writer(activity, true, move |conn| snapshot(conn, activity, f))
                .await
                .unwrap_or_else(|e| Err(e.into())),
        }
    }

    /// How the store is doing, as the last attempts showed.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.health.borrow().clone()
    }

    /// Follows [`Store::health`].
    #[must_use]
    pub fn watch_health(&self) -> watch::Receiver<Health> {
        self.inner.health.clone()
    }

    /// Changes after each [`Store::write`] that was answered with `Ok`, and whose caller waited for
    /// that: a hint that what was read before may be old.
    #[must_use]
    pub fn watch_commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Writes a checked copy to `path`, which must not exist. Runs beside live traffic; takes as
    /// long as writing and reading the copy takes.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] names the copy's disk; [`StoreError::Damaged`] when the copy did
    /// not pass its check.
    pub async fn backup_to(&self, path: &Path) -> Result<BackupReport, StoreError> {
        const ACTIVITY: &str = "back up the database";
        let path = path.to_path_buf();
        match &self.inner.readers {
            // A connection of its own: a reader's is barred from writing, even elsewhere.
            Some((_, target)) => {
                let target = target.clone();
                blocking(ACTIVITY, move || {
                    let conn = target.writer(crate::connection::Mode::Shared)?;
                    backup::write(&conn, &path)
                })
                .await
            }
            None => {
                self.on_writer(ACTIVITY, false, move |conn| backup::write(conn, &path))
                    .await?
            }
        }
    }

    /// Reads the whole database and lists what is wrong with it (nothing if it is sound; 100 lines
    /// at most).
    ///
    /// # Errors
    /// When the database can't be read at all.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreError> {
        self.read("check the database", check::problems).await
    }

    /// Copies the log into the database and empties it, so that nothing deleted is left in it.
    /// `false` when a reader or another process held it: try again later.
    ///
    /// # Errors
    /// What the disk said.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        if self.inner.path.is_none() {
            return Ok(true);
        }
        self.on_writer("empty the log", false, backup::truncate_log)
            .await?
    }

    /// Answers what is queued, copies the log into the database, and closes it. Other clones get
    /// [`StoreError::Closed`] from here on.
    ///
    /// # Errors
    /// When the log could not be copied; nothing is lost by that, the next start does it.
    pub async fn close(self) -> Result<(), StoreError> {
        const ACTIVITY: &str = "close the database";
        let (reply, answer) = oneshot::channel();
        if self.inner.queue.send(Message::Close(reply)).await.is_err() {
            return Ok(());
        }
        let outcome = answer
            .await
            .unwrap_or(Err(StoreError::Closed { activity: ACTIVITY }));
        let thread = self
            .inner
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            blocking(ACTIVITY, move || {
                thread
                    .join()
                    .map_err(|_| StoreError::Panicked { activity: ACTIVITY })
            })
            .await?;
        }
        outcome
    }

    /// Runs `f` on the writer's connection, between two transactions.
    async fn on_writer<T, F>(
        &self,
        activity: &'static str,
        reads: bool,
        f: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(move |conn: Result<&Connection, StoreError>| {
            // A panic of a caller's closure must not end the only writer.
            let outcome = conn.and_then(|conn| {
                catch_unwind(AssertUnwindSafe(|| f(conn)))
                    .map_err(|_| StoreError::Panicked { activity })
            });
            // Nobody listens any more: the caller's future was dropped.
            let _ = reply.send(outcome);
        });
        let message = if reads {
            Message::Read(activity, call)
        } else {
            Message::Call(activity, call)
        };
        let closed = StoreError::Closed { activity };
        if self.inner.queue.send(message).await.is_err() {
            return Err(closed);
        }
        answer.await.unwrap_or(Err(closed))
    }
}

async fn blocking<T, F>(activity: &'static str, f: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(f).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => Err(StoreError::Panicked { activity }),
        Err(_) => Err(StoreError::Closed { activity }),
    }
}
