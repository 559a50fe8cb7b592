//! What comes again, as an RFC 5545 rule and its first time.

mod text;

use jiff::civil::{Date, Weekday};
use jiff::{Span, Zoned, tz::TimeZone};

use super::draft::Draft;
use super::hours::{self, Hour};
use super::piece::{Amount, Freq, MonthRef, NthOf, Piece, Rule, Unit, Which, Why};
use super::resolve::{Context, Dates, Found, add, plain, whole_seconds};
use super::{Basis, Reading, Repeat, WhenError};

/// Times of a rule at most, as [`Rule`](crate::recur::Rule) takes them.
pub(super) const TIMES_MAX: u32 = 100_000;

/// Days among which the first time is looked for: 29 February may be eight years away.
const DAYS_AHEAD: i32 = 366 * 9;

/// What a repetition can mean.
pub(super) fn readings(context: &Context<'_>, draft: &Draft) -> Result<Vec<Reading>, WhenError> {
    let mut rule = match (&draft.rule, &draft.weekdays) {
        (Some(rule), _) => rule.clone(),
        (None, Some((days, _))) => Rule::new(Freq::Weekly, 1).on(days.iter().copied()),
        (None, None) => return Err(WhenError::Never),
    };
    if draft.amount.is_some() || draft.period.is_some() {
        return Err(apart("a repetition and a distance or period"));
    }
    let mut starts = merge(&mut rule, context, draft)?;
    if let Some(start) = &draft.start {
        if starts.is_some() {
            return Err(apart("two beginnings"));
        }
        starts = Some(alone(context).piece(start)?);
    }
    // From a day that has passed it would be unclear which of its times are counted.
    let passed = starts
        .iter()
        .flatten()
        .find(|(date, _)| *date < context.today);
    if let Some((date, _)) = passed {
        let due = Box::new(context.day(*date)?);
        return Err(WhenError::Past { due, all_day: true });
    }
    if matches!(rule.freq, Freq::Minutely | Freq::Hourly) {
        return of_clock(&rule, context, draft, starts);
    }
    if let (Some(month), Some(day @ 1..)) = (rule.month, rule.month_days.first())
        && Date::new(2000, month, *day).is_err()
    {
        let what = format!("day {day} in month {month}");
        return Err(WhenError::NoSuchDay { what });
    }
    let starts = starts.unwrap_or_else(|| vec![(context.today, None)]);
    let hours = hours::on_a_day(draft.clock, draft.part, context.now.time())?;
    // At midnight: the day that begins.
    let mut options = hours.options;
    if options.len() == 2 && options[0].2 == Some(Why::DayBegins) {
        options.truncate(1);
        options[0].2 = None;
    }
    let mut out = Vec::new();
    for (start, why) in &starts {
        let timed: Vec<Option<Hour>> = if draft.is_timed() {
            options.iter().map(|option| Some(*option)).collect()
        } else {
            vec![None]
        };
        for hour in timed {
            let mut reading = first(&rule, context, draft, *start, hour)?;
            reading.why.extend(*why);
            out.push(reading);
        }
    }
    Ok(out)
}

fn apart(what: &str) -> WhenError {
    WhenError::Contradiction {
        what: format!("{what} do not go together"),
    }
}

/// Dates of a piece, whatever else is in the draft.
fn alone<'a>(context: &'a Context<'a>) -> Dates<'a> {
    static EMPTY: std::sync::OnceLock<Draft> = std::sync::OnceLock::new();
    Dates::new(context, EMPTY.get_or_init(Draft::default))
}

/// Puts the days that stand beside a rule into it. What is a date is its beginning.
fn merge(
    rule: &mut Rule,
    context: &Context<'_>,
    draft: &Draft,
) -> Result<Option<Found>, WhenError> {
    let free = rule.days.is_empty() && rule.month_days.is_empty();
    let days: Option<Vec<Weekday>> = match (&draft.weekdays, draft.weekday) {
        (Some((days, _)), None) if draft.rule.is_some() => Some(days.clone()),
        (None, Some((day, Which::Plain | Which::This))) => Some(vec![day]),
        (None, Some((day, which))) => {
            if draft.day.is_some() || rule.freq != Freq::Weekly || !free {
                return Err(apart("a repetition and that day"));
            }
            return Ok(Some(alone(context).piece(&Piece::Weekday(day, which))?));
        }
        (Some(_), Some(_)) => return Err(apart("days of the week twice")),
        _ => None,
    };
    if let Some(days) = days {
        if !free || draft.day.is_some() {
            return Err(apart("this repetition and a day of the week"));
        }
        match rule.freq {
            Freq::Weekly => *rule = rule.clone().on(days),
            _ => return Err(apart("this repetition and a day of the week")),
        }
        return Ok(None);
    }
    let Some(day) = &draft.day else {
        return Ok(None);
    };
    match (rule.freq, day) {
        (Freq::Monthly, Piece::DayOfMonth(day)) if free => rule.month_days = vec![*day],
        (
            Freq::Monthly,
            Piece::Nth {
                nth,
                of,
                month: MonthRef::Coming | MonthRef::Shift(0),
            },
        ) if free => match of {
            NthOf::Weekday(day) => rule.days = vec![(*nth, *day)],
            NthOf::Day => rule.month_days = vec![*nth],
        },
        (
            Freq::Monthly,
            Piece::Edge {
                end,
                unit: Unit::Month,
                month: MonthRef::Shift(0),
                ..
            },
        ) if free => {
            rule.month_days = vec![if *end { -1 } else { 1 }];
        }
        (Freq::Yearly, Piece::Date { year, month, day }) if free => {
            rule.month = Some(*month);
            rule.month_days = vec![*day];
            if year.is_some() {
                return Ok(Some(alone(context).piece(&Piece::Date {
                    year: *year,
                    month: *month,
                    day: *day,
                })?));
            }
        }
        (
            Freq::Yearly,
            Piece::Nth {
                nth,
                of,
                month: MonthRef::Named(month, None),
            },
        ) if free => {
            rule.month = Some(*month);
            match of {
                NthOf::Weekday(day) => rule.days = vec![(*nth, *day)],
                NthOf::Day => rule.month_days = vec![*nth],
            }
        }
        (_, Piece::Day(_) | Piece::Date { .. } | Piece::Later(..)) => {
            return Ok(Some(alone(context).piece(day)?));
        }
        _ => return Err(apart("this repetition and that day")),
    }
    Ok(None)
}

/// Every so many minutes or hours.
fn of_clock(
    rule: &Rule,
    context: &Context<'_>,
    draft: &Draft,
    starts: Option<Found>,
) -> Result<Vec<Reading>, WhenError> {
    let seconds = i64::from(rule.interval) * if rule.freq == Freq::Hourly { 3600 } else { 60 };
    let mut out = Vec::new();
    if starts.is_none() && !draft.is_timed() {
        let now = whole_seconds(context.now)?;
        let now = now
            .checked_sub(Span::new().seconds(i64::from(now.second())))
            .map_err(|_| WhenError::OutOfRange)?;
        let span = Span::new()
            .try_seconds(seconds)
            .map_err(|_| WhenError::OutOfRange)?;
        let due = now.checked_add(span).map_err(|_| WhenError::OutOfRange)?;
        out.push(finish(rule, context, draft, due, false)?);
        return Ok(out);
    }
    if !draft.is_timed() {
        return Err(apart("a repetition by the hour and a day without an hour"));
    }
    let hours = hours::on_a_day(draft.clock, draft.part, context.now.time())?;
    let starts = starts.unwrap_or_else(|| vec![(context.today, None)]);
    for (start, why) in starts {
        for (days, time, hour_why) in &hours.options {
            let mut date = add(
                start,
                Amount {
                    days: *days,
                    ..Amount::default()
                },
            )?;
            let (mut due, mut shifted) = context.at(date, *time)?;
            // Today may have begun in one zone and not in the other.
            for _ in 0..3 {
                if due >= *context.now {
                    break;
                }
                date = add(
                    date,
                    Amount {
                        days: 1,
                        ..Amount::default()
                    },
                )?;
                (due, shifted) = context.at(date, *time)?;
            }
            let mut reading = finish(rule, context, draft, due, false)?;
            reading.when.shifted = shifted;
            reading.why.extend(why);
            reading.why.extend(*hour_why);
            out.push(reading);
        }
    }
    Ok(out)
}

/// The first time of a rule by days.
fn first(
    rule: &Rule,
    context: &Context<'_>,
    draft: &Draft,
    start: Date,
    hour: Option<Hour>,
) -> Result<Reading, WhenError> {
    for ahead in 0..=DAYS_AHEAD {
        let date = add(
            start,
            Amount {
                days: ahead,
                ..Amount::default()
            },
        )?;
        if !fits(rule, date) {
            continue;
        }
        let Some((days, time, why)) = hour else {
            if date < context.today {
                continue;
            }
            return finish(rule, context, draft, context.day(date)?, true);
        };
        let on = add(
            date,
            Amount {
                days,
                ..Amount::default()
            },
        )?;
        let (due, shifted) = context.at(on, time)?;
        if due < *context.now {
            continue;
        }
        let mut reading = finish(&moved(rule, days)?, context, draft, due, false)?;
        reading.when.shifted = shifted;
        reading.why.extend(why);
        return Ok(reading);
    }
    Err(WhenError::Never)
}

/// "every friday at 24:00" comes on Saturdays; the night after the 15th may be in another month.
fn moved(rule: &Rule, days: i32) -> Result<Rule, WhenError> {
    let mut rule = rule.clone();
    if days == 0 {
        return Ok(rule);
    }
    if !rule.month_days.is_empty() || rule.days.iter().any(|(nth, _)| *nth != 0) {
        let what = "the night after such a day: say the hour of the next day".to_owned();
        return Err(WhenError::Contradiction { what });
    }
    for (_, day) in &mut rule.days {
        *day = day.next();
    }
    Ok(rule)
}

fn fits(rule: &Rule, date: Date) -> bool {
    let month = rule.month.is_none_or(|month| date.month() == month);
    let of_month = rule.month_days.is_empty()
        || rule.month_days.iter().any(|day| {
            let last = date.days_in_month();
            if *day < 0 {
                date.day() == last + 1 + *day
            } else {
                date.day() == (*day).min(last)
            }
        });
    let of_week = rule.days.is_empty()
        || rule.days.iter().any(|(nth, day)| {
            date.weekday() == *day
                && (*nth == 0
                    || date
                        .first_of_month()
                        .nth_weekday_of_month(*nth, *day)
                        .is_ok_and(|found| found == date))
        });
    month && of_month && of_week
}

fn finish(
    rule: &Rule,
    context: &Context<'_>,
    draft: &Draft,
    due: Zoned,
    all_day: bool,
) -> Result<Reading, WhenError> {
    let mut text = text::text(rule, due.date());
    if draft.until.is_some() && (draft.times.is_some() || draft.during.is_some())
        || draft.times.is_some() && draft.during.is_some()
    {
        return Err(apart("two ends"));
    }
    let clock = match rule.freq {
        Freq::Hourly => Some(3600),
        Freq::Minutely => Some(60),
        _ => None,
    };
    let times = match (draft.during, clock) {
        // "every 8 hours for 5 days" is 15 times, wherever in the day it begins.
        (Some(during), Some(unit)) => Some(counted(during, unit * i64::from(rule.interval))?),
        _ => draft.times,
    };
    if let Some(times) = times {
        text.push_str(&format!(";COUNT={times}"));
    }
    let until = match (&draft.until, draft.during) {
        (Some(until), _) => Some(until_date(until, context)?),
        (None, Some(during)) if clock.is_none() => {
            let end = add(due.date(), during)?;
            Some(end.yesterday().map_err(|_| WhenError::OutOfRange)?)
        }
        (None, _) => None,
    };
    if let Some(until) = until {
        if until < due.date() {
            return Err(WhenError::Never);
        }
        text.push_str(";UNTIL=");
        text.push_str(&until_text(until, all_day, context.zone)?);
    }
    let basis = if draft.done {
        Basis::AfterCompletion
    } else {
        Basis::Schedule
    };
    let mut when = plain(due, all_day, None);
    when.repeat = Some(Repeat { rrule: text, basis });
    Ok(Reading {
        when,
        why: Vec::new(),
    })
}

/// How often something comes within a length of days.
fn counted(during: Amount, every_seconds: i64) -> Result<u32, WhenError> {
    let fits = (during.months == 0).then(|| i64::from(during.days) * 86_400 / every_seconds);
    fits.and_then(|times| u32::try_from(times).ok())
        .filter(|times| (1..=TIMES_MAX).contains(times))
        .ok_or_else(|| apart("this repetition and that length"))
}

/// The last day that counts.
fn until_date(until: &Piece, context: &Context<'_>) -> Result<Date, WhenError> {
    if let Piece::Month { month, year, .. } = until {
        let first = match year {
            Some(year) => Date::new(*year, *month, 1).map_err(|_| WhenError::OutOfRange)?,
            None => {
                let this = Date::new(context.today.year(), *month, 1)
                    .map_err(|_| WhenError::OutOfRange)?;
                if this.last_of_month() < context.today {
                    add(
                        this,
                        Amount {
                            months: 12,
                            ..Amount::default()
                        },
                    )?
                } else {
                    this
                }
            }
        };
        return Ok(first.last_of_month());
    }
    let found = alone(context).piece(until)?;
    let date = found
        .last()
        .map(|(date, _)| *date)
        .ok_or(WhenError::Never)?;
    Ok(match until {
        Piece::Period {
            unit: Unit::Week, ..
        } => add(
            date,
            Amount {
                days: 6,
                ..Amount::default()
            },
        )?,
        Piece::Period {
            unit: Unit::Month, ..
        } => date.last_of_month(),
        Piece::Period { .. } => date.last_of_year(),
        _ => date,
    })
}

/// `UNTIL` is a date beside a date and UTC beside a time in a zone.
fn until_text(until: Date, all_day: bool, zone: &TimeZone) -> Result<String, WhenError> {
    if all_day {
        return Ok(until.strftime("%Y%m%d").to_string());
    }
    let last = until
        .at(23, 59, 59, 0)
        .to_zoned(zone.clone())
        .map_err(|_| WhenError::OutOfRange)?;
    Ok(last
        .with_time_zone(TimeZone::UTC)
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string())
}
