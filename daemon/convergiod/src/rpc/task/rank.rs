//! Tasks in order, a page at a time.
//!
//! # Urgency
//!
//! A task's urgency is the sum of, in thousandths:
//!
//! - **due**: 12,000 from a week after it was due on; falling evenly to 2,400 two weeks before; 2,400
//!   where it is due later than that. A whole day is due at its end.
//! - **priority**: high 6,000, medium 3,900, low 1,800.
//! - **age**: up to 2,000, reached after a year.
//! - **waiting** for somebody: 3,000 less. **Snoozed**: 1,000 less.
//!
//! A reminder that passed is what makes a task urgent; nothing else outweighs what is overdue by
//! a week but priority and age together.

use std::fmt;

use convergio_contract::{RpcError, Uuid};
use convergio_store::Connection;
use convergio_tasks::{
    book::{self, Priority, State, TaskRow},
    filter::Filter,
};

use super::WriteError;
use crate::failure;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// By what tasks are in order. Ties are by number, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The most urgent first.
    Urgency,
    /// What is due first; without a time last.
    Due,
    /// The newest first.
    Created,
    /// The lowest number first.
    Number,
}

impl Sort {
    pub(super) fn of(name: Option<&str>) -> Result<Self, RpcError> {
        match name {
            None | Some("urgency") => Ok(Self::Urgency),
            Some("due") => Ok(Self::Due),
            Some("created") => Ok(Self::Created),
            Some("number") => Ok(Self::Number),
            Some(_) => Err(failure::invalid(
                "`sort` takes urgency, due, created or number",
            )),
        }
    }

    /// The lowest comes first.
    fn key(self, task: &TaskRow, now_ms: i64) -> i64 {
        match self {
            Self::Urgency => -urgency(task, now_ms),
            Self::Due => task.times.as_ref().map_or(i64::MAX, |times| times.due_ms),
            Self::Created => -task.created_ms,
            Self::Number => 0,
        }
    }
}

/// How urgent a task is, in thousandths; see the module.
fn urgency(task: &TaskRow, now_ms: i64) -> i64 {
    let due = task.times.as_ref().map_or(0, |times| {
        let end = times.due_ms + if times.all_day { DAY_MS } else { 0 };
        let overdue_h = (now_ms - end) / HOUR_MS;
        let (first, last) = (-14 * 24, 7 * 24);
        2_400 + (12_000 - 2_400) * (overdue_h.clamp(first, last) - first) / (last - first)
    });
    let priority = match task.priority {
        Some(Priority::High) => 6_000,
        Some(Priority::Medium) => 3_900,
        Some(Priority::Low) => 1_800,
        None => 0,
    };
    let age_h = ((now_ms - task.created_ms) / HOUR_MS).clamp(0, 365 * 24);
    let age = 2_000 * age_h / (365 * 24);
    let waiting = if task.state == State::Waiting {
        -3_000
    } else {
        0
    };
    let asleep = match task.snoozed_until_ms {
        Some(until_ms) if until_ms > now_ms => -1_000,
        _ => 0,
    };
    due + priority + age + waiting + asleep
}

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The moment of which all pages are.
    pub(super) now_ms: i64,
    key: i64,
    number: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.now_ms, self.key, self.number)
    }
}

impl Cursor {
    /// Behind that number, in the order of numbers.
    pub(super) fn after_number(now_ms: i64, number: u64) -> Self {
        Self {
            now_ms,
            key: 0,
            number,
        }
    }

    pub(super) fn read(text: &str) -> Result<Self, RpcError> {
        let mut pieces = text.split('.');
        let read = (|| {
            let now_ms = pieces.next()?.parse().ok()?;
            let key = pieces.next()?.parse().ok()?;
            let number = pieces.next()?.parse().ok()?;
            pieces.next().is_none().then_some(Self {
                now_ms,
                key,
                number,
            })
        })();
        read.ok_or_else(|| failure::invalid("`cursor` takes what the page before gave"))
    }
}

/// Tasks in order.
pub(super) struct Page {
    /// Whole.
    pub(super) rows: Vec<TaskRow>,
    /// On all pages.
    pub(super) total: u64,
    /// For the next one.
    pub(super) next: Option<Cursor>,
}

/// A page of the tasks that fit.
#[expect(clippy::too_many_arguments, reason = "one query, in its parts")]
pub(super) fn page(
    connection: &Connection,
    tenant: Uuid,
    mut filter: Filter,
    any_state: bool,
    sort: Sort,
    cursor: Option<Cursor>,
    now_ms: i64,
    limit: usize,
) -> Result<Page, WriteError> {
    filter.resolve(|task| match book::get(connection, tenant, task) {
        Ok(row) => Ok(Some(row.id)),
        Err(book::BookError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    })?;
    let wanted = book::Wanted {
        ended: any_state || filter.wants_ended(),
        notes: filter.reads_notes(),
        tags: filter.reads_tags(),
    };
    let mut rows: Vec<(i64, u64, TaskRow)> = book::every_with(connection, tenant, wanted)?
        .into_iter()
        .filter(|row| filter.fits(row, any_state))
        .map(|row| (sort.key(&row, now_ms), row.number, row))
        .collect();
    let total = rows.len() as u64;
    rows.sort_unstable_by_key(|(key, number, _)| (*key, *number));
    if let Some(cursor) = &cursor {
        let gone =
            rows.partition_point(|(key, number, _)| (*key, *number) <= (cursor.key, cursor.number));
        rows.drain(..gone);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last() {
        Some((key, number, _)) if more => Some(Cursor {
            now_ms,
            key: *key,
            number: *number,
        }),
        _ => None,
    };
    let mut rows: Vec<TaskRow> = rows.into_iter().map(|(_, _, row)| row).collect();
    book::fill(connection, &mut rows, wanted)?;
    Ok(Page { rows, total, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor {
            now_ms: 1_763_000_000_000,
            key: -7_300,
            number: 12,
        };
        assert_eq!(Cursor::read(&cursor.to_string()).unwrap(), cursor);
        for text in ["", "1.2", "1.2.3.4", "a.b.c", "1.2.-3"] {
            assert!(Cursor::read(text).is_err(), "{text}");
        }
    }
}
