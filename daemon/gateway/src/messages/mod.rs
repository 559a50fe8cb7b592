//! Anthropic's Messages.

pub(crate) mod answer;
pub(crate) mod request;
