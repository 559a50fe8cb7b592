//! The pieces of one reading, each in its place.

use super::WhenError;
use super::piece::{Amount, Clock, PartOfDay, Piece, Place, Rule, Unit, Which, Why};
use jiff::civil::Weekday;

/// What one reading of a text says.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    /// A day: [`Piece::Day`], `Date`, `DayOfMonth`, `Nth`, `Edge`, `Month`, `Weekend`, `Later`,
    /// `Now`, `Instant`.
    pub(super) day: Option<Piece>,
    pub(super) weekday: Option<(Weekday, Which)>,
    pub(super) weekdays: Option<(Vec<Weekday>, bool)>,
    pub(super) period: Option<(Unit, i32)>,
    pub(super) amount: Option<Amount>,
    pub(super) clock: Option<Clock>,
    pub(super) part: Option<PartOfDay>,
    pub(super) zone: Option<Place>,
    pub(super) rule: Option<Rule>,
    pub(super) done: bool,
    pub(super) until: Option<Piece>,
    pub(super) start: Option<Piece>,
    pub(super) times: Option<u32>,
    pub(super) during: Option<Amount>,
    pub(super) why: Vec<Why>,
}

impl Draft {
    /// Puts a piece in its place. `words` are those that say it.
    pub(super) fn add(&mut self, piece: &Piece, words: &str) -> Result<(), WhenError> {
        fn put<T>(
            slot: &mut Option<T>,
            value: T,
            words: &str,
            what: &'static str,
        ) -> Result<(), WhenError> {
            if slot.is_some() {
                return Err(WhenError::Twice {
                    words: words.to_owned(),
                    what,
                });
            }
            *slot = Some(value);
            Ok(())
        }
        match piece {
            // "today, 22 November": the same day twice is one day, which is looked at later.
            Piece::Now
            | Piece::Day(_)
            | Piece::Date { .. }
            | Piece::DayOfMonth(_)
            | Piece::Nth { .. }
            | Piece::Edge { .. }
            | Piece::Month { .. }
            | Piece::Weekend { .. }
            | Piece::Later(..)
            | Piece::NthAfter(..)
            | Piece::Instant(_) => {
                if self.day.as_ref() == Some(piece) {
                    return Ok(());
                }
                put(&mut self.day, piece.clone(), words, "a day")
            }
            Piece::Weekday(day, which) => put(
                &mut self.weekday,
                (*day, *which),
                words,
                "a day of the week",
            ),
            Piece::Weekdays { days, plural } => put(
                &mut self.weekdays,
                (days.clone(), *plural),
                words,
                "days of the week",
            ),
            Piece::Period { unit, shift } => {
                put(&mut self.period, (*unit, *shift), words, "a period")
            }
            Piece::In(amount) => put(&mut self.amount, *amount, words, "a distance"),
            Piece::Clock(clock) => put(&mut self.clock, *clock, words, "an hour"),
            Piece::Part(part) => {
                if self.part == Some(*part) {
                    return Ok(());
                }
                put(&mut self.part, *part, words, "a part of the day")
            }
            Piece::Zone(place) => put(&mut self.zone, place.clone(), words, "a zone"),
            Piece::Rule(rule) => put(&mut self.rule, rule.clone(), words, "a repetition"),
            Piece::Until(day) => put(&mut self.until, (**day).clone(), words, "an end"),
            Piece::Start(day) => put(&mut self.start, (**day).clone(), words, "a beginning"),
            Piece::Times(n) => put(&mut self.times, *n, words, "a number of times"),
            Piece::During(amount) => put(&mut self.during, *amount, words, "a length"),
            Piece::Done => {
                self.done = true;
                Ok(())
            }
            Piece::Because(why) => {
                self.why.push(*why);
                Ok(())
            }
        }
    }

    /// A day is said, in whatever way.
    pub(super) fn is_dated(&self) -> bool {
        self.day.is_some()
            || self.weekday.is_some()
            || self.weekdays.is_some()
            || self.period.is_some()
            || self.amount.is_some()
    }

    /// An hour or a part of the day is said.
    pub(super) fn is_timed(&self) -> bool {
        self.clock.is_some() || self.part.is_some()
    }
}
