//! `cv tasks`: what `cv task list` does, in fewer letters.

pub use super::task_list::{Args, run};
