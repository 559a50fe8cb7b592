//! Tasks and reminders as a person reads and types them: the user's language and place, lists,
//! what changed, questions about times, ids in ranges.

pub mod again;
pub mod asked;
pub mod changed;
pub mod ids;
pub mod list;
pub mod locale;
pub mod missed;
pub mod readings;
pub mod reminder;
pub mod several;
pub mod words;

pub use locale::Here;
