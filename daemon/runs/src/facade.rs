//! One call, one commit: for everyone who doesn't compose transactions.

use convergio_store::Store;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::accept::{self, Accepted, NewRun};
use crate::error::RunsError;
use crate::event::{Event, EventPage};
use crate::log::{self, Ending, NewEvent};
use crate::query::{self, ListFilter, RunPage};
use crate::recovery;
use crate::retention::{self, Pruned, Retention};
use crate::run::{Run, Tenant, local_tenant};
use crate::silence::{self, NewSilence, Silence};
use crate::undo::{self, NewUndo, Undo, UndoEntry, UndoState};

/// Rows that one transaction removes: a few milliseconds.
const SLICE_ROWS: usize = 200;

/// Interrupted runs that one transaction ends.
const RECOVER_SLICE: usize = 200;

/// Slices in one round of pruning; what is left waits for the next round.
const SLICES_MAX: usize = 1_000;

/// The runs of the local tenant. Clones share the store.
#[derive(Debug, Clone)]
pub struct Runs {
    store: Store,
    tenant: Tenant,
    retention: Retention,
}

impl Runs {
    /// Looks up the local tenant.
    ///
    /// # Errors
    /// What the store said.
    pub async fn new(store: Store, retention: Retention) -> Result<Self, RunsError> {
        let tenant = store.read("find the local tenant", local_tenant).await?;
        Ok(Self {
            store,
            tenant,
            retention,
        })
    }

    /// The store, for composing transactions and for its health.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whose runs these are.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// How long things are kept.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// See [`accept::accept`].
    ///
    /// # Errors
    /// As there.
    pub async fn accept(&self, new: NewRun) -> Result<Accepted, RunsError> {
        let tenant = self.tenant;
        self.store
            .write("accept a run", move |tx| {
                accept::accept(tx, tenant, &new, now_ms())
            })
            .await
    }

    /// Accepts a run and, if it is new, appends its first events in the same commit. Answers the
    /// log's end too.
    ///
    /// # Errors
    /// As [`accept::accept`] and [`log::append`].
    pub async fn accept_with(
        &self,
        new: NewRun,
        events: Vec<NewEvent>,
    ) -> Result<(Accepted, u64), RunsError> {
        let tenant = self.tenant;
        self.store
            .write("accept a run", move |tx| {
                let accepted = accept::accept(tx, tenant, &new, now_ms())?;
                let last_seq = match &accepted {
                    Accepted::New(run) => log::append(tx, run.id, &events, now_ms())?,
                    Accepted::Replay(run) => log::last_seq(tx, run.id)?,
                };
                Ok((accepted, last_seq))
            })
            .await
    }

    /// See [`log::append`].
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, run_id: Uuid, events: Vec<NewEvent>) -> Result<u64, RunsError> {
        self.store
            .write("append events", move |tx| {
                log::append(tx, run_id, &events, now_ms())
            })
            .await
    }

    /// See [`log::finish`].
    ///
    /// # Errors
    /// As there.
    pub async fn finish(&self, run_id: Uuid, ending: Ending) -> Result<u64, RunsError> {
        self.finish_with(run_id, Vec::new(), ending).await
    }

    /// Appends the last events and ends the run, in one commit. Answers the terminal event's `seq`.
    ///
    /// # Errors
    /// As [`log::append`] and [`log::finish`].
    pub async fn finish_with(
        &self,
        run_id: Uuid,
        events: Vec<NewEvent>,
        ending: Ending,
    ) -> Result<u64, RunsError> {
        let retention = self.retention;
        self.store
            .write("end a run", move |tx| {
                let now_ms = now_ms();
                log::append(tx, run_id, &events, now_ms)?;
                log::finish(tx, run_id, &ending, now_ms, &retention)
            })
            .await
    }

    /// See [`log::events`].
    ///
    /// # Errors
    /// As there.
    pub async fn events(
        &self,
        run_id: Uuid,
        after_seq: u64,
        limit: usize,
    ) -> Result<EventPage, RunsError> {
        self.store
            .read("read events", move |conn| {
                log::events(conn, run_id, after_seq, limit)
            })
            .await
    }

    /// See [`query::get`].
    ///
    /// # Errors
    /// As there.
    pub async fn get(&self, run_id: Uuid) -> Result<Run, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("get a run", move |conn| query::get(conn, tenant, run_id))
            .await
    }

    /// See [`query::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list(&self, filter: ListFilter) -> Result<RunPage, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("list runs", move |conn| query::list(conn, tenant, &filter))
            .await
    }

    /// See [`query::latest_review`].
    ///
    /// # Errors
    /// As there.
    pub async fn latest_review(
        &self,
        root: String,
        selection: Option<String>,
    ) -> Result<Option<(Run, Vec<Event>)>, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("find the latest review", move |conn| {
                query::latest_review(conn, tenant, &root, selection.as_deref())
            })
            .await
    }

    /// Ends every run that a former daemon left running; call it once, before accepting any. See
    /// [`recovery::recover`].
    ///
    /// # Errors
    /// As there.
    pub async fn recover(&self, payload: Box<RawValue>) -> Result<Vec<Uuid>, RunsError> {
        let (tenant, retention) = (self.tenant, self.retention);
        let mut all = Vec::new();
        loop {
            let payload = payload.clone();
            let some = self
                .store
                .write("end interrupted runs", move |tx| {
                    let payload = |_, _| payload.clone();
                    recovery::recover(tx, tenant, &payload, now_ms(), &retention, RECOVER_SLICE)
                })
                .await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }

    /// Removes what has expired, in short transactions beside live traffic, and leaves none of it
    /// in the log. See [`retention::prune`].
    ///
    /// # Errors
    /// As there.
    pub async fn prune(&self) -> Result<Pruned, RunsError> {
        let retention = self.retention;
        let mut all = Pruned::default();
        for _ in 0..SLICES_MAX {
            let some = self
                .store
                .write("remove what has expired", move |tx| {
                    retention::prune(tx, now_ms(), &retention, SLICE_ROWS)
                })
                .await?;
            if some.total() == 0 {
                break;
            }
            all.add(some);
        }
        if all.total() > 0 && !self.store.scrub().await? {
            tracing::info!("a reader holds the log: what was removed leaves it later");
        }
        Ok(all)
    }

    /// Deletes an ended run with its events: unseen at once, then removed.
    ///
    /// # Errors
    /// As [`retention::delete`].
    pub async fn delete(&self, run_id: Uuid) -> Result<Pruned, RunsError> {
        let tenant = self.tenant;
        self.store
            .write("delete a run", move |tx| {
                retention::delete(tx, tenant, run_id)
            })
            .await?;
        self.prune().await
    }

    /// See [`silence::add`].
    ///
    /// # Errors
    /// As there.
    pub async fn add_silence(&self, new: NewSilence) -> Result<bool, RunsError> {
        let tenant = self.tenant;
        self.store
            .write("silence a finding", move |tx| {
                silence::add(tx, tenant, &new, now_ms())
            })
            .await
    }

    /// See [`silence::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn silences(&self, root: String) -> Result<Vec<Silence>, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("list silences", move |conn| {
                silence::list(conn, tenant, &root)
            })
            .await
    }

    /// See [`silence::remove`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove_silence(
        &self,
        root: String,
        fingerprint: String,
    ) -> Result<bool, RunsError> {
        let tenant = self.tenant;
        self.store
            .write("end a silence", move |tx| {
                silence::remove(tx, tenant, &root, &fingerprint)
            })
            .await
    }

    /// See [`undo::put`].
    ///
    /// # Errors
    /// As there.
    pub async fn put_undo(&self, new: NewUndo) -> Result<(), RunsError> {
        let (tenant, retention) = (self.tenant, self.retention);
        self.store
            .write("keep the way back", move |tx| {
                undo::put(tx, tenant, &new, now_ms(), &retention)
            })
            .await
    }

    /// See [`undo::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list_undo(
        &self,
        root: Option<String>,
        limit: usize,
    ) -> Result<Vec<UndoEntry>, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("list undo entries", move |conn| {
                undo::list(conn, tenant, root.as_deref(), limit)
            })
            .await
    }

    /// See [`undo::get`].
    ///
    /// # Errors
    /// As there.
    pub async fn get_undo(&self, id: Uuid) -> Result<Undo, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("get an undo entry", move |conn| undo::get(conn, tenant, id))
            .await
    }

    /// See [`undo::latest`].
    ///
    /// # Errors
    /// As there.
    pub async fn latest_undo(&self, root: Option<String>) -> Result<Option<Undo>, RunsError> {
        let tenant = self.tenant;
        self.store
            .read("find the latest change", move |conn| {
                undo::latest(conn, tenant, root.as_deref())
            })
            .await
    }

    /// See [`undo::set_state`].
    ///
    /// # Errors
    /// As there.
    pub async fn set_undo_state(&self, id: Uuid, state: UndoState) -> Result<(), RunsError> {
        let tenant = self.tenant;
        self.store
            .write("mark an undo entry", move |tx| {
                undo::set_state(tx, tenant, id, state, now_ms())
            })
            .await
    }
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
