//! Days, as dates.

use jiff::Span;
use jiff::civil::{Date, Weekday};

use super::super::Language;
use super::super::WhenError;
use super::super::draft::Draft;
use super::super::piece::{Amount, MonthRef, NthOf, Piece, Unit, Which, Why};
use super::Context;

/// Years that a date without one is looked for: 29 February may be eight years away.
const YEARS_AHEAD: i16 = 9;

/// Dates, each with what tells it from the others.
pub(in super::super) type Found = Vec<(Date, Option<Why>)>;

/// A date so much later.
pub(in super::super) fn add(date: Date, amount: Amount) -> Result<Date, WhenError> {
    let span = Span::new()
        .try_months(amount.months)
        .and_then(|span| span.try_days(amount.days))
        .map_err(|_| WhenError::OutOfRange)?;
    let date = date.checked_add(span).map_err(|_| WhenError::OutOfRange)?;
    if (1900..=9999).contains(&date.year()) {
        Ok(date)
    } else {
        Err(WhenError::OutOfRange)
    }
}

fn days(date: Date, days: i32) -> Result<Date, WhenError> {
    add(
        date,
        Amount {
            days,
            ..Amount::default()
        },
    )
}

fn months(date: Date, months: i32) -> Result<Date, WhenError> {
    add(
        date,
        Amount {
            months,
            ..Amount::default()
        },
    )
}

/// The dates that a draft can mean.
pub(in super::super) struct Dates<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) draft: &'a Draft,
}

impl<'a> Dates<'a> {
    pub(in super::super) fn new(context: &'a Context<'a>, draft: &'a Draft) -> Self {
        Self { context, draft }
    }

    fn today(&self) -> Date {
        self.context.today
    }

    fn monday(&self) -> Result<Date, WhenError> {
        days(
            self.today(),
            -i32::from(self.today().weekday().to_monday_zero_offset()),
        )
    }

    pub(in super::super) fn all(&self) -> Result<Found, WhenError> {
        let draft = self.draft;
        if let Some(day) = &draft.day {
            if draft.amount.is_some() {
                return Err(together("a distance and a day"));
            }
            let mut found = self.piece(day)?;
            if let Some((weekday, _)) = draft.weekday {
                let first = found.first().map(|(date, _)| *date);
                found.retain(|(date, _)| date.weekday() == weekday);
                if let (
                    true,
                    true,
                    Piece::Date {
                        year: None,
                        month,
                        day,
                    },
                ) = (found.is_empty(), self.context.past, day)
                {
                    // What has passed is meant as often where the past is asked for.
                    let this = self.today().year();
                    let last = [this, this - 1]
                        .into_iter()
                        .filter_map(|year| Date::new(year, *month, *day).ok())
                        .find(|date| *date <= self.today());
                    found.extend(
                        last.filter(|date| date.weekday() == weekday)
                            .map(|date| (date, None)),
                    );
                }
                if let (true, Some(date)) = (found.is_empty(), first) {
                    return Err(WhenError::Weekday {
                        date,
                        said: weekday,
                    });
                }
            }
            return Ok(found);
        }
        match (draft.weekday, draft.period, draft.amount) {
            (Some((day, _)), None, Some(amount)) => self.weekday_after(day, amount),
            (Some((day, Which::Plain)), Some((Unit::Week, shift)), None) => {
                let monday = days(self.monday()?, 7 * shift)?;
                Ok(vec![(
                    days(monday, i32::from(day.to_monday_zero_offset()))?,
                    None,
                )])
            }
            (Some((day, which)), None, None) => self.weekday(day, which),
            (None, Some((unit, shift)), None) => self.period(unit, shift),
            (None, None, Some(amount)) => Ok(vec![(add(self.today(), amount)?, None)]),
            _ => Err(together("a period and another day")),
        }
    }

    /// The first day of a period.
    fn period(&self, unit: Unit, shift: i32) -> Result<Found, WhenError> {
        if shift == 0 {
            let what = "a whole week, month or year is no day: say which".to_owned();
            return Err(WhenError::Contradiction { what });
        }
        let date = match unit {
            Unit::Week => days(self.monday()?, 7 * shift)?,
            Unit::Month => months(self.today().first_of_month(), shift)?,
            _ => months(self.today().first_of_year(), 12 * shift)?,
        };
        Ok(vec![(date, None)])
    }

    /// The first such day after today.
    fn nearest(&self, day: Weekday) -> Result<Date, WhenError> {
        let ahead = i32::from(self.today().weekday().until(day));
        days(self.today(), if ahead == 0 { 7 } else { ahead })
    }

    fn weekday(&self, day: Weekday, which: Which) -> Result<Found, WhenError> {
        let nearest = self.nearest(day)?;
        let is_today = self.today().weekday() == day;
        let week_later = days(nearest, 7)?;
        let one = |date| Ok(vec![(date, None)]);
        match which {
            Which::Plain if is_today && self.draft.is_timed() => Ok(vec![
                (self.today(), Some(Why::Today)),
                (nearest, Some(Why::WeekLater)),
            ]),
            Which::This if is_today => Ok(vec![
                (self.today(), Some(Why::Today)),
                (nearest, Some(Why::WeekLater)),
            ]),
            Which::Plain | Which::This => one(nearest),
            Which::AfterNext => one(week_later),
            Which::Last => {
                let back = i32::from(day.until(self.today().weekday()));
                one(days(self.today(), -if back == 0 { 7 } else { back })?)
            }
            Which::Next(Language::English) => {
                if nearest == days(self.today(), 1)? {
                    return Ok(vec![
                        (nearest, Some(Why::Nearest)),
                        (week_later, Some(Why::WeekLater)),
                    ]);
                }
                one(nearest)
            }
            Which::Next(Language::Italian) => {
                if nearest < days(self.monday()?, 7)? {
                    return Ok(vec![
                        (nearest, Some(Why::Nearest)),
                        (week_later, Some(Why::WeekLater)),
                    ]);
                }
                one(nearest)
            }
        }
    }

    /// "thursday in two weeks": of the week that is two weeks on, or two weeks from Thursday.
    fn weekday_after(&self, day: Weekday, amount: Amount) -> Result<Found, WhenError> {
        if amount.seconds != 0 || amount.months != 0 || amount.days % 7 != 0 || amount.days <= 0 {
            return Err(together(
                "a day of the week and a distance that is not in weeks",
            ));
        }
        let that_week = days(self.monday()?, amount.days)?;
        let in_week = days(that_week, i32::from(day.to_monday_zero_offset()))?;
        let is_today = self.today().weekday() == day;
        let from = if is_today {
            self.today()
        } else {
            self.nearest(day)?
        };
        let counted = days(from, amount.days)?;
        if in_week == counted {
            return Ok(vec![(in_week, None)]);
        }
        Ok(vec![
            (in_week, Some(Why::InThatWeek)),
            (counted, Some(Why::CountedFromDay)),
        ])
    }

    /// The dates of one piece.
    pub(in super::super) fn piece(&self, piece: &Piece) -> Result<Found, WhenError> {
        let one = |date| Ok(vec![(date, None)]);
        let period = self.draft.period;
        if let Some((unit, _)) = period {
            let fits = match piece {
                Piece::DayOfMonth(_) => unit == Unit::Month,
                Piece::Date { year: None, .. } => unit == Unit::Year,
                _ => false,
            };
            if !fits {
                return Err(together("a day and a period"));
            }
        }
        match piece {
            Piece::Day(n) => one(days(self.today(), *n)?),
            Piece::Date { year, month, day } => {
                let year = match (year, period) {
                    (None, Some((_, shift))) => Some(
                        i16::try_from(shift)
                            .ok()
                            .and_then(|shift| self.today().year().checked_add(shift))
                            .ok_or(WhenError::OutOfRange)?,
                    ),
                    (year, _) => *year,
                };
                one(self.date(year, *month, *day)?)
            }
            Piece::DayOfMonth(day) => self.day_of_month(*day),
            Piece::Nth { nth, of, month } => one(self.nth(*nth, *of, *month)?),
            Piece::Edge {
                end,
                unit,
                month,
                shift,
            } => self.edge(*end, *unit, *month, *shift),
            Piece::Month { month, year, which } => one(self.month(*month, *year, *which)?),
            Piece::Weekend { shift } => self.weekend(*shift),
            Piece::Weekday(day, which) => self.weekday(*day, *which),
            Piece::Period { unit, shift } => self.period(*unit, *shift),
            Piece::Later(amount, base) => self
                .piece(base)?
                .into_iter()
                .map(|(date, why)| Ok((add(date, *amount)?, why)))
                .collect(),
            Piece::NthAfter(nth, day, base) => self
                .piece(base)?
                .into_iter()
                .map(|(date, why)| {
                    let ahead = i32::from(date.weekday().until(*day));
                    let first = days(date, if ahead == 0 { 7 } else { ahead })?;
                    Ok((days(first, 7 * (i32::from(*nth) - 1))?, why))
                })
                .collect(),
            _ => Err(together("something that is no day")),
        }
    }

    fn date(&self, year: Option<i16>, month: i8, day: i8) -> Result<Date, WhenError> {
        let missing = || WhenError::NoSuchDay {
            what: match year {
                Some(year) => format!("{year:04}-{month:02}-{day:02}"),
                None => format!("day {day} in month {month}"),
            },
        };
        if let Some(year) = year {
            return Date::new(year, month, day).map_err(|_| missing());
        }
        let this = self.today().year();
        (this..this.saturating_add(YEARS_AHEAD))
            .filter_map(|year| Date::new(year, month, day).ok())
            .find(|date| *date >= self.today())
            .ok_or_else(missing)
    }

    fn day_of_month(&self, day: i8) -> Result<Found, WhenError> {
        let first = self.today().first_of_month();
        if let Some((_, shift)) = self.draft.period {
            let month = months(first, shift)?;
            return Ok(vec![(
                self.date(Some(month.year()), month.month(), day)?,
                None,
            )]);
        }
        let mut found = Vec::new();
        for ahead in 0..=12 {
            let month = months(first, ahead)?;
            let Ok(date) = Date::new(month.year(), month.month(), day) else {
                continue;
            };
            if date == self.today() {
                found.push((date, Some(Why::Today)));
            } else if date > self.today() {
                let why = (!found.is_empty()).then_some(Why::MonthLater);
                found.push((date, why));
                break;
            }
        }
        Ok(found)
    }

    fn nth(&self, nth: i8, of: NthOf, month: MonthRef) -> Result<Date, WhenError> {
        let in_month = |first: Date| match of {
            NthOf::Weekday(day) => first.nth_weekday_of_month(nth, day).ok(),
            NthOf::Day if nth == -1 => Some(first.last_of_month()),
            NthOf::Day => Date::new(first.year(), first.month(), nth).ok(),
        };
        let missing = || WhenError::NoSuchDay {
            what: "such a day in that month".to_owned(),
        };
        let this = self.today().first_of_month();
        match month {
            MonthRef::Shift(shift) => in_month(months(this, shift)?).ok_or_else(missing),
            MonthRef::Coming => (0..=12)
                .filter_map(|ahead| in_month(months(this, ahead).ok()?))
                .find(|date| *date >= self.today())
                .ok_or_else(missing),
            MonthRef::Named(month, Some(year)) => {
                in_month(Date::new(year, month, 1).map_err(|_| missing())?).ok_or_else(missing)
            }
            MonthRef::Named(month, None) => (0..YEARS_AHEAD)
                .filter_map(|ahead| {
                    in_month(Date::new(self.today().year().checked_add(ahead)?, month, 1).ok()?)
                })
                .find(|date| *date >= self.today())
                .ok_or_else(missing),
        }
    }

    fn edge(&self, end: bool, unit: Unit, month: MonthRef, shift: i32) -> Result<Found, WhenError> {
        let one = |date| Ok(vec![(date, None)]);
        let today = self.today();
        match (unit, month) {
            (Unit::Week, _) => {
                let monday = days(self.monday()?, 7 * shift)?;
                if !end {
                    return one(if shift == 0 { days(monday, 7)? } else { monday });
                }
                Ok(vec![
                    (days(monday, 4)?, Some(Why::WorkingWeek)),
                    (days(monday, 6)?, Some(Why::CalendarWeek)),
                ])
            }
            (Unit::Year, MonthRef::Named(_, Some(year))) => one(self.date(Some(year), 12, 31)?),
            (Unit::Year, _) => {
                let first = months(today.first_of_year(), 12 * shift)?;
                one(match (end, shift) {
                    (true, _) => first.last_of_year(),
                    (false, 0) => months(first, 12)?,
                    (false, _) => first,
                })
            }
            (_, MonthRef::Named(month, year)) => {
                let first = match year {
                    Some(_) => self.date(year, month, 1)?,
                    None => {
                        let this =
                            Date::new(today.year(), month, 1).map_err(|_| WhenError::OutOfRange)?;
                        let day = if end { this.last_of_month() } else { this };
                        if day < today { months(this, 12)? } else { this }
                    }
                };
                one(if end { first.last_of_month() } else { first })
            }
            (_, _) => {
                let first = months(today.first_of_month(), shift)?;
                one(match (end, shift) {
                    (true, _) => first.last_of_month(),
                    (false, 0) if first < today => months(first, 1)?,
                    (false, _) => first,
                })
            }
        }
    }

    fn month(&self, month: i8, year: Option<i16>, which: Which) -> Result<Date, WhenError> {
        if year.is_none()
            && month == self.today().month()
            && which == Which::Plain
            && self.today().day() > 1
        {
            let what = "that month has begun: say a day".to_owned();
            return Err(WhenError::Contradiction { what });
        }
        let date = self.date(year, month, 1)?;
        if which == Which::AfterNext {
            months(date, 12)
        } else {
            Ok(date)
        }
    }

    fn weekend(&self, shift: i32) -> Result<Found, WhenError> {
        let saturday = days(self.monday()?, 5)?;
        let sunday = self.today().weekday() == Weekday::Sunday;
        match shift {
            0 if sunday => Ok(vec![(self.today(), None)]),
            0 => Ok(vec![(saturday, None)]),
            _ if self.today() >= saturday => Ok(vec![(days(saturday, 7)?, None)]),
            _ => Ok(vec![
                (saturday, Some(Why::Nearest)),
                (days(saturday, 7)?, Some(Why::WeekLater)),
            ]),
        }
    }
}

fn together(what: &str) -> WhenError {
    WhenError::Contradiction {
        what: format!("{what} do not go together"),
    }
}
