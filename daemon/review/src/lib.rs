//! The reviewer: a unified diff goes in, findings with their place, evidence and remedy come out.
//!
//! Pure: no I/O, no clock, no environment. The same bytes and options give the same findings.
//! The order of work is [`diff`] (bytes to files, hunks, lines) → [`view`] (what a rule sees:
//! comments and strings told apart, old and new side) → [`rules`] (one file per rule) →
//! [`engine`] (which rules look where, silences, fingerprints, coverage) → [`model`] (what a
//! language model is asked, and what of its answers stands).

pub mod coverage;
pub mod diff;
pub mod engine;
pub mod finding;
pub mod language;
mod masking;
pub mod matching;
pub mod model;
pub mod rule;
pub mod rules;
pub mod silence;
pub mod view;

pub use coverage::{Coverage, LeftOut};
pub use engine::{FileOutcome, Review, ReviewError, ReviewOptions, ReviewSummary};
pub use finding::{Finding, Severity, Suggestion};
pub use model::{Masked, SecretPlace, Unsearched, mask_secrets};
