//! git, run so that nothing of the repository runs with it.

pub mod advice;
pub mod binary;
pub mod diff;
pub mod discover;
pub mod run;
pub mod selection;
pub mod status;
pub mod untracked;

#[cfg(test)]
mod tests;

pub use run::Git;
pub use selection::{Selected, Wanted, select};
