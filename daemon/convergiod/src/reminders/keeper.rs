//! The one task that fires reminders: claim, show, record, listen.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use convergio_config::NotificationSettings;
use convergio_contract::{Uuid, daemon::MISSED_MAX};
use convergio_tasks::book::{self, BookError, Fate, Occurrence, Priority, TaskRef};
use futures_util::future::join_all;
use jiff::{Timestamp, tz::TimeZone};

use super::{AGAIN_AFTER, Plan, screen::Screen, text};
use crate::{
    daemon::{Daemon, Phase},
    notifications::{NotifyError, Shown},
};

/// Reminders that are claimed at one time, and rounds of that in one look.
const CLAIMED_AT_ONCE: usize = 64;
const ROUNDS_MAX: usize = 64;
/// Reminders that are shown, or told as a number, in one look; the rest waits for the next one.
const SHOWN_AT_ONCE: usize = 500;
/// What was shown by a server that is gone is shown again within a day; what is older waits in the
/// inbox.
const SHOWN_AGAIN_WITHIN_MS: i64 = 24 * 60 * 60 * 1000;
/// Whoever shows reminders that is no notification server.
const CLIENT: &str = "client";

const MINUTE_MS: i64 = 60_000;

/// Fires reminders until the daemon ends.
pub(crate) async fn keep(daemon: Arc<Daemon>) {
    let mut phase = daemon.phase.subscribe();
    let mut keeper = Keeper {
        daemon: Arc::clone(&daemon),
        screen: Screen::default(),
        held: false,
    };
    super::anew::plan(&daemon).await;
    keeper.look().await;
    loop {
        let ending = async {
            // The daemon, which holds the sender, is held here.
            let _ = phase.wait_for(|phase| *phase == Phase::Ending).await;
        };
        tokio::select! {
            biased;
            () = ending => return,
            heard = keeper.screen.next() => keeper.heard(heard).await,
            () = daemon.reminders.look.notified() => keeper.look().await,
        }
    }
}

pub(super) struct Keeper {
    pub(super) daemon: Arc<Daemon>,
    pub(super) screen: Screen,
    /// Everything was held back when it was last looked: quiet hours, or switched off.
    held: bool,
}

/// What holds at the moment of a look.
struct Moment {
    now_ms: i64,
    settings: NotificationSettings,
    /// When quiet hours end, where they hold, UTC milliseconds.
    quiet_until_ms: Option<i64>,
}

impl Moment {
    fn of(daemon: &Daemon) -> Self {
        let now_ms = daemon.reminders.clock.now_ms();
        let settings = daemon.configuration.own().notifications();
        Self {
            now_ms,
            settings,
            quiet_until_ms: quiet_until_ms(&settings, now_ms, &TimeZone::system()),
        }
    }

    /// Nothing is shown but what is critical.
    fn is_held(&self) -> bool {
        !self.settings.enabled || self.quiet_until_ms.is_some()
    }
}

/// When quiet hours end, where they hold.
pub(crate) fn quiet_until_ms(
    settings: &NotificationSettings,
    now_ms: i64,
    zone: &TimeZone,
) -> Option<i64> {
    let now = Timestamp::from_millisecond(now_ms).ok()?;
    let now = zone.to_datetime(now);
    let minute = u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).ok()?;
    let left = settings.quiet_for(minute)?;
    // From the beginning of this minute; where clocks are put forward meanwhile it is looked again.
    let begun_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
    Some(begun_ms.saturating_add(i64::from(left) * MINUTE_MS))
}

/// What is to be shown.
struct Wanting {
    /// What the screen shows already, by a connection that is gone.
    in_place: Vec<Occurrence>,
    /// What it does not show.
    new: Vec<Occurrence>,
}

/// What came of showing.
#[derive(Default)]
struct Outcome {
    /// Something failed that is worth another try.
    again: bool,
    /// There is no bus.
    no_bus: bool,
    /// Nobody shows anything any more in this look.
    stopped: bool,
}

impl Keeper {
    pub(super) fn tenant(&self) -> Uuid {
        self.daemon.runs().tenant().id()
    }

    async fn look(&mut self) {
        let daemon = Arc::clone(&self.daemon);
        let retry = daemon.reminders.retry.swap(false, Ordering::AcqRel);
        let moment = Moment::of(&daemon);
        let released = self.held && !moment.is_held();
        self.held = moment.is_held();
        let mut outcome = Outcome::default();
        let (claimed, failed) = self.claim(moment.now_ms).await;
        outcome.again |= failed;
        let everything = retry || released;
        let looked = self.look_at_screens(claimed, everything, &moment, &mut outcome);
        match looked.await {
            Ok(wanting) => self.show(wanting, &moment, &mut outcome).await,
            Err(error) => {
                tracing::error!(%error, "what waits to be shown cannot be read");
                outcome.again = true;
            }
        }
        if self.screen.is_linked() {
            self.screen.settled();
        }
        self.plan(&moment, &outcome).await;
    }

    /// Writes down everything that is due, before anybody sees it. Whether some of it failed.
    async fn claim(&self, now_ms: i64) -> (Vec<Occurrence>, bool) {
        let tenant = self.tenant();
        let store = &self.daemon.store;
        let mut claimed = Vec::new();
        let mut fruitless = false;
        for _ in 0..ROUNDS_MAX {
            let due = store.read("look for due reminders", move |conn| {
                book::due(conn, tenant, now_ms, CLAIMED_AT_ONCE)
            });
            let due: Vec<Uuid> = match due.await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(%error, "reminders cannot be looked for");
                    return (claimed, true);
                }
            };
            if due.is_empty() {
                return (claimed, false);
            }
            // Each for itself: one that cannot be written holds up no other. They share a sync.
            let claims = due.into_iter().map(|task| async move {
                let claim = store.write("claim a reminder", move |tx| {
                    book::claim(tx, tenant, task, now_ms)
                });
                claim.await.inspect_err(|error: &BookError| {
                    tracing::error!(%error, %task, "a reminder could not be written down");
                })
            });
            let (mut failed, before) = (false, claimed.len());
            for claim in join_all(claims).await {
                match claim {
                    Ok(found) => claimed.extend(found.map(|found| found.occurrence)),
                    Err(_) => failed = true,
                }
            }
            // Once is fine: a task that has nothing to say any more says so, and is planned anew.
            let nothing = claimed.len() == before;
            if failed || (nothing && fruitless) {
                return (claimed, true);
            }
            fruitless = nothing;
        }
        (claimed, true)
    }

    /// What is to be shown now. Takes away what was answered elsewhere.
    async fn look_at_screens(
        &mut self,
        claimed: Vec<Occurrence>,
        everything: bool,
        moment: &Moment,
        outcome: &mut Outcome,
    ) -> Result<Wanting, BookError> {
        let tenant = self.tenant();
        let read = self
            .daemon
            .store
            .read("look at what was shown", move |conn| {
                let waiting = book::screen::on_screen(conn, tenant, SHOWN_AT_ONCE)?;
                let unshown = match everything {
                    true => book::unshown(conn, tenant, SHOWN_AT_ONCE)?,
                    false => Vec::new(),
                };
                Ok::<_, BookError>((waiting, unshown))
            });
        let (waiting, unshown) = read.await?;
        let mut wanting = if everything { unshown } else { claimed };
        let mut in_place = Vec::new();
        // Where there are more than were read, nothing can be said of the others.
        if waiting.len() < SHOWN_AT_ONCE && (!waiting.is_empty() || self.screen.is_linked()) {
            let bus = &self.daemon.desktop.session;
            match self.screen.server(bus).await {
                Ok(server) => {
                    let again = self.screen.settle(&server, &waiting, &wanting).await;
                    let is_young = |reminder: &&&Occurrence| {
                        moment.now_ms - reminder.fired_ms < SHOWN_AGAIN_WITHIN_MS
                    };
                    in_place.extend(again.in_place.into_iter().cloned());
                    let gone = again.gone.iter().filter(|_| everything);
                    wanting.extend(gone.filter(is_young).map(|&gone| gone.clone()));
                }
                Err(NotifyError::Bus(_)) => outcome.no_bus = true,
                // Whoever comes is heard of; what is to be shown now says what fails.
                Err(_) => {}
            }
        }
        Ok(Wanting {
            in_place,
            new: wanting,
        })
    }

    /// Shows what may be shown, as many as an hour takes.
    async fn show(&mut self, wanting: Wanting, moment: &Moment, outcome: &mut Outcome) {
        // What stands on the screen changes nothing there, and is told to nobody.
        let urgent = self.urgent(&wanting.in_place, moment).await;
        for reminder in &wanting.in_place {
            if !outcome.stopped {
                let critical = urgent.contains(&reminder.id);
                self.show_one(reminder, critical, outcome).await;
            }
        }
        let wanting = wanting.new;
        if wanting.is_empty() {
            return;
        }
        let urgent = self.urgent(&wanting, moment).await;
        let mut passing = Vec::new();
        let mut unseen = Vec::new();
        for reminder in wanting {
            let passes = urgent.contains(&reminder.id) && moment.settings.enabled;
            match moment.is_held() && !passes {
                true => unseen.push(reminder),
                false => passing.push(reminder),
            }
        }
        let most = usize::try_from(moment.settings.max_per_hour).unwrap_or(usize::MAX);
        let room = self.screen.hourly.room(Instant::now(), most);
        let beyond = passing.split_off(room.min(passing.len()));
        for reminder in passing {
            let critical = urgent.contains(&reminder.id);
            if outcome.stopped || !self.show_one(&reminder, critical, outcome).await {
                unseen.push(reminder);
            }
        }
        if !beyond.is_empty() && (outcome.stopped || !self.show_more(&beyond, outcome).await) {
            unseen.extend(beyond);
        }
        self.missed(unseen, outcome).await;
    }

    /// Those whose tasks are of high priority, where that means something.
    async fn urgent(&self, reminders: &[Occurrence], moment: &Moment) -> BTreeSet<Uuid> {
        if reminders.is_empty() || !moment.settings.high_is_critical {
            return BTreeSet::new();
        }
        let tenant = self.tenant();
        let ids: Vec<_> = reminders.iter().map(|one| (one.id, one.task_id)).collect();
        let read = self.daemon.store.read("look at priorities", move |conn| {
            let mut urgent = BTreeSet::new();
            for (id, task) in ids {
                match book::get(conn, tenant, TaskRef::Id(task)) {
                    Ok(task) if task.priority == Some(Priority::High) => {
                        urgent.insert(id);
                    }
                    Ok(_) | Err(BookError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(urgent)
        });
        read.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "priorities cannot be read: nothing is urgent");
            BTreeSet::new()
        })
    }

    /// Whether somebody took it.
    async fn show_one(
        &mut self,
        reminder: &Occurrence,
        critical: bool,
        outcome: &mut Outcome,
    ) -> bool {
        let daemon = Arc::clone(&self.daemon);
        let language = daemon.language(None);
        let bus = &daemon.desktop.session;
        let shown = self.screen.show(bus, reminder, critical, language).await;
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => {
                if !daemon.topics.ask_to_show(reminder.clone()) {
                    self.nobody(&error, outcome);
                    return false;
                }
                Shown {
                    server: CLIENT.to_owned(),
                    id: 0,
                }
            }
        };
        self.record(vec![reminder.clone()], shown, outcome).await;
        true
    }

    /// Whether somebody took the number.
    async fn show_more(&mut self, beyond: &[Occurrence], outcome: &mut Outcome) -> bool {
        let language = self.daemon.language(None);
        let daemon = Arc::clone(&self.daemon);
        let bus = &daemon.desktop.session;
        match self.screen.show_more(bus, beyond, language).await {
            Ok(shown) => {
                self.record(beyond.to_vec(), shown, outcome).await;
                true
            }
            Err(error) => {
                self.nobody(&error, outcome);
                false
            }
        }
    }

    /// Nobody shows anything: the rest of this look is not tried.
    fn nobody(&mut self, error: &NotifyError, outcome: &mut Outcome) {
        tracing::info!(%error, "reminders wait in the inbox");
        outcome.stopped = true;
        match error {
            NotifyError::Bus(_) => outcome.no_bus = true,
            // It is heard of when one comes.
            NotifyError::NoServer => {}
            NotifyError::Failed(_) => outcome.again = true,
        }
    }

    /// Writes down who shows them.
    async fn record(&self, reminders: Vec<Occurrence>, shown: Shown, outcome: &mut Outcome) {
        let now_ms = self.daemon.reminders.clock.now_ms();
        let ids: Vec<_> = reminders.iter().map(|reminder| reminder.id).collect();
        let Shown { server, id } = shown;
        let write = self.daemon.store.write("record what was shown", move |tx| {
            for occurrence in ids {
                book::shown(tx, occurrence, &server, id, now_ms)?;
            }
            Ok::<_, BookError>(())
        });
        match write.await {
            Ok(()) => self.tell(reminders, Fate::Shown),
            Err(error) => {
                // It stays claimed, and is shown again in its own place.
                tracing::error!(%error, "what was shown could not be recorded");
                outcome.again = true;
            }
        }
    }

    /// Writes down that nobody saw them.
    async fn missed(&self, reminders: Vec<Occurrence>, outcome: &mut Outcome) {
        let mut new = reminders;
        new.retain(|reminder| reminder.state != Fate::Missed);
        if new.is_empty() {
            return;
        }
        let now_ms = self.daemon.reminders.clock.now_ms();
        let ids: Vec<_> = new.iter().map(|reminder| reminder.id).collect();
        let write = self
            .daemon
            .store
            .write("record what was missed", move |tx| {
                for occurrence in ids {
                    book::missed(tx, occurrence, now_ms)?;
                }
                Ok::<_, BookError>(())
            });
        match write.await {
            Ok(()) => self.tell(new, Fate::Missed),
            Err(error) => {
                tracing::error!(%error, "what was missed could not be recorded");
                outcome.again = true;
            }
        }
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, reminders: Vec<Occurrence>, state: Fate) {
        for mut reminder in reminders {
            reminder.state = state;
            self.daemon.topics.due(reminder);
        }
    }

    /// What is to come.
    async fn plan(&self, moment: &Moment, outcome: &Outcome) {
        let tenant = self.tenant();
        let read = self
            .daemon
            .store
            .read("plan the next reminder", move |conn| {
                let next_ms = book::next_wake(conn, tenant)?;
                let keeps_awake = book::keeps_awake(conn, tenant)?;
                let (missed, total) = book::screen::unseen(conn, tenant, MISSED_MAX)?;
                Ok::<_, BookError>((next_ms, keeps_awake, missed, total))
            });
        let reminders = &self.daemon.reminders;
        let failed = Some(Instant::now() + AGAIN_AFTER);
        let plan = match read.await {
            Ok((next_ms, keeps_awake, missed, total)) => {
                let (language, here) = (self.daemon.language(None), TimeZone::system());
                let beyond = total.saturating_sub(missed.len() as u64);
                let release_ms = moment.quiet_until_ms.filter(|_| total > 0);
                let told = |reminder| text::told(reminder, language, &here);
                Plan {
                    next_ms: [next_ms, release_ms].into_iter().flatten().min(),
                    again_at: failed.filter(|_| outcome.again),
                    keeps_awake,
                    wants_bus: !self.screen.is_linked()
                        && (outcome.no_bus || (total > 0 && reminders.plan().wants_bus)),
                    missed: missed.iter().map(told).collect(),
                    missed_more: u32::try_from(beyond).unwrap_or(u32::MAX),
                }
            }
            Err(error) => {
                tracing::error!(%error, "the next reminder cannot be planned");
                Plan {
                    again_at: failed,
                    ..reminders.plan().clone()
                }
            }
        };
        reminders.set(plan);
    }
}
