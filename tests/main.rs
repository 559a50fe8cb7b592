//! Tests of the whole product from the outside, and of the house's own rules.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests and their helpers fail by panicking and say loudly what they skip"
)]

mod arrows;
mod harness;
mod tidy;
