//! What was chosen in a menu is done: once, and only while it is still in the menu.

use convergio_contract::{
    ErrorCode, RpcError, Uuid,
    menu::{Menu, MenuEntry, MenuKind},
    task::{
        TaskChanged, TaskComplete, TaskCompleteParams, TaskLocale, TaskSnooze, TaskSnoozeParams,
    },
};
use convergio_tasks::book::{Reply, screen};
use jiff::Zoned;

use super::{
    draw::{ASKED, PAUSE, draw, local},
    words::{Language, Words},
};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
};

/// A short sleep of a reminder.
const SNOOZE_MIN: u32 = 10;
const MINUTE_MS: i64 = 60_000;
/// "Tomorrow" is at this hour.
const MORNING_HOUR: i8 = 9;

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
            Act::Reminder(occurrence_id, answer) => {
                let tomorrow_ms = tomorrow_ms(&facts.now, &facts.now);
                let left_ms = tomorrow_ms - facts.now.timestamp().as_millisecond();
                let reply = match answer {
                    Answer::Done => Reply::Done,
                    Answer::Snooze => Reply::Snooze {
                        minutes: SNOOZE_MIN,
                    },
                    Answer::Tomorrow => Reply::Snooze {
                        minutes: u32::try_from(left_ms / MINUTE_MS + 1).unwrap_or(SNOOZE_MIN),
                    },
                    Answer::Dismiss => Reply::Dismiss,
                };
                let answered = self.answer_reminder(occurrence_id, reply).await?;
                if !answered.changed {
                    return Err(gone());
                }
                self.tell_answered(occurrence_id).await;
                Ok(said(answer, words).to_owned())
            }
            Act::Task {
                number,
                fire_ms,
                answer,
            } => {
                let task = number.to_string();
                let locale = TaskLocale {
                    languages: vec![language.name().to_owned()],
                    ..TaskLocale::default()
                };
                let changed = match answer {
                    Answer::Done => {
                        let params = TaskCompleteParams {
                            task,
                            locale,
                            ..TaskCompleteParams::default()
                        };
                        Handle::<TaskComplete>::handle(self, call.clone(), params).await?
                    }
                    Answer::Snooze | Answer::Tomorrow | Answer::Dismiss => {
                        let fires = local(fire_ms, &facts.now);
                        let until_ms = match answer {
                            Answer::Snooze => fire_ms + i64::from(SNOOZE_MIN) * MINUTE_MS,
                            _ => tomorrow_ms(&facts.now, &fires),
                        };
                        let until = local(until_ms, &facts.now);
                        let params = TaskSnoozeParams {
                            task,
                            until: Some(until.strftime("%Y-%m-%dT%H:%M").to_string()),
                            locale,
                        };
                        Handle::<TaskSnooze>::handle(self, call.clone(), params).await?
                    }
                };
                match changed {
                    TaskChanged::Changed { said, .. } => Ok(said),
                    TaskChanged::Ambiguous { .. } => Err(failure::internal(
                        "a time was not understood",
                        "it is our own",
                    )),
                }
            }
        }
    }
}

impl Daemon {
    /// Tells who listens to reminders what became of one.
    async fn tell_answered(&self, occurrence_id: Uuid) {
        let tenant = self.runs().tenant().id();
        let read = self.store.read("read a reminder", move |conn| {
            screen::reminder(conn, tenant, occurrence_id)
        });
        match read.await {
            Ok(reminder) => self.topics.due(reminder),
            // It is answered; only nobody hears of it.
            Err(error) => tracing::debug!(%error, "an answer is not told"),
        }
    }
}

/// What is said of an answer to a reminder.
fn said(answer: Answer, words: &Words) -> &'static str {
    match answer {
        Answer::Done => words.said_done,
        Answer::Snooze | Answer::Tomorrow => words.said_snoozed,
        Answer::Dismiss => words.said_dismissed,
    }
}

/// Nine in the morning of the day after the later one of both.
fn tomorrow_ms(now: &Zoned, fires: &Zoned) -> i64 {
    let later = now.max(fires);
    let nine = later
        .date()
        .tomorrow()
        .map(|day| day.at(MORNING_HOUR, 0, 0, 0))
        .and_then(|nine| nine.to_zoned(now.time_zone().clone()));
    let nine = nine.map(|nine| nine.timestamp().as_millisecond());
    // The last day that there is has none behind it.
    nine.unwrap_or(i64::MAX / 2)
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

    #[test]
    fn tomorrow_is_the_morning_after_the_later_of_both() {
        let at = |text: &str| text.parse::<Zoned>().unwrap();
        let now = at("2026-11-21T14:00[Europe/Rome]");
        for (fires, nine) in [
            ("2026-11-20T18:00", "2026-11-22T09:00"),
            ("2026-11-21T15:00", "2026-11-22T09:00"),
            ("2026-11-24T23:59", "2026-11-25T09:00"),
            // The clocks go forward in the night before.
            ("2027-03-27T12:00", "2027-03-28T09:00"),
        ] {
            let fires = at(&format!("{fires}[Europe/Rome]"));
            let nine = at(&format!("{nine}[Europe/Rome]"));
            assert_eq!(tomorrow_ms(&now, &fires), nine.timestamp().as_millisecond());
        }
    }
}
