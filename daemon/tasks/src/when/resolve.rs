//! From what was said to the times that it can mean.

mod dates;

use jiff::civil::{Date, Time};
use jiff::tz::{self, AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, Zoned};

use super::draft::Draft;
use super::grammar::abbreviation_offset;
use super::hours::{self, Hours};
use super::piece::{Amount, Clock, Piece, Why};
use super::scan::Hit;
use super::{Answer, Here, Language, READINGS_MAX, Reading, Shifted, When, WhenError, rule};

pub(super) use dates::{Dates, Found, add};

/// Ways of reading that are tried at most, before those that say the same are put together.
const TRIED_MAX: usize = 64;

/// What the hits say together.
pub(super) fn answer(hits: &[Hit], here: &Here) -> Result<Answer, WhenError> {
    let mut ways = 1_usize;
    for hit in hits {
        ways = ways.saturating_mul(hit.readings.len());
    }
    if ways > TRIED_MAX {
        return Err(WhenError::TooManyReadings);
    }
    let mut found: Vec<(usize, Option<Language>, Vec<Reading>)> = Vec::new();
    let mut first_error = None;
    for way in 0..ways {
        match one_way(hits, way, here) {
            Ok((languages, readings)) => {
                let only = (languages.len() == 1).then(|| languages[0]);
                found.push((languages.len(), only, readings));
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    // Words of one language read in it make more sense than half of each.
    let fewest = found.iter().map(|(languages, ..)| *languages).min();
    found.retain(|(languages, ..)| Some(*languages) == fewest);
    let differ = found.iter().any(|(_, language, _)| *language != found[0].1);
    let mut readings: Vec<Reading> = Vec::new();
    for (_, language, more) in found {
        for mut reading in more {
            if readings
                .iter()
                .any(|known| same(&known.when, &reading.when))
            {
                continue;
            }
            if let (true, Some(language)) = (differ, language) {
                reading.why.push(match language {
                    Language::English => Why::English,
                    Language::Italian => Why::Italian,
                });
            }
            readings.push(reading);
        }
    }
    if readings.len() > READINGS_MAX {
        return Err(WhenError::TooManyReadings);
    }
    readings.sort_by_key(|reading| reading.when.due.timestamp());
    let spans: Vec<_> = hits.iter().map(|hit| hit.span.clone()).collect();
    for reading in &mut readings {
        reading.when.spans.clone_from(&spans);
    }
    if readings.len() > 1 {
        for reading in &mut readings {
            if reading.why.is_empty() {
                reading.why.push(Why::Otherwise);
            }
        }
        return Ok(Answer::Several(readings));
    }
    match (readings.pop(), first_error) {
        (Some(reading), _) => Ok(Answer::One(reading.when)),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(Answer::Nothing),
    }
}

fn same(a: &When, b: &When) -> bool {
    a.due.timestamp() == b.due.timestamp() && a.all_day == b.all_day && a.repeat == b.repeat
}

fn one_way(
    hits: &[Hit],
    mut way: usize,
    here: &Here,
) -> Result<(Vec<Language>, Vec<Reading>), WhenError> {
    let mut draft = Draft::default();
    let mut languages = Vec::new();
    for hit in hits {
        let reading = &hit.readings[way % hit.readings.len()];
        way /= hit.readings.len();
        if let Some(language) = reading.language
            && !languages.contains(&language)
        {
            languages.push(language);
        }
        for piece in &reading.pieces {
            draft.add(piece, &hit.words)?;
        }
    }
    let readings = readings(&draft, here)?;
    Ok((languages, readings))
}

/// A zone in which the words may be meant, and why that one.
fn zones(draft: &Draft, here: &Here) -> Result<Vec<(TimeZone, Option<Why>)>, WhenError> {
    let Some(place) = &draft.zone else {
        return Ok(vec![(here.now.time_zone().clone(), None)]);
    };
    let zone = |name: &str| {
        if name == "UTC" {
            return Ok(TimeZone::UTC);
        }
        tz::db().get(name).map_err(|_| WhenError::OutOfRange)
    };
    let named = zone(&place.zone)?;
    match place.offset.and_then(abbreviation_offset) {
        None => Ok(vec![(named, None)]),
        Some(fixed) => Ok(vec![
            (named, Some(Why::LocalTime)),
            (zone(&fixed)?, Some(Why::FixedOffset)),
        ]),
    }
}

fn readings(draft: &Draft, here: &Here) -> Result<Vec<Reading>, WhenError> {
    if draft.zone.is_some() && !draft.is_timed() {
        let what = "a zone needs an hour".to_owned();
        return Err(WhenError::Contradiction { what });
    }
    let mut out: Vec<Reading> = Vec::new();
    let mut first_error = None;
    for (zone, zone_why) in zones(draft, here)? {
        let there = here.now.with_time_zone(zone.clone());
        let mut todays = vec![(here.now.date(), None)];
        if there.date() != here.now.date() {
            if !draft.is_dated() && draft.rule.is_none() {
                todays = vec![(there.date(), None)];
            } else {
                todays = vec![
                    (here.now.date(), Some(Why::TodayHere)),
                    (there.date(), Some(Why::TodayThere)),
                ];
            }
        }
        for (today, today_why) in todays {
            let context = Context {
                today,
                now: &there,
                zone: &zone,
                past: here.past,
            };
            match context.readings(draft) {
                Ok(found) => {
                    for mut reading in found {
                        if out.iter().any(|known| same(&known.when, &reading.when)) {
                            continue;
                        }
                        reading.why.splice(0..0, draft.why.iter().copied());
                        reading.why.extend(zone_why);
                        reading.why.extend(today_why);
                        out.push(reading);
                    }
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
    }
    match (out.is_empty(), first_error) {
        (true, Some(error)) => Err(error),
        _ => Ok(out),
    }
}

/// Where words are resolved.
pub(super) struct Context<'a> {
    pub(super) today: Date,
    /// In the zone that is meant.
    pub(super) now: &'a Zoned,
    pub(super) zone: &'a TimeZone,
    pub(super) past: bool,
}

impl Context<'_> {
    fn readings(&self, draft: &Draft) -> Result<Vec<Reading>, WhenError> {
        if draft.rule.is_some() || draft.weekdays.as_ref().is_some_and(|(_, plural)| *plural) {
            return rule::readings(self, draft);
        }
        self.no_rule(draft)?;
        match &draft.day {
            Some(Piece::Now) => return self.alone(draft, self.now.clone()),
            Some(Piece::Instant(instant)) => {
                return self.alone(draft, instant.with_time_zone(self.now.time_zone().clone()));
            }
            _ => {}
        }
        if let Some(amount) = draft.amount
            && draft.weekday.is_none()
            && !(amount.is_calendar() && draft.is_timed())
        {
            return self.later(draft, amount);
        }
        if !draft.is_dated() {
            return self.next_time(draft);
        }
        let dates = Dates {
            context: self,
            draft,
        }
        .all()?;
        let hours = hours::on_a_day(draft.clock, draft.part, self.now.time())?;
        self.cross(draft, &dates, &hours)
    }

    fn no_rule(&self, draft: &Draft) -> Result<(), WhenError> {
        let what = if draft.weekdays.is_some() {
            "several days are no single time; with 'every' before them they are a repetition"
        } else if draft.done {
            "'after completion' needs a repetition: every 3 days after completion"
        } else if draft.until.is_some() || draft.times.is_some() || draft.during.is_some() {
            "an end needs a repetition: every day until 31 December"
        } else if draft.start.is_some() {
            "a beginning needs a repetition: every day from tomorrow"
        } else {
            return Ok(());
        };
        Err(WhenError::Contradiction {
            what: what.to_owned(),
        })
    }

    /// A time that nothing else can be said beside.
    fn alone(&self, draft: &Draft, due: Zoned) -> Result<Vec<Reading>, WhenError> {
        let more = draft.weekday.is_some()
            || draft.period.is_some()
            || draft.amount.is_some()
            || draft.is_timed();
        if more {
            let what = "a full time and another beside it".to_owned();
            return Err(WhenError::Contradiction { what });
        }
        let due = whole_seconds(&due)?;
        if due < whole_seconds(self.now)? && !self.past {
            return Err(WhenError::Past {
                due: Box::new(due),
                all_day: false,
            });
        }
        Ok(vec![Reading {
            when: plain(due, false, None),
            why: Vec::new(),
        }])
    }

    /// So long from now.
    fn later(&self, draft: &Draft, amount: Amount) -> Result<Vec<Reading>, WhenError> {
        if draft.day.is_some() || draft.period.is_some() || draft.is_timed() {
            let what = "a distance from now and another time beside it".to_owned();
            return Err(WhenError::Contradiction { what });
        }
        let date = add(self.now.date(), amount)?;
        let (mut due, mut shifted) = if amount == Amount::default() {
            (whole_seconds(self.now)?, None)
        } else if amount.is_calendar() {
            let time = Time::new(self.now.hour(), self.now.minute(), 0, 0)
                .map_err(|_| WhenError::OutOfRange)?;
            self.at(date, time)?
        } else if date == self.now.date() {
            (self.now.clone(), None)
        } else {
            self.at(date, self.now.time())?
        };
        if amount.seconds != 0 {
            let span = Span::new()
                .try_seconds(amount.seconds)
                .map_err(|_| WhenError::OutOfRange)?;
            due = due.checked_add(span).map_err(|_| WhenError::OutOfRange)?;
            due = whole_seconds(&due)?;
            shifted = None;
        }
        let backward = amount.seconds < 0 || amount.days < 0 || amount.months < 0;
        if backward && !self.past {
            return Err(WhenError::Past {
                due: Box::new(due),
                all_day: false,
            });
        }
        Ok(vec![Reading {
            when: plain(due, false, shifted),
            why: Vec::new(),
        }])
    }

    /// An hour without a day.
    fn next_time(&self, draft: &Draft) -> Result<Vec<Reading>, WhenError> {
        let Some(clock) = draft
            .clock
            .or(draft.part.is_some().then_some(Clock::Midnight))
        else {
            let what = "a zone needs an hour".to_owned();
            return Err(WhenError::Contradiction { what });
        };
        let one = |time: Time, days: i32, why: Option<Why>| {
            let (due, shifted) = self.next(time, days)?;
            Ok(Reading {
                when: plain(due, false, shifted),
                why: why.into_iter().collect(),
            })
        };
        if let Some(part) = draft.part {
            let hours = hours::on_a_day(draft.clock, Some(part), self.now.time())?;
            return hours
                .options
                .iter()
                .map(|(days, time, why)| one(*time, *days, *why))
                .collect();
        }
        match clock {
            Clock::Exact(time) | Clock::Full(time) => Ok(vec![one(time, 0, None)?]),
            Clock::Midnight | Clock::DayEnd => Ok(vec![one(Time::midnight(), 1, None)?]),
            Clock::Bare(time) => {
                let (days, other, _) = hours::other_half(time);
                let literal = one(time, 0, Some(Why::TwentyFourHours))?;
                let nearest = one(other, days, Some(Why::TwelveHours))?;
                if literal.when.due <= nearest.when.due {
                    return Ok(vec![literal]);
                }
                Ok(vec![nearest, literal])
            }
        }
    }

    /// The next time that a clock shows it; `days` after the day on which it is said.
    fn next(&self, time: Time, days: i32) -> Result<(Zoned, Option<Shifted>), WhenError> {
        for more in 0..=2 {
            let date = add(
                self.today,
                Amount {
                    days: more + days - 1,
                    ..Amount::default()
                },
            )?;
            let found = self.at(date, time)?;
            if found.0 > *self.now {
                return Ok(found);
            }
        }
        self.at(
            add(
                self.today,
                Amount {
                    days: 2 + days,
                    ..Amount::default()
                },
            )?,
            time,
        )
    }

    /// Every date at every hour, without those that have passed.
    fn cross(
        &self,
        draft: &Draft,
        dates: &[(Date, Option<Why>)],
        hours: &Hours,
    ) -> Result<Vec<Reading>, WhenError> {
        let mut out: Vec<Reading> = Vec::new();
        let mut passed: Vec<Reading> = Vec::new();
        let mut sort = |reading: Reading, over: bool| {
            if over {
                passed.push(reading);
            } else {
                out.push(reading);
            }
        };
        for (date, why) in dates {
            let why: Vec<Why> = why.iter().copied().collect();
            if !draft.is_timed() {
                let due = self.day(*date)?;
                sort(
                    Reading {
                        when: plain(due, true, None),
                        why,
                    },
                    *date < self.today,
                );
                continue;
            }
            let mut any = false;
            let options = hours.options.iter().map(|option| (option, false));
            let fallback = hours.fallback.iter().map(|option| (option, true));
            for ((days, time, hour_why), late) in options.chain(fallback) {
                // The other half of the clock only where today's first has passed.
                if late && (any || *date != self.today) {
                    continue;
                }
                let date = add(
                    *date,
                    Amount {
                        days: *days,
                        ..Amount::default()
                    },
                )?;
                let (due, shifted) = self.at(date, *time)?;
                let over = due < *self.now;
                any |= !over;
                let mut why = why.clone();
                why.extend(*hour_why);
                let reading = Reading {
                    when: plain(due, false, shifted),
                    why,
                };
                if late && over {
                    continue;
                }
                sort(reading, over);
            }
        }
        if !out.is_empty() {
            return Ok(out);
        }
        if self.past && !passed.is_empty() {
            return Ok(passed);
        }
        match passed.pop() {
            Some(Reading { when, .. }) => Err(WhenError::Past {
                due: Box::new(when.due),
                all_day: when.all_day,
            }),
            None => Ok(Vec::new()),
        }
    }

    /// A day's first moment.
    pub(super) fn day(&self, date: Date) -> Result<Zoned, WhenError> {
        date.to_zoned(self.zone.clone())
            .map_err(|_| WhenError::OutOfRange)
    }

    /// A time of a day, shifted where it does not exist, the first where it exists twice.
    pub(super) fn at(&self, date: Date, time: Time) -> Result<(Zoned, Option<Shifted>), WhenError> {
        let asked = date.to_datetime(time);
        let found = self.zone.to_ambiguous_zoned(asked);
        let offset = found.offset();
        let due = found
            .clone()
            .compatible()
            .map_err(|_| WhenError::OutOfRange)?;
        let shifted = match offset {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some(Shifted::Gap { asked }),
            AmbiguousOffset::Fold { .. } => {
                let other = found.later().map_err(|_| WhenError::OutOfRange)?;
                Some(Shifted::Overlap { other })
            }
        };
        Ok((due, shifted))
    }
}

/// Without its fraction of a second.
pub(super) fn whole_seconds(at: &Zoned) -> Result<Zoned, WhenError> {
    let second = at.timestamp().as_millisecond().div_euclid(1000);
    let timestamp = Timestamp::from_second(second).map_err(|_| WhenError::OutOfRange)?;
    Ok(timestamp.to_zoned(at.time_zone().clone()))
}

pub(super) fn plain(due: Zoned, all_day: bool, shifted: Option<Shifted>) -> When {
    When {
        due,
        all_day,
        repeat: None,
        shifted,
        spans: Vec::new(),
    }
}
