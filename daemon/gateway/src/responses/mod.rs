//! OpenAI's Responses, as far as agents need it: nothing is kept between two requests.

pub(crate) mod answer;
pub(crate) mod request;
pub(crate) mod tools;
