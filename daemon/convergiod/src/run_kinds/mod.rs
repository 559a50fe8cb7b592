//! What runs do, a file per kind.

pub(crate) mod blob;
pub(crate) mod convert;
mod ledger;
mod readers;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod review;
