//! The bodies of the contract's methods: one file per resource, as in the contract.

mod audit;
mod books;
mod budget;
mod budget_place;
mod chat;
mod config;
mod daemon;
mod health;
mod logs;
mod menu;
mod model;
mod notify;
mod price;
mod privacy;
mod provider;
mod review;
mod review_preview;
mod route;
mod run;
mod search;
mod session;
pub(crate) mod task;
mod template;
mod token;
mod topic;
mod undo;
mod usage;

pub(crate) use budget::specs as budget_specs;
pub(crate) use review::absolute;
pub(crate) use run::{error as runs_error, info as run_info, interrupted_payload, payload};
