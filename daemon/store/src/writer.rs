//! The one thread that writes: jobs in, one transaction for all that wait, answers after the sync.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::backup::truncate_log;
use crate::connection::{CHECKPOINT_FRAMES, Mode, Target};
use crate::error::{StoreError, at, take_disk_error};
use crate::health::Health;
use crate::readers::Readers;

/// Jobs in one transaction at most, so that the first one's answer doesn't wait for a flood.
const BATCH_MAX: usize = 256;

const COMMIT: &str = "commit";
const RECOVER: &str = "recover after a disk error";

/// An open write transaction, lent to a job. Dereferences to the connection; only the store makes
/// one, so that a function which takes it can't run outside of a transaction.
pub struct Tx<'c> {
    conn: &'c Connection,
}

impl Deref for Tx<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

/// What the writer is asked.
pub(crate) enum Message {
    Write(Job),
    /// Something that only reads, where the writer's connection is the only one.
    Read(&'static str, Call),
    /// Something that needs to stand outside of any transaction.
    Call(&'static str, Call),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

pub(crate) type Call = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// One caller's change.
pub(crate) struct Job {
    activity: &'static str,
    run: Box<dyn FnOnce(&Tx<'_>) -> Ran + Send>,
    refuse: Reply,
}

/// A job that ran; its caller hears of it when the transaction's fate is known.
struct Ran {
    failed: bool,
    reply: Reply,
}

type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl Job {
    pub(crate) fn new<T, E, F>(
        activity: &'static str,
        f: F,
        reply: oneshot::Sender<Result<T, E>>,
    ) -> Self
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        // Either the job runs or it is refused, and only one of them may answer.
        let reply = Arc::new(std::sync::Mutex::new(Some(reply)));
        let answer = {
            let reply = Arc::clone(&reply);
            move |outcome: Result<T, E>| {
                let reply = reply
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .take();
                if let Some(reply) = reply {
                    // Nobody listens any more: the caller's future was dropped.
                    let _ = reply.send(outcome);
                }
            }
        };
        let answer_refused = answer.clone();
        Self {
            activity,
            run: Box::new(move |tx| {
                let outcome = catch_unwind(AssertUnwindSafe(|| f(tx)))
                    .unwrap_or_else(|_| Err(StoreError::Panicked { activity }.into()));
                Ran {
                    failed: outcome.is_err(),
                    // An error may rest on changes of this transaction's other jobs: when they
                    // didn't come to be, the commit's error is the truth.
                    reply: Box::new(move |commit| match commit {
                        Ok(()) => answer(outcome),
                        Err(error) => answer(Err(error.into())),
                    }),
                }
            }),
            refuse: Box::new(move |reason| {
                if let Err(error) = reason {
                    answer_refused(Err(error.into()));
                }
            }),
        }
    }
}

/// What the thread owns.
pub(crate) struct Writer {
    /// `None` after a disk error, until it could be reopened.
    conn: Option<Connection>,
    mode: Mode,
    /// `None` in memory.
    target: Option<Target>,
    readers: Option<Arc<Readers>>,
    health: watch::Sender<Health>,
    /// Frames in the log after the latest commit, told by the library.
    frames: Arc<AtomicI32>,
    frames_before: i32,
    checkpoint_at: i32,
    /// What the connection believes about the file can't be trusted.
    suspect: bool,
    /// Verified to be damaged: no write is tried again in this process.
    damaged: Option<StoreError>,
}

/// How a store came up.
pub(crate) struct Opened {
    pub(crate) conn: Connection,
    pub(crate) mode: Mode,
    pub(crate) target: Option<Target>,
    pub(crate) readers: Option<Arc<Readers>>,
    pub(crate) suspect: bool,
}

impl Writer {
    pub(crate) fn new(
        opened: Opened,
        health: watch::Sender<Health>,
    ) -> Result<Self, rusqlite::Error> {
        let mut writer = Self {
            conn: None,
            mode: opened.mode,
            target: opened.target,
            readers: opened.readers,
            health,
            frames: Arc::new(AtomicI32::new(0)),
            frames_before: 0,
            checkpoint_at: CHECKPOINT_FRAMES,
            suspect: opened.suspect,
            damaged: None,
        };
        writer.adopt(opened.conn)?;
        Ok(writer)
    }

    fn adopt(&mut self, mut conn: Connection) -> Result<(), rusqlite::Error> {
        let frames = Arc::clone(&self.frames);
        frames.store(0, Ordering::Relaxed);
        conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, in_log| {
            frames.store(in_log, Ordering::Relaxed);
            Ok(())
        }))?;
        self.conn = Some(conn);
        Ok(())
    }

    /// Serves until every handle is gone, or one asks to close.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut next = None;
        let mut waiting = None;
        while let Some(message) = next.take().or_else(|| queue.blocking_recv()) {
            match message {
                Message::Write(job) => next = self.batch(job, &mut queue),
                Message::Read(activity, call) => self.read(activity, call),
                Message::Call(activity, call) => call(self.usable(activity)),
                Message::Close(reply) => {
                    waiting = Some(reply);
                    break;
                }
            }
        }
        // What is still queued is dropped here, and its callers hear that the store is closed.
        drop(queue);
        let outcome = self.finish();
        if let Some(reply) = waiting {
            let _ = reply.send(outcome);
        }
    }

    fn finish(mut self) -> Result<(), StoreError> {
        if let Some(readers) = &self.readers {
            readers.close();
        }
        let Some(conn) = self.conn.take() else {
            return Ok(());
        };
        if self.target.is_none() || self.mode == Mode::Immutable {
            return Ok(());
        }
        let outcome = truncate_log(&conn).map(|_| ());
        if let Err(error) = &outcome {
            tracing::warn!(%error, "the log stays for the next start");
        }
        outcome
    }

    fn read(&mut self, activity: &'static str, call: Call) {
        // A failing disk stops writes; reading goes on for as long as there is a connection.
        let conn = match &self.conn {
            Some(conn) => conn,
            None => match self.usable(activity) {
                Ok(conn) => conn,
                Err(error) => return call(Err(error)),
            },
        };
        let query_only = |on: bool| {
            conn.pragma_update(None, "query_only", on)
                .map_err(at(conn, activity))
        };
        if let Err(error) = query_only(true) {
            return call(Err(error));
        }
        call(Ok(conn));
        if let Err(error) = query_only(false) {
            self.failed(&error);
        }
    }

    /// The connection, after whatever recovery is due.
    fn usable(&mut self, activity: &'static str) -> Result<&Connection, StoreError> {
        if let Some(error) = &self.damaged {
            return Err(error.clone());
        }
        if self.suspect || self.conn.is_none() {
            let recovered = self.recover();
            if let Err(error) = recovered {
                tracing::error!(%error, "the database is not usable yet");
                self.note(&error);
                if let StoreError::Damaged { .. } = error {
                    self.damaged = Some(error.clone());
                }
                return Err(error);
            }
            self.suspect = false;
        }
        if self.mode == Mode::Immutable {
            self.leave_immutable();
        }
        self.conn.as_ref().ok_or(StoreError::Closed { activity })
    }

    /// Space may have come back: a connection that can write takes the place of the frozen one.
    fn leave_immutable(&mut self) {
        let Some(target) = &self.target else { return };
        if let Ok(conn) = target.writer(Mode::Exclusive)
            && self.adopt(conn).is_ok()
        {
            self.mode = Mode::Exclusive;
        }
    }

    /// After a failed sync the log may hold frames that never reached the disk although the system
    /// now calls them clean, and a commit appended behind them could be lost with them. So the
    /// connection that knows what was acknowledged copies just that into the database and syncs
    /// it; then the file is opened anew and verified, and its log emptied, before anything is
    /// acknowledged again.
    fn recover(&mut self) -> Result<(), StoreError> {
        let Some(target) = self.target.clone() else {
            return Ok(());
        };
        if let Some(readers) = &self.readers {
            readers.renew();
        }
        if let Some(conn) = self.conn.take() {
            if !conn.is_autocommit() {
                let _ = conn.execute_batch("ROLLBACK");
            }
            if let Err(error) = truncate_log(&conn) {
                tracing::warn!(%error, "the log could not be copied before reopening");
            }
        }
        let conn = target.writer(self.mode)?;
        if !truncate_log(&conn)? {
            return Err(StoreError::Busy {
                path: target.path,
                activity: RECOVER,
            });
        }
        let verdict: String = conn
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(at(&conn, RECOVER))?;
        if verdict != "ok" {
            return Err(StoreError::Damaged {
                path: target.path,
                activity: RECOVER,
                detail: verdict,
            });
        }
        let path = PathBuf::from(conn.path().unwrap_or_default());
        self.adopt(conn)
            .map_err(|e| StoreError::from_sqlite(&path, RECOVER, e))
    }

    /// Runs `first` and what waits behind it in one transaction. Hands back a message of another
    /// kind that it met.
    fn batch(&mut self, first: Job, queue: &mut mpsc::Receiver<Message>) -> Option<Message> {
        let begun = self
            .usable(first.activity)
            .and_then(|conn| statement(conn, first.activity, "BEGIN IMMEDIATE"));
        if let Err(error) = begun {
            self.failed(&error);
            (first.refuse)(Err(error));
            return None;
        }
        // `usable` has just lent it.
        let conn = self.conn.as_ref()?;
        self.frames.store(-1, Ordering::Relaxed);
        let mut replies = Vec::new();
        let mut changes = false;
        let mut fate = Ok(());
        let mut next = None;
        let mut job = Some(first);
        while let Some(current) = job.take() {
            match in_savepoint(conn, current, &mut replies) {
                Ok(kept) => changes |= kept,
                Err(error) => {
                    fate = Err(error);
                    break;
                }
            }
            if replies.len() == BATCH_MAX {
                break;
            }
            match queue.try_recv() {
                Ok(Message::Write(waiting)) => job = Some(waiting),
                Ok(other) => next = Some(other),
                Err(_) => {}
            }
        }
        let end = if changes { "COMMIT" } else { "ROLLBACK" };
        let fate = fate.and_then(|()| statement(conn, COMMIT, end));
        if fate.is_err() && !conn.is_autocommit() {
            // Nothing more can be done about a rollback that fails: reopening is what follows.
            let _ = conn.execute_batch("ROLLBACK");
        }
        let in_log = self.frames.load(Ordering::Relaxed);
        match &fate {
            Ok(()) if in_log >= 0 => self.worked(),
            Ok(()) => {}
            Err(error) => self.failed(error),
        }
        for reply in replies {
            reply(fate.clone());
        }
        // After the answers: copying the log is nobody's latency.
        if in_log >= 0 {
            self.bound_log(in_log);
        } else if fate.is_err_and(|error| error.is_disk_full()) {
            self.free_log();
        }
        next
    }

    /// Copies the log into the database when it is long, so that it begins anew.
    fn bound_log(&mut self, in_log: i32) {
        if in_log < self.frames_before {
            // It began anew.
            self.checkpoint_at = CHECKPOINT_FRAMES;
        }
        self.frames_before = in_log;
        if in_log >= self.checkpoint_at {
            // A reader that holds the log makes it grow on: then not after every commit.
            self.checkpoint_at = in_log.saturating_add(CHECKPOINT_FRAMES / 4);
            self.checkpoint();
        }
    }

    /// The disk is full: a log that was copied begins anew in the room that it has already. Once,
    /// until a commit works again.
    fn free_log(&mut self) {
        if std::mem::take(&mut self.frames_before) > 0 {
            self.checkpoint();
        }
    }

    fn checkpoint(&mut self) {
        let Some(conn) = self.conn.as_ref().filter(|_| !self.suspect) else {
            return;
        };
        let copied = conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(at(conn, "copy the log into the database"));
        if let Err(error) = copied {
            tracing::warn!(%error, "the log stays");
            if error.makes_suspect() {
                self.failed(&error);
            }
        }
    }

    fn worked(&mut self) {
        self.tell(Health::Ok);
    }

    fn failed(&mut self, error: &StoreError) {
        if error.makes_suspect() {
            self.suspect = self.target.is_some();
        }
        self.note(error);
    }

    fn note(&self, error: &StoreError) {
        let why = error.to_string();
        self.tell(if error.is_unwritable() {
            Health::ReadOnly { why }
        } else {
            Health::Failing { why }
        });
    }

    fn tell(&self, health: Health) {
        self.health.send_if_modified(|present| {
            let lasts = matches!(present, Health::Unsaved { .. });
            let new = !lasts && *present != health;
            if new {
                *present = health;
            }
            new
        });
    }
}

/// Runs one job; its reply is kept for when the transaction's fate is known. `Ok(true)` when its
/// changes stand. An error means that the whole transaction is lost.
fn in_savepoint(conn: &Connection, job: Job, replies: &mut Vec<Reply>) -> Result<bool, StoreError> {
    let activity = job.activity;
    if let Err(error) = statement(conn, activity, "SAVEPOINT job") {
        replies.push(job.refuse);
        return Err(error);
    }
    take_disk_error();
    let ran = (job.run)(&Tx { conn });
    replies.push(ran.reply);
    if conn.is_autocommit() {
        // Either the job ended it, or the library did after an error (disk full in mid-statement).
        return Err(take_disk_error().unwrap_or(StoreError::TransactionEnded { activity }));
    }
    if ran.failed {
        statement(conn, activity, "ROLLBACK TO job")?;
    }
    statement(conn, activity, "RELEASE job")?;
    Ok(!ran.failed)
}

fn statement(conn: &Connection, activity: &'static str, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
        .map(|_| ())
        .map_err(at(conn, activity))
}
