//! Recurrence: what dateutil says, what the RFC says, and any rule at all.

mod agreement;
mod any_rule;
mod rfc;
