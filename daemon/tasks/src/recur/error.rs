//! Why a rule is refused.

use super::rule::{COUNT_MAX, INTERVAL_MAX, RULE_MAX_BYTES};

/// Why a text is no rule. Texts of others in it are shortened and hold no control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Longer than [`RULE_MAX_BYTES`].
    #[error("a rule of more than {RULE_MAX_BYTES} bytes")]
    TooLong,
    /// A piece that is not `NAME=VALUE`.
    #[error("`{0}` is not of the form NAME=VALUE")]
    NoPair(String),
    /// A name that RFC 5545 does not have.
    #[error("`{0}` is no part of a rule")]
    UnknownPart(String),
    /// A part stands there twice.
    #[error("{0} stands there twice")]
    Twice(&'static str),
    /// A value that the part does not take.
    #[error("`{value}` is no value of {part}")]
    Value {
        /// The part.
        part: &'static str,
        /// What stood there.
        value: String,
    },
    /// `FREQ` is missing.
    #[error("FREQ is missing")]
    NoFrequency,
    /// Reminders come by the minute at most.
    #[error("{0}: a rule repeats by the minute at most")]
    Seconds(&'static str),
    /// `INTERVAL` is above [`INTERVAL_MAX`].
    #[error("INTERVAL is above {INTERVAL_MAX}")]
    Interval,
    /// `COUNT` is above [`COUNT_MAX`].
    #[error("COUNT is above {COUNT_MAX}: end it by UNTIL")]
    Count,
    /// `COUNT` and `UNTIL` together.
    #[error("COUNT and UNTIL exclude each other")]
    TwoEnds,
    /// A part that RFC 5545 does not allow beside another.
    #[error("{part} is not allowed with {beside}")]
    Beside {
        /// The part.
        part: &'static str,
        /// What it does not go with.
        beside: &'static str,
    },
    /// No day or time ever fits, such as the 30th of February.
    #[error("it never fires")]
    Never,
}

/// A text of others as it may stand in an error.
pub(super) fn excerpt(text: &str) -> String {
    let mut out: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() {
                c
            } else {
                '?'
            }
        })
        .take(40)
        .collect();
    if text.chars().nth(40).is_some() {
        out.push('…');
    }
    out
}
