//! Values that are dates and durations.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// A date or time as it stands there; the zone is a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Local(DateTime),
    Utc(Timestamp),
}

impl When {
    /// `20261122`, `20261122T090000`, `20261122T090000Z`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            digits
                .bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| digits.parse::<i16>().ok())?
        };
        let small = |from, to| i8::try_from(number(from, to)?).ok();
        let date = Date::new(number(0, 4)?, small(4, 6)?, small(6, 8)?).ok()?;
        if text.len() == 8 {
            return Some(Self::Day(date));
        }
        if !matches!(text.get(8..9)?, "T" | "t") {
            return None;
        }
        // A leap second, which no clock of ours shows.
        let second = small(13, 15)?;
        let second = if second == 60 { 59 } else { second };
        let at = DateTime::from_parts(
            date,
            Time::new(small(9, 11)?, small(11, 13)?, second, 0).ok()?,
        );
        match text.get(15..)? {
            "" => Some(Self::Local(at)),
            "Z" | "z" => TimeZone::UTC.to_timestamp(at).ok().map(Self::Utc),
            _ => None,
        }
    }

    /// An instant; a wall-clock time is taken as UTC, as RFC 5545 says of those values.
    pub(super) fn instant(self) -> Option<Timestamp> {
        match self {
            Self::Utc(at) => Some(at),
            Self::Local(at) => TimeZone::UTC.to_timestamp(at).ok(),
            Self::Day(day) => TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok(),
        }
    }

    /// Its place on a clock without a zone.
    pub(super) fn wall(self) -> DateTime {
        match self {
            Self::Day(day) => day.at(0, 0, 0, 0),
            Self::Local(at) => at,
            Self::Utc(at) => TimeZone::UTC.to_datetime(at),
        }
    }

    /// Moved by seconds; a day stays a day.
    pub(super) fn moved(self, seconds: i64) -> Option<Self> {
        let by = jiff::SignedDuration::from_secs(seconds);
        Some(match self {
            Self::Day(day) => Self::Day(day.checked_add(by).ok()?),
            Self::Local(at) => Self::Local(at.checked_add(by).ok()?),
            Self::Utc(at) => Self::Utc(at.checked_add(by).ok()?),
        })
    }
}

/// A duration in seconds: `-PT15M`, `P1DT2H`, `P2W`. At most a hundred years.
pub(super) fn duration(text: &str) -> Option<i64> {
    const MOST: i64 = 100 * 366 * 86_400;
    let text = text.trim().to_ascii_uppercase();
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, text.get(1..)?),
        b'+' => (1, text.get(1..)?),
        _ => (1, text.as_str()),
    };
    let mut rest = rest.strip_prefix('P')?;
    let mut total = 0_i64;
    let mut in_time = false;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('T') {
            if in_time {
                return None;
            }
            in_time = true;
            rest = behind;
            continue;
        }
        let end = rest.bytes().position(|b| !b.is_ascii_digit())?;
        let number: i64 = rest.get(..end)?.parse().ok()?;
        let unit = match (in_time, rest.as_bytes().get(end)?) {
            (false, b'W') => 7 * 86_400,
            (false, b'D') => 86_400,
            (true, b'H') => 3_600,
            (true, b'M') => 60,
            (true, b'S') => 1,
            _ => return None,
        };
        total = number
            .checked_mul(unit)
            .and_then(|n| total.checked_add(n))?;
        parts += 1;
        rest = rest.get(end + 1..)?;
    }
    (parts > 0 && total <= MOST).then_some(total * sign)
}
