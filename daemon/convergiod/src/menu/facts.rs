//! What a menu tells of: looked up anew whenever it may have changed.

use convergio_contract::{RpcError, Uuid, menu::BackgroundState};
use convergio_ledger::{BudgetState, Scope, Window};
use convergio_store::StoreError;
use convergio_tasks::book::glance::{self, Coming, Waiting};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::{bus::run::Progress, daemon::Daemon};

/// Reminders of a kind that are shown.
pub(crate) const REMINDERS_SHOWN: usize = 5;
/// Runs that are shown.
pub(crate) const RUNS_SHOWN: usize = 5;

/// Something that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// The run.
    pub(crate) run_id: Uuid,
    /// `review`, `chat` or `gateway`.
    pub(crate) kind: String,
    /// What is worked on.
    pub(crate) selection: String,
    /// UTC milliseconds.
    pub(crate) started_ms: i64,
    /// How far it is.
    pub(crate) progress: Progress,
}

/// What was spent today, of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spend {
    /// Nano-USD.
    pub(crate) posted_nano: i64,
    /// Held by calls in progress, nano-USD.
    pub(crate) pending_nano: i64,
    /// Nano-USD; 0: nothing may be spent.
    pub(crate) limit_nano: i64,
    /// Nothing more is admitted today.
    pub(crate) used_up: bool,
}

/// A line of a group whose entries come from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Stays the same while it means the same.
    pub(crate) id: String,
    /// Said as it is.
    pub(crate) text: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing is being saved; why.
    NotSaving(String),
    /// Settings cannot be read; why.
    Settings(String),
    /// Something of this could not be read.
    Unread,
}

/// All that a menu tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The moment, in the zone of who looks.
    pub(crate) now: Zoned,
    /// Reminders that wait for an answer, latest first.
    pub(crate) waiting: Vec<Waiting>,
    /// How many there are of them.
    pub(crate) waiting_total: u64,
    /// Reminders to come, soonest first.
    pub(crate) coming: Vec<Coming>,
    /// What runs, oldest first.
    pub(crate) running: Vec<Running>,
    /// How many there are of them.
    pub(crate) running_total: usize,
    /// What waits for a yes: nothing of this daemon asks for one yet.
    pub(crate) approvals: Vec<Line>,
    /// Models in memory: this daemon loads none yet.
    pub(crate) models: Vec<Line>,
    /// Today's spending, where it can be told.
    pub(crate) spend: Option<Spend>,
    /// Work that nobody waits for.
    pub(crate) background: BackgroundState,
    /// What is wrong.
    pub(crate) troubles: Vec<Trouble>,
}

impl Facts {
    /// Of a moment at which there is nothing.
    pub(crate) fn none(now: Zoned) -> Self {
        Self {
            now,
            waiting: Vec::new(),
            waiting_total: 0,
            coming: Vec::new(),
            running: Vec::new(),
            running_total: 0,
            approvals: Vec::new(),
            models: Vec::new(),
            spend: None,
            background: BackgroundState::default(),
            troubles: Vec::new(),
        }
    }
}

fn spend(everybodys_day: &BudgetState) -> Spend {
    Spend {
        posted_nano: everybodys_day.posted_nano,
        pending_nano: everybodys_day.pending_nano,
        limit_nano: everybodys_day.limit_nano,
        used_up: everybodys_day.frozen || everybodys_day.is_spent(100),
    }
}

impl Daemon {
    /// What a menu tells of now. What cannot be read is told as that.
    pub(crate) async fn menu_facts(&self) -> Facts {
        let now_ms = self.reminders.clock.now_ms();
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let mut facts = Facts::none(now.to_zoned(TimeZone::system()));
        let mut unread = false;
        match self.glance().await {
            Ok((coming, (waiting, total))) => {
                facts.coming = coming;
                facts.waiting = waiting;
                facts.waiting_total = total;
            }
            Err(error) => {
                tracing::warn!(%error, "the menu lacks reminders");
                unread = true;
            }
        }
        match self.spend().await {
            Ok(spend) => facts.spend = spend,
            Err(error) => {
                tracing::warn!(%error, "the menu lacks what was spent");
                unread = true;
            }
        }
        let mut running = self.live.running();
        running.retain(|run| run.was_accepted() == Some(true));
        running.sort_by_key(|run| run.id);
        facts.running_total = running.len();
        facts.running = running
            .iter()
            .take(RUNS_SHOWN)
            .map(|run| {
                let info = run.info();
                Running {
                    run_id: run.id,
                    kind: info.kind,
                    selection: info.selection,
                    started_ms: info.started_ms,
                    progress: run.progress(),
                }
            })
            .collect();
        facts.background = self.held.state();
        if let Some(why) = self.store.health().why() {
            facts.troubles.push(Trouble::NotSaving(why.to_owned()));
        }
        if let Some(why) = self.configuration.fault(std::time::Instant::now()) {
            facts.troubles.push(Trouble::Settings(why));
        } else if unread {
            facts.troubles.push(Trouble::Unread);
        }
        facts
    }

    async fn glance(&self) -> Result<(Vec<Coming>, (Vec<Waiting>, u64)), StoreError> {
        let tenant = self.runs().tenant().id();
        let read = self.store.read("read the menu's reminders", move |conn| {
            let coming = glance::coming(conn, tenant, REMINDERS_SHOWN)?;
            Ok((coming, glance::waiting(conn, tenant, REMINDERS_SHOWN)?))
        });
        read.await
    }

    async fn spend(&self) -> Result<Option<Spend>, RpcError> {
        let settings = self.configuration.own_settings()?;
        let states = self.budget_states(&settings).await?;
        let everybodys_day = states
            .iter()
            .find(|state| (state.name.scope, state.name.window) == (Scope::Tenant, Window::Day));
        Ok(everybodys_day.map(spend))
    }
}
