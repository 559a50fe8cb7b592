//! iCalendar (RFC 5545) in and out: tasks, and events with a start, which become tasks.
//!
//! [`import`] makes [`Item`]s of a text, and says of everything that it did not take over what it
//! was and how often: a file is never half taken without a word. [`export`] writes `VTODO`s.
//!
//! An event is due at its start. A task that starts and is due at different times is due when it
//! is due; where it repeats and its rule names days, at its start, which is what the rule is
//! counted from.
//!
//! # Bounds
//!
//! [`BYTES_MAX`] of text, [`ITEMS_MAX`] components in a calendar, [`DEPTH_MAX`] within one another.
//! Beyond them nothing is taken.
//!
//! # Roads not taken
//!
//! `calcard` reads what is cut off as whole and drops lines and parts of rules that it does not
//! understand; `icalendar` refuses a file for one bad line, and a file of `BEGIN`s overflows its
//! stack. Lines are little to read, so they are read here.

mod alarm;
mod export;
mod import;
mod item;
mod line;
mod observance;
mod reader;
mod value;
mod zones;

pub use export::export;
pub use import::{BYTES_MAX, DEPTH_MAX, ITEMS_MAX, IcsError, Import, LeftOut, import};
pub use item::{Due, Item, Kind, Status};
