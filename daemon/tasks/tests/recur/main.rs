//! Recurrence: what dateutil says, what the RFC says, and any rule at all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod any_rule;
mod rfc;
