//! A time in words, said back.

use jiff::Zoned;

use super::{Language, Repeat, When, Why};

/// TODO
#[must_use]
pub fn describe(when: &When, language: Language, now: &Zoned) -> String {
    let _ = (language, now);
    phrase(when, language)
}

/// TODO
#[must_use]
pub fn phrase(when: &When, _language: Language) -> String {
    when.due.to_string()
}

/// TODO
#[must_use]
pub fn describe_repeat(repeat: &Repeat, _language: Language) -> String {
    repeat.rrule.clone()
}

pub(super) fn label(why: &[Why], _language: Language) -> String {
    format!("{why:?}")
}
