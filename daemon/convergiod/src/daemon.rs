//! What every part of the running daemon shares.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use convergio_contract::{RpcError, Uuid, health::StartedBy};
use convergio_runs::Runs;
use convergio_store::{Store, StoreOptions};
use tokio::sync::{Notify, watch};

use crate::{
    Surroundings,
    accept::Connections,
    background::Background,
    bus::live::LiveRuns,
    configuration::Configuration,
    desktop::{Desktop, held::Held},
    failure,
    gateway::Gateway,
    log::Log,
    providers::ModelHouse,
    reminders::Reminders,
    rpc,
    run_kinds::record::Books,
    topics::Topics,
};

/// Where the daemon stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything is served.
    Serving,
    /// No new run; what runs may end.
    Draining,
    /// Nothing is waited for.
    Ending,
}

/// What the daemon tells of itself with every look, ready to be told.
pub(crate) struct Shown {
    pub(crate) pid: u32,
    pub(crate) socket: String,
    pub(crate) data_dir: String,
    pub(crate) log_file: String,
    pub(crate) config_file: String,
}

/// The daemon's shared state. The methods of the contract are implemented on it, a file per
/// resource in [`crate::rpc`].
pub(crate) struct Daemon {
    pub(crate) this: Weak<Daemon>,
    pub(crate) surroundings: Surroundings,
    /// Changes with every start.
    pub(crate) epoch: String,
    pub(crate) shown: Shown,
    pub(crate) started_by: StartedBy,
    pub(crate) started: Instant,
    /// What is listened on; the endpoint's, unless a service manager opened another.
    pub(crate) socket: PathBuf,
    /// The only user that is served.
    pub(crate) peer_uid: u32,
    pub(crate) configuration: Configuration,
    pub(crate) log: Arc<Log>,
    pub(crate) store: Store,
    pub(crate) connections: Arc<Connections>,
    pub(crate) background: Background,
    pub(crate) live: Arc<LiveRuns>,
    pub(crate) phase: watch::Sender<Phase>,
    /// Somebody newer was here, or asked for it: end as soon as nobody needs us.
    pub(crate) restart_when_idle: AtomicBool,
    /// The wish above was made.
    pub(crate) wish: Notify,
    /// Set when the database was opened and recovered, before anybody is served.
    pub(crate) bound_runs: OnceLock<(Runs, Uuid)>,
    /// In memory: for runs of local models while the disk takes nothing. Made when first needed.
    pub(crate) unsaved_books: tokio::sync::OnceCell<Books>,
    /// What models are asked with.
    pub(crate) models: ModelHouse,
    pub(crate) timing: RunsTiming,
    /// Programs that speak the wires of others.
    pub(crate) gateway: Gateway,
    /// What clients hear of by themselves.
    pub(crate) topics: Arc<Topics>,
    /// One choice of a menu is carried out at a time.
    pub(crate) menu_turn: tokio::sync::Mutex<()>,
    /// Work that nobody waits for, and whether it waits.
    pub(crate) held: Held,
    /// The user's and the machine's bus.
    pub(crate) desktop: Desktop,
    /// What is to come of tasks, and who is told.
    pub(crate) reminders: Reminders,
}

/// Times in the life of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunsTiming {
    /// Between the last reader's going and the run's end.
    pub grace: Duration,
    /// What a draining daemon gives its runs.
    pub drain: Duration,
}

impl Daemon {
    /// The runs in the database.
    #[expect(
        clippy::expect_used,
        reason = "set before the first connection is accepted"
    )]
    pub(crate) fn runs(&self) -> &Runs {
        &self.bound_runs.get().expect("the database was opened").0
    }

    /// The profile of the machine's user.
    #[expect(
        clippy::expect_used,
        reason = "set before the first connection is accepted"
    )]
    pub(crate) fn profile_id(&self) -> Uuid {
        self.bound_runs.get().expect("the database was opened").1
    }

    /// Books in memory, for a run that goes on although the disk takes nothing.
    pub(crate) async fn unsaved_books(&self) -> Result<Books, RpcError> {
        let books = self.unsaved_books.get_or_try_init(|| async {
            let options = StoreOptions::new(&self.configuration.paths.data_dir);
            let store = Store::in_memory(&options, "the disk takes nothing")
                .map_err(|error| failure::store(&error))?;
            let runs = Runs::new(store, self.runs().retention())
                .await
                .map_err(rpc::runs_error)?;
            let tenant = runs.tenant();
            let profile = runs.store().read("find the local profile", move |conn| {
                convergio_runs::local_profile(conn, tenant)
            });
            let profile_id = profile.await.map_err(rpc::runs_error)?;
            Ok::<_, RpcError>(Books { runs, profile_id })
        });
        books.await.cloned()
    }

    /// The daemon for a task that outlives its caller.
    pub(crate) fn shared(&self) -> Result<Arc<Self>, RpcError> {
        let gone = || failure::internal("the daemon is ending", "its state is gone");
        self.this.upgrade().ok_or_else(gone)
    }

    /// Where the daemon stands.
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Goes on to `phase`, never back.
    pub(crate) fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            if later {
                *now = phase;
            }
            later
        });
    }

    /// Ends the daemon as soon as nothing runs and nobody is connected.
    pub(crate) fn end_when_idle(&self) {
        self.restart_when_idle.store(true, Ordering::Release);
        self.wish.notify_one();
    }

    /// A client came that shows reminders itself.
    pub(crate) fn somebody_shows_reminders(&self) {
        self.reminders.show_again();
    }

    /// Nobody is connected but to listen, nothing runs, and no program may come in.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections.in_use() == 0
            && self.live.running_count() == 0
            && !self.gateway.is_wanted()
            && !self.reminders.keeps_awake()
    }
}

/// Milliseconds since 1970, UTC.
pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
