//! Dates in natural language: tables of phrases and sentences, an independent parser's corpora,
//! properties.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it counted"
)]

use convergio_tasks::when;

mod peers;
mod properties;
mod said;
mod tables;
