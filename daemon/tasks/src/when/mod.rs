//! Dates in natural language.
