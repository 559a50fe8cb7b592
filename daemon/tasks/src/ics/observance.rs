//! Zones that a calendar defines itself, and the zone of the list whose clock goes alike.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::import::Component;
use super::value::When;
use crate::recur::{Frequency, Rule};

/// Observances of a zone, and dates of one, at most.
const OBSERVANCES_MAX: usize = 200;
/// Days between two times that are compared, and over how many before and behind.
const SAMPLE_DAYS: usize = 3;
const HALF_DAYS: i64 = 366;
/// Beginnings of a rule near a time; there are two in a year at most.
const NEAR_MAX: usize = 20;
/// Beginnings of a rule that ended long ago.
const ENDED_MAX: usize = 500;
/// An observance comes round within this, counted from the times that are compared.
const LOOK_BACK_DAYS: i64 = 1_200;

/// From when on a clock is how far from UTC.
#[derive(Clone, Debug)]
struct Observance {
    start: DateTime,
    before: Offset,
    after: Offset,
    rule: Option<Rule>,
    dates: Vec<DateTime>,
}

/// A zone as a calendar defines it.
#[derive(Clone, Debug, Default)]
pub(super) struct Defined(Vec<Observance>);

impl Defined {
    /// From a `VTIMEZONE`; what of it is not understood makes it empty.
    pub(super) fn read(zone: &Component) -> Self {
        let observances = zone
            .within
            .iter()
            .filter(|part| matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT"))
            .take(OBSERVANCES_MAX)
            .map(Observance::read)
            .collect::<Option<Vec<_>>>();
        Self(observances.unwrap_or_default())
    }

    /// How far its clock is from UTC, around a time.
    fn clock(&self, around: DateTime) -> Option<Clock> {
        let mut onsets: Vec<(DateTime, Offset)> = self
            .0
            .iter()
            .flat_map(|part| part.onsets(around).into_iter().map(|at| (at, part.after)))
            .collect();
        onsets.sort_unstable_by_key(|(at, _)| *at);
        let before = self.0.iter().min_by_key(|part| part.start)?.before;
        Some(Clock { before, onsets })
    }

    /// The instant of a wall-clock time by what the calendar says.
    pub(super) fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        self.clock(wall)?.offset(wall).to_timestamp(wall).ok()
    }

    /// The first of `names` whose clock goes as this one does, in the year before and behind.
    pub(super) fn same_as<'a>(
        &self,
        around: DateTime,
        names: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let clock = self.clock(around)?;
        let noon = around.date().at(12, 0, 0, 0);
        let walls = (-HALF_DAYS..HALF_DAYS)
            .step_by(SAMPLE_DAYS)
            .map(|days| moved(noon, days));
        let samples: Vec<_> = walls.map(|wall| (wall, clock.offset(wall))).collect();
        let mut zones = names.filter_map(|name| TimeZone::get(name).ok());
        let alike = |zone: &TimeZone| {
            samples.iter().all(|(wall, offset)| {
                matches!(
                    zone.to_ambiguous_timestamp(*wall).offset(),
                    AmbiguousOffset::Unambiguous { offset: other } if other == *offset
                )
            })
        };
        zones.find(alike)?.iana_name().map(str::to_owned)
    }
}

/// Offsets from their beginnings on, ascending.
struct Clock {
    before: Offset,
    onsets: Vec<(DateTime, Offset)>,
}

impl Clock {
    fn offset(&self, wall: DateTime) -> Offset {
        let passed = self.onsets.partition_point(|(at, _)| *at <= wall);
        match passed.checked_sub(1).and_then(|last| self.onsets.get(last)) {
            Some((_, offset)) => *offset,
            None => self.before,
        }
    }
}

fn moved(at: DateTime, days: i64) -> DateTime {
    at.saturating_add(SignedDuration::from_hours(24 * days))
}

impl Observance {
    fn read(part: &Component) -> Option<Self> {
        let find = |name| part.lines.iter().find(|line| line.name == name);
        let rule = match find("RRULE") {
            None => None,
            // Clocks change by the year; anything else is no zone's.
            Some(line) => {
                let rule = Rule::parse(&line.value).ok()?;
                Some(rule).filter(|rule| rule.frequency() == Frequency::Yearly)
            }
        };
        let mut dates = Vec::new();
        for line in part.lines.iter().filter(|line| line.name == "RDATE") {
            for text in line.texts().take(OBSERVANCES_MAX) {
                if dates.len() < OBSERVANCES_MAX {
                    dates.push(When::read(&text)?.wall());
                }
            }
        }
        Some(Self {
            start: When::read(&find("DTSTART")?.value)?.wall(),
            before: offset(&find("TZOFFSETFROM")?.value)?,
            after: offset(&find("TZOFFSETTO")?.value)?,
            rule,
            dates,
        })
    }

    /// When it begins, around a time, and the last before.
    fn onsets(&self, around: DateTime) -> Vec<DateTime> {
        let mut onsets = self.dates.clone();
        onsets.push(self.start);
        if let Some(rule) = &self.rule {
            let zone = TimeZone::fixed(self.before);
            let (from, upto) = (
                moved(around, -LOOK_BACK_DAYS),
                moved(around, LOOK_BACK_DAYS),
            );
            let all = |from| {
                rule.occurrences_in(&zone, self.start, from)
                    .take_while(|at| *at <= upto)
            };
            let near = onsets.len();
            onsets.extend(all(Some(from)).take(NEAR_MAX));
            if onsets.len() == near {
                // It ended long ago.
                onsets.extend(all(None).take(ENDED_MAX).last());
            }
        }
        onsets
    }
}

/// `+0100`, `-033045`.
fn offset(text: &str) -> Option<Offset> {
    let text = text.trim();
    let sign = match text.as_bytes().first()? {
        b'-' => -1,
        b'+' => 1,
        _ => return None,
    };
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse::<i32>().ok())?
    };
    let seconds = match text.len() {
        5 => 0,
        7 => number(5, 7)?,
        _ => return None,
    };
    let total = number(1, 3)? * 3_600 + number(3, 5)? * 60 + seconds;
    Offset::from_seconds(sign * total).ok()
}
