//! What is on the screen, and how it gets there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use convergio_contract::Uuid;
use convergio_tasks::book::Occurrence;
use jiff::tz::TimeZone;

use super::{hourly::Hourly, text};
use crate::{
    desktop::bus::Bus,
    menu::Language,
    notifications::{Bubble, Buttons, Heard, Link, NotifyError, Shown},
};

/// Behind a server's identity, where several reminders are told as a number.
const TOLD_AS_A_NUMBER: &str = "#more";
/// The stack of that notification.
const MORE: &str = "convergio-more";

/// A reminder's notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OnScreen {
    occurrence: Uuid,
    task: Uuid,
}

/// The session's screen, as far as we know it.
#[derive(Default)]
pub(super) struct Screen {
    link: Option<Link>,
    /// The connection is a new one: servers send what is pressed to the one that showed it.
    fresh: bool,
    /// By what the present server calls them.
    bubbles: BTreeMap<u32, OnScreen>,
    /// Reminders told as a number, and what the server calls that notification.
    more: Option<(u32, BTreeSet<Uuid>)>,
    pub(super) hourly: Hourly,
}

impl Screen {
    /// Waits for something from the bus; for ever where there is no connection.
    pub(super) async fn next(&mut self) -> Heard {
        let Some(link) = &mut self.link else {
            return std::future::pending().await;
        };
        let heard = link.next().await;
        match heard {
            Heard::Went | Heard::Came => self.forget(),
            Heard::Over => {
                self.forget();
                self.link = None;
            }
            Heard::Closed { ref shown, .. } => {
                self.bubbles.remove(&shown.id);
                if self.more.as_ref().is_some_and(|(id, _)| *id == shown.id) {
                    self.more = None;
                }
            }
            Heard::Acted { .. } => {}
        }
        heard
    }

    fn forget(&mut self) {
        self.bubbles.clear();
        self.more = None;
    }

    /// A connection is open.
    pub(super) fn is_linked(&self) -> bool {
        self.link.is_some()
    }

    /// The connection, made now where there is none.
    async fn link(&mut self, bus: &Bus) -> Result<&mut Link, NotifyError> {
        match self.link {
            Some(ref mut link) => Ok(link),
            None => {
                let link = Link::open(bus).await?;
                self.fresh = true;
                Ok(self.link.insert(link))
            }
        }
    }

    /// The present server's identity. The bus may start one for it.
    pub(super) async fn server(&mut self, bus: &Bus) -> Result<String, NotifyError> {
        Ok(self.link(bus).await?.server().await?.identity)
    }

    /// Shows a reminder on its own.
    pub(super) async fn show(
        &mut self,
        bus: &Bus,
        reminder: &Occurrence,
        critical: bool,
        language: Language,
    ) -> Result<Shown, NotifyError> {
        let server = self.server(bus).await?;
        let [done, snooze, open] = text::labels(language);
        let said = text::said(reminder, language, &TimeZone::system());
        let bubble = Bubble {
            replaces: self.replaced(reminder, &server),
            stack: format!("convergio-{}", reminder.id),
            occurrence: Some(reminder.id),
            title: text::title(&reminder.title),
            body: format!("#{} · {said}", reminder.number),
            buttons: Buttons::of_reminder(reminder.id, done, snooze, open),
            critical,
            passing: false,
        };
        let shown = self.link(bus).await?.show(&bubble).await?;
        if shown.server == server {
            self.bubbles.insert(
                shown.id,
                OnScreen {
                    occurrence: reminder.id,
                    task: reminder.task_id,
                },
            );
        }
        if !is_of(reminder, &server) {
            self.hourly.count(Instant::now());
        }
        Ok(shown)
    }

    /// In whose place it is shown: its own, or that of an older one of the same task.
    fn replaced(&self, reminder: &Occurrence, server: &str) -> u32 {
        if let Some((of, id)) = &reminder.shown_as
            && of == server
        {
            return *id;
        }
        let same = |on_screen: &OnScreen| on_screen.task == reminder.task_id;
        let older = self.bubbles.iter().find(|(_, on_screen)| same(on_screen));
        older.map_or(0, |(id, _)| *id)
    }

    /// Tells of reminders beyond the hour's most as a number.
    pub(super) async fn show_more(
        &mut self,
        bus: &Bus,
        reminders: &[Occurrence],
        language: Language,
    ) -> Result<Shown, NotifyError> {
        let (replaces, mut ids) = self.more.take().unwrap_or_default();
        ids.extend(reminders.iter().map(|reminder| reminder.id));
        let bubble = Bubble {
            replaces,
            stack: MORE.to_owned(),
            title: text::more(ids.len(), language),
            body: "cv inbox".to_owned(),
            ..Bubble::default()
        };
        let mut shown = self.link(bus).await?.show(&bubble).await?;
        self.more = Some((shown.id, ids));
        shown.server.push_str(TOLD_AS_A_NUMBER);
        Ok(shown)
    }

    /// Tells more of a task: what somebody asked for.
    pub(super) async fn show_details(&mut self, bus: &Bus, details: Details<'_>) {
        let number = details.number;
        let notes = text::notes(details.notes);
        let gap = if notes.is_empty() { "" } else { "\n" };
        let bubble = Bubble {
            stack: format!("convergio-task-{number}"),
            title: text::title(details.title),
            body: format!("{notes}{gap}cv task show {number}"),
            passing: true,
            ..Bubble::default()
        };
        let shown = match self.link(bus).await {
            Ok(link) => link.show(&bubble).await,
            Err(error) => Err(error),
        };
        if let Err(error) = shown {
            tracing::debug!(%error, "a task's details could not be shown");
        }
    }

    /// Learns of what an earlier life of this daemon showed, and takes away what was answered
    /// elsewhere, but for those in whose place one of `wanting` comes. `waiting` is all that was
    /// shown and not answered. Gives back those that are to be shown again.
    pub(super) async fn settle<'a>(
        &mut self,
        server: &str,
        waiting: &'a [Occurrence],
        wanting: &[Occurrence],
    ) -> Again<'a> {
        let alive: BTreeSet<Uuid> = waiting.iter().map(|reminder| reminder.id).collect();
        let answered: Vec<u32> = self
            .bubbles
            .iter()
            .filter(|(_, on_screen)| !alive.contains(&on_screen.occurrence))
            .filter(|(_, on_screen)| wanting.iter().all(|new| new.task_id != on_screen.task))
            .map(|(id, _)| *id)
            .collect();
        for id in answered {
            self.take_away(id).await;
        }
        if let Some((id, ids)) = &mut self.more {
            let id = *id;
            ids.retain(|one| alive.contains(one));
            if ids.is_empty() {
                self.take_away(id).await;
            }
        }
        let mut again = Again::default();
        let fresh = std::mem::take(&mut self.fresh);
        for reminder in waiting {
            let Some((of, id)) = &reminder.shown_as else {
                continue;
            };
            if of == server {
                self.bubbles.entry(*id).or_insert(OnScreen {
                    occurrence: reminder.id,
                    task: reminder.task_id,
                });
                if fresh {
                    again.in_place.push(reminder);
                }
            } else if of.strip_suffix(TOLD_AS_A_NUMBER) != Some(server) {
                again.gone.push(reminder);
            }
        }
        again
    }

    /// Whatever was shown before this connection has been shown by it.
    pub(super) fn settled(&mut self) {
        self.fresh = false;
    }

    /// Takes a notification away.
    pub(super) async fn take_away(&mut self, id: u32) {
        self.bubbles.remove(&id);
        if self.more.as_ref().is_some_and(|(more, _)| *more == id) {
            self.more = None;
        }
        if let Some(link) = &mut self.link {
            link.close(id).await;
        }
    }
}

/// What is to be shown again.
#[derive(Default)]
pub(super) struct Again<'a> {
    /// On the screen of this server, by a connection that is gone.
    pub(super) in_place: Vec<&'a Occurrence>,
    /// On no screen any more.
    pub(super) gone: Vec<&'a Occurrence>,
}

/// This server shows it.
fn is_of(reminder: &Occurrence, server: &str) -> bool {
    reminder
        .shown_as
        .as_ref()
        .is_some_and(|(of, _)| of == server)
}

/// What is told of a task.
pub(super) struct Details<'a> {
    pub(super) number: u64,
    pub(super) title: &'a str,
    pub(super) notes: &'a str,
}
