//! One reader's subscription.

use std::{future::pending, sync::Arc, time::Duration};

use convergio_contract::{
    menu::Menu,
    topic::{TOPIC_NOTIFICATION, TopicEvent},
};
use convergio_store::Health;
use convergio_transport::message;
use jiff::tz::TimeZone;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::Subscription;
use crate::{
    accept::Listening,
    conn::Conn,
    daemon::Daemon,
    desktop::held::Reasons,
    menu::{Language, draw},
    reminders::told,
};

/// Between two menus at least.
const MENU_EVERY: Duration = Duration::from_secs(1);

/// What a reader wants to hear.
pub(crate) struct Wanted {
    /// Which subscription this is.
    pub(crate) subscription: Subscription,
    /// For texts.
    pub(crate) language: Language,
    /// `menu.changed`.
    pub(crate) menu: bool,
    /// `task.due`.
    pub(crate) reminders: bool,
    /// It shows reminders itself.
    pub(crate) shows: bool,
}

/// Tells a reader until its connection ends or another subscription takes this one's place.
/// `listening` keeps the connection from counting as in use.
pub(crate) async fn follow(
    daemon: Arc<Daemon>,
    conn: Arc<Conn>,
    wanted: Wanted,
    mut turn: watch::Receiver<u64>,
    listening: Listening,
) {
    let ours = wanted.subscription.turn;
    let replaced = async {
        // The sender lives in the connection, which is held here.
        let _ = turn.wait_for(|turn| *turn != ours).await;
    };
    tokio::select! {
        biased;
        () = replaced => {}
        () = conn.outbox.closed() => {}
        () = reminders(&daemon, &conn, &wanted), if wanted.reminders => {}
        () = menus(&daemon, &conn, wanted.language), if wanted.menu => {}
    }
    drop(listening);
}

/// Sends one event. The connection was asked whether it has room.
fn tell(conn: &Conn, event: &TopicEvent) {
    let mut line = Vec::new();
    match message::append_notification(&mut line, TOPIC_NOTIFICATION, event) {
        Ok(()) => conn.outbox.notice(line),
        // Strings, numbers and lists always serialize.
        Err(error) => tracing::error!(%error, "a topic could not be written"),
    }
}

async fn reminders(daemon: &Daemon, conn: &Conn, wanted: &Wanted) {
    let mut spoken = daemon.topics.spoken.subscribe();
    let _shower = wanted
        .shows
        .then(|| daemon.topics.shows(wanted.subscription));
    let mut place = None;
    if wanted.shows {
        // Whatever nobody could show is shown now; the present value is among it, or was seen.
        place = Some(*spoken.borrow_and_update());
        daemon.somebody_shows_reminders();
    }
    loop {
        conn.outbox.has_room().await;
        spoken.mark_unchanged();
        if let Some(word) = daemon.topics.after(place) {
            place = Some(word.number);
            tell(
                conn,
                &TopicEvent::TaskDue {
                    occurrence: Box::new(told(
                        &word.occurrence,
                        wanted.language,
                        &TimeZone::system(),
                    )),
                    show: word.shower == Some(wanted.subscription),
                },
            );
            continue;
        }
        // From now on each in its turn.
        place = place.or(Some(0));
        if spoken.changed().await.is_err() {
            return pending().await;
        }
    }
}

/// All that tells that the menu may have changed.
struct Hints {
    stirred: watch::Receiver<u64>,
    committed: watch::Receiver<u64>,
    health: watch::Receiver<Health>,
    held: watch::Receiver<Reasons>,
}

impl Hints {
    fn of(daemon: &Daemon) -> Self {
        Self {
            stirred: daemon.topics.stirred.subscribe(),
            committed: daemon.store.watch_commits(),
            health: daemon.store.watch_health(),
            held: daemon.held.watch(),
        }
    }

    /// What was hinted at so far is about to be looked at.
    fn seen(&mut self) {
        self.stirred.mark_unchanged();
        self.committed.mark_unchanged();
        self.health.mark_unchanged();
        self.held.mark_unchanged();
    }

    /// Waits for the next one.
    async fn next(&mut self, daemon: &Daemon) {
        let runs = daemon.live.running_count() > 0;
        tokio::select! {
            () = changed(&mut self.stirred) => {}
            () = changed(&mut self.committed) => {}
            () = changed(&mut self.health) => {}
            () = changed(&mut self.held) => {}
            () = daemon.live.one_ended() => {}
            // What runs gets on without a word.
            () = sleep(MENU_EVERY), if runs => {}
        }
    }
}

async fn changed<T>(watch: &mut watch::Receiver<T>) {
    if watch.changed().await.is_err() {
        // Who could tell is gone, as is the daemon, soon.
        pending::<()>().await;
    }
}

async fn menus(daemon: &Daemon, conn: &Conn, language: Language) {
    let mut hints = Hints::of(daemon);
    let mut sent: Option<Menu> = None;
    loop {
        conn.outbox.has_room().await;
        hints.seen();
        let looked = Instant::now();
        let menu = draw(&daemon.menu_facts().await, language);
        if sent.as_ref() != Some(&menu) {
            let menu = sent.insert(menu);
            tell(
                conn,
                &TopicEvent::MenuChanged {
                    menu: Box::new(menu.clone()),
                },
            );
        }
        hints.next(daemon).await;
        sleep_until(looked + MENU_EVERY).await;
    }
}
