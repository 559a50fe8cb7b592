//! The gate against real sockets on loopback: hand-written answers, real TLS, real resets.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a server or a helper that fails must fail its test"
)]

mod denials;
mod faults;
mod http2;
mod leaks;
mod reuse;
mod support;
mod tls;
mod waits;
