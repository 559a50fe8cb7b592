//! The models that there are, and what they cost: `cv models`.

mod listed;
mod prices;
