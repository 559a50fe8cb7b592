//! What a phrase says, piece by piece, before it is put together.

use jiff::Zoned;
use jiff::civil::{Time, Weekday};

use super::Language;

/// A length of time: months and days of the calendar, and seconds of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) seconds: i64,
}

impl Amount {
    pub(super) fn of(unit: Unit, n: i64) -> Option<Self> {
        let small = i32::try_from(n).ok()?;
        let mut out = Self::default();
        match unit {
            Unit::Second => out.seconds = n,
            Unit::Minute => out.seconds = n.checked_mul(60)?,
            Unit::Hour => out.seconds = n.checked_mul(3600)?,
            Unit::Day => out.days = small,
            Unit::Week => out.days = small.checked_mul(7)?,
            Unit::Month => out.months = small,
            Unit::Year => out.months = small.checked_mul(12)?,
        }
        Some(out)
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            seconds: self.seconds.checked_add(other.seconds)?,
        })
    }

    pub(super) fn negated(self) -> Self {
        Self {
            months: -self.months,
            days: -self.days,
            seconds: -self.seconds,
        }
    }

    /// Whole days and months, which name a day and leave its hour.
    pub(super) fn is_calendar(self) -> bool {
        self.seconds == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Which of the days of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Plain,
    This,
    /// The language counts: English and Italian differ.
    Next(Language),
    AfterNext,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MonthRef {
    Named(i8, Option<i16>),
    /// Months from this one.
    Shift(i32),
    /// The first in which it is still to come.
    Coming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NthOf {
    Weekday(Weekday),
    Day,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOfDay {
    Morning,
    Afternoon,
    Evening,
    /// "at night": the late evening, or the small hours where a small number stands beside it.
    Night,
    /// Today's evening.
    ThisEvening,
    /// Today's evening, which goes on after midnight.
    Tonight,
    /// The coming night.
    ThisNight,
}

/// What a clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Exact(Time),
    /// 1 to 12 without morning or evening.
    Bare(Time),
    /// 1:00 to 12:59 in digits, where a language counts to 24.
    Full(Time),
    /// Where a day begins or ends.
    Midnight,
    /// 24:00.
    DayEnd,
}

/// A zone, or an abbreviation that may be meant loosely.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// IANA name.
    pub(super) zone: String,
    /// What an abbreviation says to the letter, in seconds east of Greenwich.
    pub(super) offset: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freq {
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// How something comes again, before days that stand elsewhere in the phrase are put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) freq: Freq,
    pub(super) interval: u32,
    /// Ordinal (0: every) and day.
    pub(super) days: Vec<(i8, Weekday)>,
    pub(super) month_days: Vec<i8>,
    pub(super) month: Option<i8>,
}

impl Rule {
    pub(super) fn new(freq: Freq, interval: u32) -> Self {
        Self {
            freq,
            interval,
            days: Vec::new(),
            month_days: Vec::new(),
            month: None,
        }
    }

    pub(super) fn on(mut self, days: impl IntoIterator<Item = Weekday>) -> Self {
        self.days = days.into_iter().map(|day| (0, day)).collect();
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Now,
    /// Days from today.
    Day(i32),
    Date {
        year: Option<i16>,
        month: i8,
        day: i8,
    },
    DayOfMonth(i8),
    Weekday(Weekday, Which),
    /// Two or more, or one in the plural, which comes again.
    Weekdays {
        days: Vec<Weekday>,
        plural: bool,
    },
    Nth {
        nth: i8,
        of: NthOf,
        month: MonthRef,
    },
    /// The first, second … such day of the week after a day.
    NthAfter(i8, Weekday, Box<Piece>),
    /// Beginning or end of a period.
    Edge {
        end: bool,
        unit: Unit,
        month: MonthRef,
        shift: i32,
    },
    Period {
        unit: Unit,
        shift: i32,
    },
    Month {
        month: i8,
        year: Option<i16>,
        which: Which,
    },
    Weekend {
        shift: i32,
    },
    /// So long from a day.
    Later(Amount, Box<Piece>),
    /// So long from now.
    In(Amount),
    Clock(Clock),
    Part(PartOfDay),
    Instant(Zoned),
    Zone(Place),
    Rule(Rule),
    Done,
    Until(Box<Piece>),
    Start(Box<Piece>),
    Times(u32),
    During(Amount),
    /// Why this reading and no other was taken of a text with several.
    Because(Why),
}

/// What tells one reading from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The first number is the day.
    DayFirst,
    /// The first number is the month.
    MonthFirst,
    /// Before noon.
    Morning,
    /// After noon.
    Afternoon,
    /// As a 24-hour clock shows it.
    TwentyFourHours,
    /// The next time that a clock of twelve hours shows it.
    TwelveHours,
    /// The night before that day.
    DayBegins,
    /// The night after that day.
    DayEnds,
    /// Today.
    Today,
    /// The nearest.
    Nearest,
    /// A week after the nearest.
    WeekLater,
    /// The next time that the day of the month comes.
    MonthLater,
    /// In the week that is meant.
    InThatWeek,
    /// Counted from the nearest day of that name.
    CountedFromDay,
    /// The abbreviation to the letter: a fixed distance from UTC.
    FixedOffset,
    /// The time that clocks there show on that day.
    LocalTime,
    /// Every so many weeks.
    EveryFew,
    /// That one of each month.
    OfTheMonth,
    /// Once, and not each week.
    Once,
    /// Each week, and not once.
    EveryWeek,
    /// The last working day of the week.
    WorkingWeek,
    /// Sunday.
    CalendarWeek,
    /// The words are English.
    English,
    /// The words are Italian.
    Italian,
    /// Today as the calendar at the user's shows it.
    TodayHere,
    /// Today as the calendar in the named zone shows it.
    TodayThere,
    /// The words have another meaning as well.
    Otherwise,
}

/// How sure it is that words are a date where they stand in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Never: only where the whole text is a date.
    Phrase,
    /// Only beside another piece.
    Weak,
    /// Beside another piece, or where the sentence ends.
    Edge,
    /// Anywhere.
    Strong,
}

/// Words that can be read as pieces.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) pieces: Vec<Piece>,
    pub(super) end: usize,
    pub(super) strength: Strength,
    /// None: the words are of no language.
    pub(super) language: Option<Language>,
}
