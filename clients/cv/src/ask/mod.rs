//! A question on its way to a model, and the answer on its way back.

pub mod code;
pub mod file;
pub mod input;
pub mod printer;
pub mod reply;
pub mod schema;
pub mod words;

pub use printer::{Asked, Printer};
pub use reply::Reply;
