//! What somebody answers to a reminder on the screen.

use std::sync::Arc;

use convergio_contract::Uuid;
use convergio_store::StoreError;
use convergio_tasks::book::{self, Reply, TaskRef};

use super::{keeper::Keeper, screen::Details};
use crate::notifications::{Asked, Heard, Shown};

impl Keeper {
    pub(super) async fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Acted { shown, key } => self.acted(shown, &key).await,
            Heard::Closed {
                shown,
                by_hand: true,
            } => {
                if let Some(occurrence) = self.whose(&shown).await {
                    self.answer(occurrence, Reply::Dismiss).await;
                }
            }
            Heard::Closed { .. } | Heard::Went => {}
            Heard::Came => self.daemon.reminders.show_again(),
            // Not at once: a bus that lets us in and throws us out is not asked all the time.
            Heard::Over => self.daemon.reminders.plan().wants_bus = true,
        }
    }

    async fn acted(&mut self, shown: Shown, key: &str) {
        let Some(asked) = Asked::of_key(key) else {
            tracing::debug!(key, "a button that is not ours");
            return;
        };
        let (occurrence, reply) = match asked {
            Asked::Done(id) => (id, Reply::Done),
            Asked::Snooze(id, minutes) => (id, Reply::Snooze { minutes }),
            Asked::Open(id) => (id, Reply::Seen),
            Asked::Default => match self.whose(&shown).await {
                Some(id) => (id, Reply::Seen),
                None => return,
            },
        };
        let opens = matches!(reply, Reply::Seen);
        let Some(task) = self.answer(occurrence, reply).await else {
            return;
        };
        self.screen.take_away(shown.id).await;
        if opens {
            self.open(task).await;
        }
    }

    /// Whose notification it is.
    async fn whose(&self, shown: &Shown) -> Option<Uuid> {
        let Shown { server, id } = shown.clone();
        let read = self.daemon.store.read("find a reminder", move |conn| {
            book::shown_as(conn, &server, id)
        });
        read.await.unwrap_or_else(|error: StoreError| {
            tracing::error!(%error, "a reminder could not be found");
            None
        })
    }

    /// Carries an answer out, with its way back; whose task it was.
    async fn answer(&mut self, occurrence: Uuid, reply: Reply) -> Option<Uuid> {
        let answered = match self.daemon.answer_reminder(occurrence, reply).await {
            Ok(answered) => answered,
            Err(error) => {
                // It has parts, is gone, or the disk is full: it waits in the inbox.
                tracing::warn!(%error, "a reminder could not be answered");
                return None;
            }
        };
        let tenant = self.tenant();
        let read = self.daemon.store.read("read a reminder", move |conn| {
            book::screen::reminder(conn, tenant, occurrence)
        });
        if let Ok(reminder) = read.await
            && answered.changed
        {
            let state = reminder.state;
            self.tell(vec![reminder], state);
        }
        Some(answered.task.id)
    }

    /// Shows what there is to a task. Nothing is started for it: its text is nobody's command.
    async fn open(&mut self, task: Uuid) {
        let tenant = self.tenant();
        let read = self.daemon.store.read("read a task", move |conn| {
            book::get(conn, tenant, TaskRef::Id(task))
        });
        match read.await {
            Ok(task) => {
                let details = Details {
                    number: task.number,
                    title: &task.title,
                    notes: &task.notes,
                };
                let daemon = Arc::clone(&self.daemon);
                self.screen
                    .show_details(&daemon.desktop.session, details)
                    .await;
            }
            Err(error) => tracing::debug!(%error, "a task could not be opened"),
        }
    }
}
