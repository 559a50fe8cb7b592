//! The wires of others, spoken on loopback: what a program that was written for OpenAI or Anthropic
//! sends becomes a neutral request, and the neutral answer becomes what such a program reads. Also
//! who may send at all. Pure: no I/O, no clock, nothing of ours but the model types.

pub mod access;
pub mod answer;
pub mod ask;
pub mod chat;
pub mod fault;
pub mod listing;
pub mod messages;
mod read;
pub mod responses;
mod sse;
pub mod token;

pub use answer::{Counts, End, Writer};
pub use ask::{Asked, Wire, parse, parse_to_count};
pub use fault::{Fault, FaultKind};
