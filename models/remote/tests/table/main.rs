//! Every provider of the catalogue over a socket: what it sends, what breaks, what it is asked.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a server or a helper that fails must fail its test"
)]

mod bodies;
mod faults;
mod fixtures;
mod mutations;
mod newcomer;
mod requests;
mod rows;
mod support;
