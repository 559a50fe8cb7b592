//! Dates in natural language: tables of phrases and sentences, an independent parser's corpora,
//! properties.

use convergio_tasks::when;

mod peers;
mod properties;
mod said;
mod tables;
