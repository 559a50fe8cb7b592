//! From wall-clock time into a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// What a change of the clock did to a wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shifted {
    /// The clock jumps over it: it comes as much later as the clock jumps.
    Gap {
        /// What was asked for.
        asked: DateTime,
    },
    /// It comes twice, and the first is taken.
    Overlap {
        /// The second.
        other: Timestamp,
    },
}

/// The instant of a wall-clock time in a zone. A time that does not exist there is shifted forward
/// by the gap; of one that comes twice the first is taken.
///
/// Beyond the instants that there are (before the year -9999, after 9999) it is the first or last.
#[must_use]
pub fn at_zone(civil: DateTime, zone: &TimeZone) -> (Timestamp, Option<Shifted>) {
    let bound = if civil.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            (offset.to_timestamp(civil).unwrap_or(bound), None)
        }
        AmbiguousOffset::Gap { before, .. } => {
            let at = before.to_timestamp(civil).unwrap_or(bound);
            (at, Some(Shifted::Gap { asked: civil }))
        }
        AmbiguousOffset::Fold { before, after } => {
            let at = before.to_timestamp(civil).unwrap_or(bound);
            let other = after.to_timestamp(civil).unwrap_or(bound);
            (at, Some(Shifted::Overlap { other }))
        }
    }
}
