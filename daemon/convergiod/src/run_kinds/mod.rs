//! What runs do, a file per kind.

pub(crate) mod accounts;
mod admission;
mod answered;
pub(crate) mod blob;
pub(crate) mod calls;
pub(crate) mod chat;
pub(crate) mod confirm;
mod convert;
mod entry;
pub(crate) mod gateway;
mod json_texts;
mod kept;
mod ledger;
mod marks;
pub(crate) mod outgoing;
pub(crate) mod question;
mod readers;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod review;
mod review_course;
pub(crate) mod review_model;
pub(crate) mod review_route;
