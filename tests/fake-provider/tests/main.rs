//! The fake seen by plain sockets and by a real TLS client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod client;
mod dialects;
mod faults;
mod network;
mod records;
