//! Hours and parts of the day, as times.

use jiff::civil::Time;

use super::WhenError;
use super::piece::{Clock, PartOfDay, Why};

/// A time, days after the one that was said, and why it is this one.
pub(super) type Hour = (i32, Time, Option<Why>);

/// The times that words can mean on a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Hours {
    /// All of them are meant as often.
    pub(super) options: Vec<Hour>,
    /// Where these have passed.
    pub(super) fallback: Option<Hour>,
}

impl Hours {
    fn one(time: Time) -> Self {
        Self {
            options: vec![(0, time, None)],
            fallback: None,
        }
    }

    fn next_day(time: Time) -> Self {
        Self {
            options: vec![(1, time, None)],
            fallback: None,
        }
    }
}

/// The hour that a part of the day stands for.
pub(super) fn of_part(part: PartOfDay) -> Time {
    let hour = match part {
        PartOfDay::Morning => 9,
        PartOfDay::Afternoon => 15,
        PartOfDay::Evening => 19,
        PartOfDay::ThisEvening | PartOfDay::Tonight => 20,
        PartOfDay::Night => 22,
        PartOfDay::ThisNight => 23,
    };
    Time::constant(hour, 0, 0, 0)
}

/// Twelve hours later on the clock's face: 9 is 21, 12 is the end of the day.
pub(super) fn other_half(time: Time) -> Hour {
    if time.hour() == 12 {
        let time = Time::new(0, time.minute(), time.second(), 0).unwrap_or(Time::midnight());
        return (1, time, Some(Why::Afternoon));
    }
    (0, later(time), Some(Why::Afternoon))
}

fn later(time: Time) -> Time {
    Time::new(time.hour() + 12, time.minute(), time.second(), 0).unwrap_or(time)
}

/// The times on a day that is said. `now`: today's time, where the small hours of a night still go
/// on.
pub(super) fn on_a_day(
    clock: Option<Clock>,
    part: Option<PartOfDay>,
    now: Time,
) -> Result<Hours, WhenError> {
    let hours = match (clock, part) {
        (None, None) => Hours::default(),
        (None, Some(part)) => Hours::one(of_part(part)),
        (Some(Clock::Exact(time) | Clock::Full(time)), None) => Hours::one(time),
        (Some(Clock::DayEnd), _) => Hours::next_day(Time::midnight()),
        (Some(Clock::Midnight), None) => Hours {
            options: vec![
                (0, Time::midnight(), Some(Why::DayBegins)),
                (1, Time::midnight(), Some(Why::DayEnds)),
            ],
            fallback: None,
        },
        (Some(Clock::Midnight), Some(_)) => Hours::next_day(Time::midnight()),
        (Some(Clock::Bare(time)), None) if time.hour() >= 7 => Hours {
            options: vec![(0, time, None)],
            fallback: Some(other_half(time)),
        },
        (Some(Clock::Bare(time)), None) => Hours {
            options: vec![
                (0, time, Some(Why::Morning)),
                (0, later(time), Some(Why::Afternoon)),
            ],
            fallback: None,
        },
        (Some(Clock::Bare(time) | Clock::Full(time)), Some(part)) => bare_in(time, part, now)?,
        (Some(Clock::Exact(time)), Some(part)) => exact_in(time, part, now)?,
    };
    Ok(hours)
}

fn against(time: Time, part: PartOfDay) -> WhenError {
    let name = match part {
        PartOfDay::Morning => "morning",
        PartOfDay::Afternoon => "afternoon",
        PartOfDay::Evening | PartOfDay::ThisEvening | PartOfDay::Tonight => "evening",
        PartOfDay::Night | PartOfDay::ThisNight => "night",
    };
    WhenError::Contradiction {
        what: format!("{} is not in the {name}", time.strftime("%H:%M")),
    }
}

/// An evening holds the same hours on any day.
fn of_any_day(part: PartOfDay) -> PartOfDay {
    match part {
        PartOfDay::ThisEvening => PartOfDay::Evening,
        part => part,
    }
}

fn bare_in(time: Time, part: PartOfDay, now: Time) -> Result<Hours, WhenError> {
    let part = of_any_day(part);
    let midnight = Time::new(0, time.minute(), time.second(), 0).unwrap_or(Time::midnight());
    Ok(match (part, time.hour()) {
        (PartOfDay::Morning, 1..=11) => Hours::one(time),
        (PartOfDay::Afternoon, 12) => Hours::one(time),
        (PartOfDay::Afternoon, 1..=7) | (PartOfDay::Evening, 4..=11) => Hours::one(later(time)),
        (PartOfDay::Night, 6..=11) | (PartOfDay::Tonight | PartOfDay::ThisNight, 5..=11) => {
            Hours::one(later(time))
        }
        (PartOfDay::Night, 1..=5) => Hours::one(time),
        (PartOfDay::Tonight | PartOfDay::ThisNight, 1..=4) if now < time => Hours::one(time),
        (PartOfDay::Tonight | PartOfDay::ThisNight, 1..=4) => Hours::next_day(time),
        (PartOfDay::Evening | PartOfDay::Night | PartOfDay::Tonight | PartOfDay::ThisNight, 12) => {
            Hours::next_day(midnight)
        }
        _ => return Err(against(time, part)),
    })
}

fn exact_in(time: Time, part: PartOfDay, now: Time) -> Result<Hours, WhenError> {
    let part = of_any_day(part);
    Ok(match (part, time.hour()) {
        (PartOfDay::Morning, 0..=12)
        | (PartOfDay::Afternoon, 12..=19)
        | (PartOfDay::Evening, 16..=23)
        | (PartOfDay::Night, 0..=6 | 18..=23)
        | (PartOfDay::Tonight | PartOfDay::ThisNight, 17..=23) => Hours::one(time),
        (PartOfDay::Tonight | PartOfDay::ThisNight, 0..=5) if now < time => Hours::one(time),
        (PartOfDay::Evening, 0) | (PartOfDay::Tonight | PartOfDay::ThisNight, 0..=5) => {
            Hours::next_day(time)
        }
        _ => return Err(against(time, part)),
    })
}
