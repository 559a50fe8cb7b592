//! The tables of tasks and occurrences.
