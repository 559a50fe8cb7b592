//! The bodies of the contract's methods: one file per resource, as in the contract.

mod config;
mod daemon;
mod health;
mod logs;
mod review;
mod run;
mod pending;
mod undo;

pub(crate) use run::{error as runs_error, info as run_info, interrupted_payload, payload};
