//! The crate as its users see it: layers, edits, managed policy.

mod edits;
mod layers;
mod managed;
mod provider_edits;
mod providers;
mod support;
