//! What runs do, a file per kind.

pub(crate) mod blob;
pub(crate) mod convert;
pub(crate) mod record;
pub(crate) mod review;
