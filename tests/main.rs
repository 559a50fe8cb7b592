//! Tests of the whole product from the outside, and of the house's own rules.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    unreachable_pub,
    reason = "tests fail by panicking, say loudly what they skip, and are one binary"
)]

mod arrows;
mod ask;
mod cli;
mod crash;
mod daemon_life;
mod desktop;
mod frames;
mod gateway;
mod harness;
mod idle;
mod launcher;
mod local_only;
mod menubar;
mod metering;
mod models;
mod reminders;
mod review_model;
mod routes;
mod session;
mod tasks;
mod tasks_cli;
mod tidy;
mod transcripts;
