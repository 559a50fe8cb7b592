//! Where words go: the answer to stdout, everything else to stderr.

pub mod answer;
pub mod closed;
pub mod escape;
pub mod layout;
pub mod notes;
pub mod paint;
pub mod patient;
pub mod reader;

pub use answer::Answer;
pub use notes::Notes;
