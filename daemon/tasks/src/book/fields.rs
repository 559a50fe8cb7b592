//! What a task is made of, checked before it is kept.

use jiff::civil::DateTime;

use super::{
    BEFORE_MAX_MIN, BookError, NAME_MAX_BYTES, NOTES_MAX_BYTES, Priority, REMINDERS_MAX, State,
    TAGS_MAX, TITLE_MAX_BYTES, TaskRef, TaskRow, Times,
    plan::{self, Plan},
};
use crate::Repeat;

/// A time to be due at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTimes {
    /// Wall clock.
    pub due: DateTime,
    /// IANA name of the zone in which it is read.
    pub zone: String,
    /// It is for a whole day; the time of `due` is then midnight.
    pub all_day: bool,
}

/// What changes of a task: only what is there. The inner option clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// One line, [`TITLE_MAX_BYTES`] at most.
    pub title: Option<String>,
    /// [`NOTES_MAX_BYTES`] at most.
    pub notes: Option<String>,
    /// How much it matters.
    pub priority: Option<Option<Priority>>,
    /// What it belongs to.
    pub project: Option<Option<String>>,
    /// In place of those that there are.
    pub tags: Option<Vec<String>>,
    /// The task that it is a part of.
    pub parent: Option<Option<TaskRef>>,
    /// Where it stands.
    pub state: Option<State>,
    /// When it is due. Without a time there is neither a rule nor a reminder.
    pub times: Option<Option<NewTimes>>,
    /// How it comes again.
    pub repeat: Option<Option<Repeat>>,
    /// Minutes before it is due.
    pub remind_before_min: Option<Vec<u32>>,
}

impl Fields {
    /// Puts everything but parent and state into `task`. `now_ms`: what was planned before it is
    /// not made up for, where times change.
    pub(super) fn apply(&self, task: &mut TaskRow, now_ms: i64) -> Result<(), BookError> {
        if let Some(title) = &self.title {
            task.title = self::title(title)?;
        }
        if let Some(notes) = &self.notes {
            task.notes = self::notes(notes)?;
        }
        if let Some(priority) = self.priority {
            task.priority = priority;
        }
        if let Some(project) = &self.project {
            task.project = match project {
                Some(project) => Some(name("project", project)?),
                None => None,
            };
        }
        if let Some(tags) = &self.tags {
            task.tags = self::tags(tags)?;
        }
        self.apply_times(task, now_ms)
    }

    fn apply_times(&self, task: &mut TaskRow, now_ms: i64) -> Result<(), BookError> {
        if self.times.is_none() && self.repeat.is_none() && self.remind_before_min.is_none() {
            return Ok(());
        }
        let had_time = task.times.is_some();
        match &self.times {
            None => {}
            Some(None) => {
                task.times = None;
                task.repeat = None;
                task.remind_before_min.clear();
                task.snoozed_until_ms = None;
            }
            Some(Some(new)) => {
                let zone = plan::zone(&new.zone)?;
                let due = if new.all_day {
                    new.due.date().at(0, 0, 0, 0)
                } else {
                    new.due
                };
                task.times = Some(Times {
                    start: due,
                    due,
                    due_ms: plan::instant(due, &zone),
                    zone: new.zone.clone(),
                    all_day: new.all_day,
                });
                task.snoozed_until_ms = None;
            }
        }
        if let Some(repeat) = &self.repeat {
            task.repeat = match repeat {
                None => None,
                Some(_) if task.times.is_none() => {
                    return Err(BookError::invalid(
                        "repeat",
                        "a task that comes again needs a time to begin with",
                    ));
                }
                Some(repeat) => Some(Repeat {
                    rrule: plan::rule(&repeat.rrule)?.to_string(),
                    basis: repeat.basis,
                }),
            };
        }
        begin(task)?;
        match &self.remind_before_min {
            Some(minutes) => {
                if task.times.is_none() && !minutes.is_empty() {
                    return Err(BookError::invalid(
                        "remind_before_min",
                        "a task without a time is reminded of before nothing",
                    ));
                }
                task.remind_before_min = reminders(minutes)?;
            }
            None if !had_time && task.times.is_some() => task.remind_before_min = vec![0],
            None => {}
        }
        task.fired_until_ms = now_ms;
        Ok(())
    }
}

/// A rule counts from what is due when it is given, and a task with one is due at a time of it.
fn begin(task: &mut TaskRow) -> Result<(), BookError> {
    let (Some(times), Some(repeat)) = (&mut task.times, &task.repeat) else {
        return Ok(());
    };
    times.start = times.due;
    let first = Plan::first(times, &plan::rule(&repeat.rrule)?, repeat.basis)?;
    let Some(first) = first else {
        return Err(BookError::invalid(
            "repeat",
            "no time of the rule comes at or after when the task is due",
        ));
    };
    times.start = first;
    times.due = first;
    times.due_ms = plan::instant(first, &plan::zone(&times.zone)?);
    Ok(())
}

/// A line without anything that drives a terminal.
fn one_line(what: &'static str, text: &str, most: usize) -> Result<String, BookError> {
    let text = text.trim();
    if text.len() > most {
        return Err(BookError::invalid(
            what,
            format!("{} bytes are too many, at most {most} are kept", text.len()),
        ));
    }
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(BookError::invalid(what, "it takes one line"));
    }
    if text.chars().any(char::is_control) {
        return Err(BookError::invalid(what, "it takes no control characters"));
    }
    Ok(text.to_owned())
}

fn title(text: &str) -> Result<String, BookError> {
    let title = one_line("title", text, TITLE_MAX_BYTES)?;
    if title.is_empty() {
        return Err(BookError::invalid("title", "it takes some text"));
    }
    Ok(title)
}

fn notes(text: &str) -> Result<String, BookError> {
    if text.len() > NOTES_MAX_BYTES {
        return Err(BookError::invalid(
            "notes",
            format!(
                "{} bytes are too many, at most {NOTES_MAX_BYTES} are kept",
                text.len()
            ),
        ));
    }
    let text = text.replace("\r\n", "\n");
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err(BookError::invalid(
            "notes",
            "they take no control characters but line ends and tabs",
        ));
    }
    Ok(text)
}

fn name(what: &'static str, text: &str) -> Result<String, BookError> {
    let name = one_line(what, text, NAME_MAX_BYTES)?;
    if name.is_empty() {
        return Err(BookError::invalid(what, "it takes some text"));
    }
    if name.contains(char::is_whitespace) {
        return Err(BookError::invalid(
            what,
            format!("{name:?} has spaces; it takes one word"),
        ));
    }
    Ok(name)
}

fn tags(tags: &[String]) -> Result<Vec<String>, BookError> {
    let mut kept = tags
        .iter()
        .map(|tag| name("tags", tag.trim().trim_start_matches('+')))
        .collect::<Result<Vec<_>, _>>()?;
    kept.sort_unstable();
    kept.dedup();
    if kept.len() > TAGS_MAX {
        return Err(BookError::invalid(
            "tags",
            format!("{} are too many, at most {TAGS_MAX} are kept", kept.len()),
        ));
    }
    Ok(kept)
}

fn reminders(minutes: &[u32]) -> Result<Vec<u32>, BookError> {
    let mut kept = minutes.to_vec();
    kept.sort_unstable_by(|a, b| b.cmp(a));
    kept.dedup();
    if kept.len() > REMINDERS_MAX {
        return Err(BookError::invalid(
            "remind_before_min",
            format!(
                "{} are too many, at most {REMINDERS_MAX} are kept",
                kept.len()
            ),
        ));
    }
    if kept.first().is_some_and(|most| *most > BEFORE_MAX_MIN) {
        return Err(BookError::invalid(
            "remind_before_min",
            "a reminder comes a year before at most",
        ));
    }
    Ok(kept)
}
