//! Filters as in Taskwarrior: words, all of which a task must fit. Pure.
//!
//! | Word | Fits |
//! | --- | --- |
//! | `+tag`, `-tag` | tasks with the tag, without it |
//! | `project:house` | of the project or one below it (`house.garden`); `project:` of none |
//! | `priority:high` | `high`, `medium`, `low`, their first letters, or empty for none |
//! | `state:done` | `open`, `waiting`, `done`, `cancelled`, several with commas, `all` |
//! | `due:today` | due on that day, or in that minute |
//! | `due.before:friday`, `due.after:`, `due.by:` | earlier, later, not later; also `created`, `modified`, `done` |
//! | `has:due`, `no:due` | `due`, `notes`, `project`, `tags`, `priority`, `parent`, `repeat`, `reminder`, `snooze` |
//! | `parent:12` | parts of task 12; `parent:` of none |
//! | `12`, `3-5`, `3,7` | these tasks |
//! | `overdue`, `today` | due before now; due today |
//! | `/text/`, other words | title, notes or project hold them |
//!
//! Case and accents do not count. Where no state is named, only tasks fit that are neither done nor
//! cancelled.

mod fold;
mod read;

use uuid::Uuid;

use crate::book::{Priority, State, TaskRef, TaskRow};

pub use fold::fold;

/// Words of one filter at most.
pub const WORDS_MAX: usize = 64;
/// Bytes of one word at most.
pub const WORD_MAX_BYTES: usize = 1 << 10;

/// Why a filter is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// An attribute that there is not.
    #[error("there is no attribute `{name}`")]
    UnknownAttribute {
        /// As it stood there.
        name: String,
    },
    /// An attribute does not take the value.
    #[error("`{attribute}` does not take {value:?}: {why}")]
    Value {
        /// The attribute.
        attribute: String,
        /// As it stood there.
        value: String,
        /// What it takes.
        why: String,
    },
    /// A word that joins others elsewhere, and would be looked for as text here.
    #[error("`{word}` joins nothing: all words of a filter have to fit (`/{word}/` looks for it)")]
    Joined {
        /// The word.
        word: String,
    },
    /// Too many words, or one that is too long.
    #[error("a filter has at most {WORDS_MAX} words of {WORD_MAX_BYTES} bytes")]
    TooLong,
}

/// Attributes that there are, for people.
pub const ATTRIBUTES: &str = "project, tag, priority, state, due, created, modified, done, has, no, \
     parent; before a date also .before, .after, .by";

/// A task's times that a filter can ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Date {
    Due,
    Created,
    Modified,
    Done,
}

/// How a time is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    On,
    Before,
    After,
    By,
}

/// What a task may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Due,
    Notes,
    Project,
    Tags,
    Priority,
    Parent,
    Repeat,
    Reminder,
    Snooze,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Tag(String, bool),
    Project(Option<String>),
    Priority(Option<Priority>),
    State(Vec<State>),
    /// From, and up to.
    Numbers(Vec<(u64, u64)>),
    /// Of which task; resolved to its id.
    Parent(Option<(TaskRef, Option<Uuid>)>),
    /// First and, exclusively, last moment, UTC milliseconds.
    Date(Date, Compare, i64, i64),
    Has(Part, bool),
    /// Now, UTC milliseconds.
    Overdue(i64),
    Text(String),
}

/// Words, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

impl Filter {
    /// Whether the states that fit are named. Else only unfinished tasks fit.
    #[must_use]
    pub fn names_states(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term, Term::State(_) | Term::Numbers(_)))
    }

    /// Whether a task that is done or cancelled may fit.
    #[must_use]
    pub fn wants_ended(&self) -> bool {
        self.names_states()
            && !self.terms.iter().any(|term| {
                matches!(term, Term::State(states) if states.iter().all(|state| state.is_unfinished()))
            })
    }

    /// Whether it looks into notes.
    #[must_use]
    pub fn reads_notes(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term, Term::Text(_) | Term::Has(Part::Notes, _)))
    }

    /// Whether it looks at tags.
    #[must_use]
    pub fn reads_tags(&self) -> bool {
        self.terms
            .iter()
            .any(|term| matches!(term, Term::Tag(..) | Term::Has(Part::Tags, _)))
    }

    /// Finds the tasks that are named as parents. One that there is not has no parts.
    ///
    /// # Errors
    /// What `find` said.
    pub fn resolve<E>(
        &mut self,
        mut find: impl FnMut(TaskRef) -> Result<Option<Uuid>, E>,
    ) -> Result<(), E> {
        for term in &mut self.terms {
            if let Term::Parent(Some((task, id))) = term {
                *id = find(*task)?;
            }
        }
        Ok(())
    }

    /// Whether a task fits all words. `any_state`: also where none is named.
    #[must_use]
    pub fn fits(&self, task: &TaskRow, any_state: bool) -> bool {
        if !any_state && !self.names_states() && !task.state.is_unfinished() {
            return false;
        }
        self.terms.iter().all(|term| term.fits(task))
    }
}

/// The last moment of what is due has passed.
#[must_use]
pub fn is_overdue(task: &TaskRow, now_ms: i64) -> bool {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    task.state.is_unfinished()
        && task.times.as_ref().is_some_and(|times| {
            // A day that the clock makes an hour longer is overdue that much too early, at night.
            let end = times.due_ms + if times.all_day { DAY_MS } else { 0 };
            end <= now_ms
        })
}

impl Term {
    fn fits(&self, task: &TaskRow) -> bool {
        match self {
            Self::Tag(tag, wanted) => task.tags.iter().any(|own| fold(own) == *tag) == *wanted,
            Self::Project(None) => task.project.is_none(),
            Self::Project(Some(project)) => task.project.as_ref().is_some_and(|own| {
                let own = fold(own);
                own.strip_prefix(project.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
            Self::Priority(priority) => task.priority == *priority,
            Self::State(states) => states.contains(&task.state),
            Self::Numbers(ranges) => ranges
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&task.number)),
            Self::Parent(None) => task.parent.is_none(),
            Self::Parent(Some((_, id))) => id.is_some() && task.parent == *id,
            Self::Date(date, compare, from, to) => {
                let at = match date {
                    Date::Due => task.times.as_ref().map(|times| times.due_ms),
                    Date::Created => Some(task.created_ms),
                    Date::Modified => Some(task.modified_ms),
                    Date::Done => task.completed_ms,
                };
                at.is_some_and(|at| match compare {
                    Compare::On => (*from..*to).contains(&at),
                    Compare::Before => at < *from,
                    Compare::After => at >= *to,
                    Compare::By => at < *to,
                })
            }
            Self::Has(part, wanted) => {
                let has = match part {
                    Part::Due => task.times.is_some(),
                    Part::Notes => !task.notes.is_empty(),
                    Part::Project => task.project.is_some(),
                    Part::Tags => !task.tags.is_empty(),
                    Part::Priority => task.priority.is_some(),
                    Part::Parent => task.parent.is_some(),
                    Part::Repeat => task.repeat.is_some(),
                    Part::Reminder => task.next.is_some(),
                    Part::Snooze => task.snoozed_until_ms.is_some(),
                };
                has == *wanted
            }
            Self::Overdue(now_ms) => is_overdue(task, *now_ms),
            Self::Text(text) => {
                fold(&task.title).contains(text.as_str())
                    || fold(&task.notes).contains(text.as_str())
                    || task
                        .project
                        .as_ref()
                        .is_some_and(|project| fold(project).contains(text.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
