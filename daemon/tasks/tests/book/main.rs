//! Tasks and reminders in the database.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod changes;
mod fires;
mod model;
mod support;
mod ways_back;
