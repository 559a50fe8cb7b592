//! Changes of tasks that are there.

use convergio_contract::{
    RpcError,
    task::{
        TaskChanged, TaskComplete, TaskCompleteParams, TaskDelete, TaskDeleteParams, TaskLocale,
        TaskSnooze, TaskSnoozeParams, TaskUpdate, TaskUpdateParams,
    },
};
use convergio_store::Tx;
use convergio_tasks::{
    book::{self, BookError, Changed, State, TaskRef},
    when::{self, Answer, Language, When},
};

use super::{
    Understood, WriteError,
    place::{self, Place},
    told, understand, wire,
};
use crate::{
    daemon::Daemon,
    dispatch::{Call, Handle},
    failure,
    rpc::undo,
};

/// Where nothing is said, a task sleeps that long.
const SNOOZE_MS: i64 = 10 * 60_000;

/// What a change is called.
#[derive(Clone, Copy)]
enum Verb {
    Edit,
    Done,
    Snooze,
    Remove,
}

impl Verb {
    /// As `cv task` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Done => "done",
            Self::Snooze => "snooze",
            Self::Remove => "rm",
        }
    }

    /// What it did, in words.
    fn said(self, changed: &Changed, place: &Place) -> String {
        let italian = place.language() == Language::Italian;
        let title = &changed.task.title;
        let when = place.said(&changed.task);
        let pick = |english: &str, in_italian: &str| match italian {
            false => english.to_owned(),
            true => in_italian.to_owned(),
        };
        if changed.unchanged {
            return match self {
                Self::Done => pick("it was done already", "era già fatto"),
                _ => pick("it was so already", "era già così"),
            };
        }
        match self {
            Self::Done if changed.task.state == State::Done => {
                format!("{}: {title}", pick("done", "fatto"))
            }
            Self::Done => format!("{}: {when}", pick("done; next", "fatto; prossima volta")),
            Self::Snooze => {
                let until = changed.task.snoozed_until_ms.and_then(|until_ms| {
                    let at = jiff::Timestamp::from_millisecond(until_ms).ok()?;
                    Some(when::describe(
                        &When {
                            due: at.to_zoned(place.zone().clone()),
                            all_day: false,
                            repeat: None,
                            shifted: None,
                            spans: Vec::new(),
                        },
                        place.language(),
                        &place.here.now,
                    ))
                });
                format!(
                    "{} {}",
                    pick("again", "di nuovo"),
                    until.unwrap_or_default()
                )
            }
            Self::Remove => format!("{}: {title}", pick("removed", "tolto")),
            Self::Edit if when.is_empty() => title.clone(),
            Self::Edit => format!("{title}: {when}"),
        }
    }
}

impl Daemon {
    /// One change of one task, in one commit with the way back from it.
    async fn change_task(
        &self,
        verb: Verb,
        place: Place,
        found: Option<When>,
        make: impl FnOnce(&Tx<'_>) -> Result<Changed, BookError> + Send + 'static,
    ) -> Result<TaskChanged, RpcError> {
        let tenant = self.runs().tenant();
        let retention = self.runs().retention();
        let here = place.clone();
        let write = self.store.write("change a task", move |tx| {
            let changed = make(tx)?;
            let label = wire::label(verb.name(), &changed.task);
            let undo_id = undo::keep_tasks(tx, tenant, &retention, &label, changed.images.clone())?;
            let task = wire::task(tx, changed.task.clone(), &here)?;
            Ok::<_, WriteError>((changed, task, undo_id))
        });
        let (changed, task, undo_id) = write.await.map_err(WriteError::told)?;
        if !changed.unchanged {
            self.tasks_changed();
        }
        let notices = match verb {
            Verb::Edit if found.is_some() => self.notices(found.as_ref(), &changed.task, &place),
            _ => Vec::new(),
        };
        Ok(TaskChanged::Changed {
            said: verb.said(&changed, &place),
            task: Box::new(task),
            unchanged: changed.unchanged,
            notices,
            undo_id,
        })
    }
}

impl Handle<TaskUpdate> for Daemon {
    async fn handle(&self, _call: Call, params: TaskUpdateParams) -> Result<TaskChanged, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let task: TaskRef = params.task.parse().map_err(told)?;
        let title = params.fields.title.clone().unwrap_or_default();
        let (fields, found) = match understand(&params.fields, &place, &title)? {
            Understood::One(fields, found) => (fields, found),
            Understood::Several(readings) => return Ok(TaskChanged::Ambiguous { readings }),
        };
        let tenant = self.runs().tenant().id();
        self.change_task(Verb::Edit, place, found, move |tx| {
            book::update(tx, tenant, task, params.expected_rev, &fields, now_ms)
        })
        .await
    }
}

impl Handle<TaskComplete> for Daemon {
    async fn handle(
        &self,
        _call: Call,
        params: TaskCompleteParams,
    ) -> Result<TaskChanged, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let task: TaskRef = params.task.parse().map_err(told)?;
        let tenant = self.runs().tenant().id();
        self.change_task(Verb::Done, place, None, move |tx| {
            book::complete(tx, tenant, task, params.for_good, now_ms)
        })
        .await
    }
}

impl Handle<TaskSnooze> for Daemon {
    async fn handle(&self, _call: Call, params: TaskSnoozeParams) -> Result<TaskChanged, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&params.locale, now_ms)?;
        let task: TaskRef = params.task.parse().map_err(told)?;
        let until = params.until.as_deref().map(str::trim).unwrap_or_default();
        let until_ms = if until.is_empty() {
            now_ms.saturating_add(SNOOZE_MS)
        } else {
            match until_ms(until, &place)? {
                Ok(until_ms) => until_ms,
                Err(ambiguous) => return Ok(ambiguous),
            }
        };
        let tenant = self.runs().tenant().id();
        self.change_task(Verb::Snooze, place, None, move |tx| {
            book::snooze(tx, tenant, task, until_ms, now_ms)
        })
        .await
    }
}

/// Until when: a time, or a span as in `10 min`.
fn until_ms(until: &str, place: &Place) -> Result<Result<i64, TaskChanged>, RpcError> {
    let spans = [
        until.to_owned(),
        format!("in {until}"),
        format!("tra {until}"),
    ];
    let mut first = None;
    for text in &spans {
        match when::parse(text, &place.here) {
            Ok(Answer::One(found)) if found.repeat.is_some() => {
                return Err(failure::invalid("`until` takes one time, not a rule"));
            }
            Ok(Answer::One(found)) => {
                let at = match found.all_day {
                    // A day begins for people when a whole day's reminders come.
                    true => found
                        .due
                        .with()
                        .hour(book::ALL_DAY_HOUR)
                        .build()
                        .unwrap_or(found.due),
                    false => found.due,
                };
                return Ok(Ok(at.timestamp().as_millisecond()));
            }
            Ok(Answer::Several(readings)) => {
                let readings = readings
                    .iter()
                    .map(|reading| place.reading("", &reading.when))
                    .collect();
                return Ok(Err(TaskChanged::Ambiguous { readings }));
            }
            Ok(Answer::Nothing) => {}
            Err(error) => {
                first.get_or_insert(error);
            }
        }
    }
    Err(match first {
        Some(error) => place::not_understood(&error),
        None => failure::invalid("`until` takes a time"),
    })
}

impl Handle<TaskDelete> for Daemon {
    async fn handle(&self, _call: Call, params: TaskDeleteParams) -> Result<TaskChanged, RpcError> {
        let now_ms = self.reminders.clock.now_ms();
        let place = Place::of(&TaskLocale::default(), now_ms)?;
        let task: TaskRef = params.task.parse().map_err(told)?;
        let tenant = self.runs().tenant().id();
        self.change_task(Verb::Remove, place, None, move |tx| {
            book::delete(tx, tenant, task, params.with_parts, now_ms)
        })
        .await
    }
}
