//! Reminders as somebody at a desktop sees them: a notification server of the test's own, on a bus
//! of its own, a clock that it moves, and daemons that are killed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too, and says what it skips"
)]

mod buttons;
mod clocks;
mod desk;
mod house;
mod kills;
mod shown;
