//! What was chosen in a menu is done: once, and only while it is still in the menu.

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    menu::{Menu, MenuEntry, MenuKind},
};

use super::{
    draw::{ASKED, PAUSE, draw},
    words::Language,
};
use crate::{daemon::Daemon, dispatch::Call};

/// An answer to a reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    /// By ten minutes.
    Snooze,
    Tomorrow,
    Dismiss,
}

/// What an entry means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Reminder(Uuid, Answer),
    Task {
        number: u64,
        fire_ms: i64,
        answer: Answer,
    },
    Cancel(Uuid),
    Pause,
}

fn answer(word: &str) -> Option<Answer> {
    Some(match word {
        "done" => Answer::Done,
        "snooze" => Answer::Snooze,
        "tomorrow" => Answer::Tomorrow,
        "dismiss" => Answer::Dismiss,
        _ => return None,
    })
}

/// What an entry's id means; none where it cannot be chosen.
fn read(id: &str) -> Option<Act> {
    if id == PAUSE {
        return Some(Act::Pause);
    }
    let words: Vec<&str> = id.split(':').collect();
    match words.as_slice() {
        ["reminder", occurrence, word] => {
            Some(Act::Reminder(occurrence.parse().ok()?, answer(word)?))
        }
        ["task", number, fire_ms, word] => Some(Act::Task {
            number: number.parse().ok()?,
            fire_ms: fire_ms.parse().ok()?,
            answer: answer(word)?,
        }),
        ["run", run, "cancel"] => Some(Act::Cancel(run.parse().ok()?)),
        _ => None,
    }
}

/// The entry of this id, where it can be chosen.
fn find<'a>(entries: &'a [MenuEntry], id: &str) -> Option<&'a MenuKind> {
    entries.iter().find_map(|entry| match &entry.kind {
        MenuKind::Submenu { entries, .. } => find(entries, id),
        MenuKind::Action { enabled: true, .. } | MenuKind::Check { enabled: true, .. } => {
            (entry.id == id).then_some(&entry.kind)
        }
        MenuKind::Action { .. }
        | MenuKind::Check { .. }
        | MenuKind::Label { .. }
        | MenuKind::Separator => None,
    })
}

fn gone() -> RpcError {
    RpcError::new(
        ErrorCode::Conflict,
        "this entry is not in the menu any more",
    )
    .why("what it stood for has changed meanwhile; nothing was done")
    .hint("cv today")
}

impl Daemon {
    /// Does what the entry `id` stands for, and says what that was.
    pub(crate) async fn menu_act(
        &self,
        call: &Call,
        id: &str,
        language: Language,
    ) -> Result<String, RpcError> {
        // One at a time, so that the second of two clicks finds what the first one did.
        let _turn = self.menu_turn.lock().await;
        let facts = self.menu_facts().await;
        let menu: Menu = draw(&facts, language);
        let (Some(act), Some(_)) = (read(id), find(&menu.entries, id)) else {
            return Err(gone());
        };
        let words = language.words();
        match act {
            Act::Pause => {
                let asked = facts
                    .background
                    .reasons
                    .iter()
                    .any(|reason| reason == ASKED);
                self.held.ask(&self.background, !asked).await?;
                Ok(match asked {
                    true => words.said_resumed,
                    false => words.said_paused,
                }
                .to_owned())
            }
            Act::Cancel(run_id) => {
                let run = self.live.find(run_id).ok_or_else(gone)?;
                run.cancel("a person asked for it in the menu");
                run.ended().await;
                Ok(words.said_cancelled.to_owned())
            }
            Act::Reminder(occurrence, answer) => {
                let _ = (call, occurrence, answer);
                Err(gone())
            }
            Act::Task {
                number,
                fire_ms,
                answer,
            } => {
                let _ = (number, fire_ms, answer);
                Err(gone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_means_one_thing_or_nothing() {
        let uuid = Uuid::nil();
        assert_eq!(read("background:pause"), Some(Act::Pause));
        assert_eq!(read(&format!("run:{uuid}:cancel")), Some(Act::Cancel(uuid)));
        assert_eq!(
            read(&format!("reminder:{uuid}:tomorrow")),
            Some(Act::Reminder(uuid, Answer::Tomorrow))
        );
        assert_eq!(
            read("task:12:1795345200000:done"),
            Some(Act::Task {
                number: 12,
                fire_ms: 1_795_345_200_000,
                answer: Answer::Done
            })
        );
        for nothing in [
            "",
            "task:12",
            "task:12:done",
            "task:-1:0:done",
            "task:12:0:erase",
            "run:x:cancel",
            "run::cancel",
            "label:coming",
            "background:pause:",
            "reminder:done",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
