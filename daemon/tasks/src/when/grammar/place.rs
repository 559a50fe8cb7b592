//! Places in a month, a week, a year: the first Monday, the end.

use super::super::number::{Written, ordinal};
use super::super::piece::{Candidate, Freq, MonthRef, NthOf, Piece, Rule, Strength, Unit};
use super::Grammar;
use super::numeric::small;

impl Grammar<'_> {
    /// Which one of the month: 1 to 5, or -1 for the last.
    pub(super) fn which_one(&self, at: usize) -> Option<(i8, usize, Written)> {
        let t = self.text;
        let start = t.skip(
            at,
            &["the", "on the", "il", "la", "l", "lo", "nel", "nell", "del"],
        );
        if let Some(end) = t.one_of(start, self.words.last) {
            return Some((-1, end, Written::Words));
        }
        let (n, end, written) = ordinal(t, start, self.language())?;
        Some((small(n)?, end, written))
    }

    /// `first monday of next month`, `the last day of February`, `il primo lunedì di ogni mese`.
    pub(super) fn nth(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let (nth, next, _) = self.which_one(at)?;
        let (of, end) = match t.name(next, self.words.weekdays) {
            Some((day, end)) => (NthOf::Weekday(day), end),
            None => {
                let end = t.one_of(next, &[self.words.day[0]])?;
                (NthOf::Day, end)
            }
        };
        if of != NthOf::Day && !(-1..=5).contains(&nth) || !(-1..=31).contains(&nth) || nth == 0 {
            return None;
        }
        if let Some(end) = t.one_of(end, self.words.of_every_month) {
            return Some(self.candidate(
                vec![Piece::Rule(monthly(nth, of))],
                end,
                Strength::Strong,
            ));
        }
        // "third tuesday after christmas"
        if let (NthOf::Weekday(day), 1.., Some(behind)) =
            (of, nth, t.one_of(end, self.words.from_day))
        {
            for base in self.single_day(behind) {
                if let [piece] = base.pieces.as_slice() {
                    let piece = Piece::NthAfter(nth, day, Box::new(piece.clone()));
                    return Some(self.candidate(vec![piece], base.end, Strength::Strong));
                }
            }
        }
        let of_named = t.phrase(end, "del mese di").is_some();
        if let Some((shift, end)) = t.lookup(end, self.words.of_month).filter(|_| !of_named) {
            let month = shift.map_or(MonthRef::Coming, MonthRef::Shift);
            return Some(self.candidate(
                vec![Piece::Nth { nth, of, month }],
                end,
                Strength::Strong,
            ));
        }
        let next = t.skip(
            end,
            &[
                "of",
                "in",
                "di",
                "d",
                "del mese di",
                "dell",
                "del",
                "in the month of",
            ],
        );
        let (month, mut end) = t.name(next, self.words.months).filter(|_| next > end)?;
        let year = self.year(end);
        if let Some((_, behind)) = year {
            end = behind;
        }
        let month = MonthRef::Named(month, year.map(|(year, _)| year));
        Some(self.candidate(vec![Piece::Nth { nth, of, month }], end, Strength::Strong))
    }

    /// `end of next month`, `fine mese`, `beginning of October`.
    pub(super) fn edge(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let (end_of, next) = t.lookup(at, self.words.edges)?;
        if t.is(at, "month") {
            let (unit, month, shift) = (Unit::Month, MonthRef::Shift(0), 0);
            return Some(self.candidate(
                vec![Piece::Edge {
                    end: true,
                    unit,
                    month,
                    shift,
                }],
                next,
                Strength::Edge,
            ));
        }
        if let Some(((unit, shift), end)) = t.lookup(next, self.words.edge_periods) {
            // "fine settimana" is the weekend.
            if t.is(next - 1, "fine") && unit == Unit::Week {
                return None;
            }
            let piece = Piece::Edge {
                end: end_of,
                unit,
                month: MonthRef::Shift(shift),
                shift,
            };
            return Some(self.candidate(vec![piece], end, Strength::Strong));
        }
        let (month, mut end) = t.name(next, self.words.months)?;
        let year = self.year(end);
        if let Some((_, behind)) = year {
            end = behind;
        }
        let piece = Piece::Edge {
            end: end_of,
            unit: Unit::Month,
            month: MonthRef::Named(month, year.map(|(year, _)| year)),
            shift: 0,
        };
        Some(self.candidate(vec![piece], end, Strength::Strong))
    }
}

/// That one of every month.
pub(super) fn monthly(nth: i8, of: NthOf) -> Rule {
    let mut rule = Rule::new(Freq::Monthly, 1);
    match of {
        NthOf::Weekday(day) => rule.days = vec![(nth, day)],
        NthOf::Day => rule.month_days = vec![nth],
    }
    rule
}
