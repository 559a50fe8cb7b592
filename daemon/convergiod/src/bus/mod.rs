//! What happens right now, and who listens to it.

pub(crate) mod flow;
pub(crate) mod live;
pub(crate) mod run;
