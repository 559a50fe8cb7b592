//! What happens right now, and who listens to it.

pub(crate) mod live;
