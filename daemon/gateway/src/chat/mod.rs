//! OpenAI's Chat Completions.

pub(crate) mod answer;
pub(crate) mod request;
