//! The tables of tasks and reminders: every change of them, and what is read of them.
//!
//! Every change is a function over an open transaction ([`convergio_store::Tx`]), so that a caller
//! puts it and the way back from it into one commit. Time comes as an argument. After a change
//! `task.next` says what fires next; who runs a clock must look again ([`fire::next_wake`]).
//!
//! # What holds
//!
//! - A number is given once, whatever is removed or purged.
//! - A reminder is written down ([`fire::claim`]) before anybody sees it, once for its planned
//!   time, its minutes before it and its snooze, whatever the clock does.
//! - A snooze moves the reminder and never what is due.
//! - A task is no part of itself, and parts are [`DEPTH_MAX`] deep at most.

mod answer;
mod change;
mod complete;
mod create;
mod error;
mod fields;
pub mod fire;
pub mod glance;
mod intake;
mod list;
mod parts;
mod plan;
mod purge;
mod replan;
mod row;
pub mod screen;
mod table;
mod undo;

pub use answer::{Answered, Reply, answer};
pub use change::{Changed, delete, snooze, update};
pub use complete::complete;
pub use create::{Created, NewTask, create, created_before};
pub use error::BookError;
pub use fields::{Fields, NewTimes};
pub use fire::{Claimed, claim, due, keeps_awake, missed, next_wake, shown, shown_as, unshown};
pub use intake::{Incoming, Taken, take_in};
pub use list::{
    Wanted, by_id, by_uid, every, every_with, fill, history, inbox, mark_seen, number_of, parts_of,
    projects_in_use, tags_in_use,
};
pub use parts::DEPTH_MAX;
pub use plan::{ALL_DAY_HOUR, remaining_rule, zone};
pub use purge::purge;
pub use replan::{misplanned, replan};
pub use row::{Fate, LATE_MS, Next, Occurrence, Priority, State, TaskRef, TaskRow, Times};
pub use table::get;
pub use undo::{Image, Images, take_back};

/// Bytes of a title at most.
pub const TITLE_MAX_BYTES: usize = 1 << 10;
/// Bytes of notes at most.
pub const NOTES_MAX_BYTES: usize = 64 << 10;
/// Bytes of a project's name, or of a tag, at most.
pub const NAME_MAX_BYTES: usize = 128;
/// Tags of one task at most.
pub const TAGS_MAX: usize = 32;
/// Reminders of one task at most.
pub const REMINDERS_MAX: usize = 8;
/// Minutes before a task is due at which it may be reminded of: a year and a day.
pub const BEFORE_MAX_MIN: u32 = crate::schedule::REMINDER_MAX_MINUTES;
/// Tasks that are kept at most, those that are done included.
pub const TASKS_MAX: usize = 100_000;
