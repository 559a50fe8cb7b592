//! Lengths of time, and times so long from now.

use super::super::number::{number, word};
use super::super::piece::{Amount, Candidate, Piece, Strength, Unit};
use super::Grammar;

impl Grammar<'_> {
    /// `2 hours`, `an hour and a half`, `1h30`, `2 ore e 15`, `2.5 hours`.
    pub(super) fn length(&self, at: usize) -> Option<(Amount, usize)> {
        let t = self.text;
        if let Some((seconds, end)) = t.lookup(at, self.words.lengths) {
            return Some((
                Amount {
                    seconds,
                    ..Amount::default()
                },
                end,
            ));
        }
        let (mut total, mut unit, mut end) = self.one_length(at)?;
        // Each part is of a smaller unit than the one before.
        while unit > Unit::Second {
            if let Some((half, next)) = self.fraction(unit, end) {
                total = total.plus(half)?;
                end = next;
                break;
            }
            let next = t.skip(end, self.words.and);
            if let Some((seconds, behind)) = t.lookup(next, self.words.lengths) {
                total = total.plus(Amount {
                    seconds,
                    ..Amount::default()
                })?;
                end = behind;
                break;
            }
            if let Some((more, smaller, behind)) = self.one_length(next)
                && smaller < unit
            {
                total = total.plus(more)?;
                unit = smaller;
                end = behind;
                continue;
            }
            // 1h30, 2 ore e 15
            if unit == Unit::Hour
                && (next > end && !t.is(end, ",") || t.glued(next))
                && let Some((n @ 1..=59, behind)) = number(t, next, self.language())
                && t.word(behind).is_none_or(|_| !t.glued(behind))
            {
                total = total.plus(Amount::of(Unit::Minute, i64::from(n))?)?;
                end = behind;
            }
            break;
        }
        Some((total, end))
    }

    /// A number and its unit.
    fn one_length(&self, at: usize) -> Option<(Amount, Unit, usize)> {
        let t = self.text;
        if let Some(next) = t.one_of(at, self.words.pair) {
            let ((unit, times), end) = t.lookup(next, self.words.units)?;
            return Some((Amount::of(unit, 2 * times)?, unit, end));
        }
        if let Some(next) = t.one_of(at, self.words.one) {
            let ((unit, times), end) = self.unit(next, false)?;
            return Some((Amount::of(unit, times)?, unit, end));
        }
        let (n, next) = number(t, at, self.language())?;
        // 1/2 hour, 2.5 hours, 2,5 ore
        if t.digits(at).is_some()
            && let Some((second, len)) = t.digits(next + 1).filter(|_| t.glued(next + 1))
        {
            if self.mark(next, "/") && matches!((n, second), (1, 2 | 4) | (3, 4)) {
                let ((unit, times), end) = self.unit(next + 2, true)?;
                let whole = Amount::of(unit, times)?;
                let seconds = whole
                    .seconds
                    .checked_mul(i64::from(n))?
                    .checked_div(i64::from(second))?;
                return (unit <= Unit::Hour).then_some((
                    Amount {
                        seconds,
                        ..Amount::default()
                    },
                    unit,
                    end,
                ));
            }
            if (self.mark(next, ".") || self.mark(next, ",")) && len <= 2 {
                let ((unit, times), end) = self.unit(next + 2, true)?;
                let whole = Amount::of(unit, times)?.seconds;
                let hundredths =
                    i64::from(n) * 100 + i64::from(if len == 1 { second * 10 } else { second });
                let seconds = whole.checked_mul(hundredths)?.checked_div(100)?;
                return (unit <= Unit::Hour).then_some((
                    Amount {
                        seconds,
                        ..Amount::default()
                    },
                    unit,
                    end,
                ));
            }
        }
        // "two and a half hours"
        if let Some(behind) = t.one_of(next, self.words.half)
            && let Some(((unit, times), end)) = self.unit(behind, false)
        {
            let seconds = Amount::of(unit, times)?.seconds;
            let total = seconds
                .checked_mul(i64::from(n))?
                .checked_add(seconds / 2)?;
            return (unit <= Unit::Hour).then_some((
                Amount {
                    seconds: total,
                    ..Amount::default()
                },
                unit,
                end,
            ));
        }
        let next = if t.one_of(next, &["more"]).is_some() {
            next + 1
        } else {
            next
        };
        let ((unit, times), end) = self.unit(next, t.digits(at).is_some())?;
        Some((
            Amount::of(unit, i64::from(n).checked_mul(times)?)?,
            unit,
            end,
        ))
    }

    /// A unit; one letter only behind digits.
    fn unit(&self, at: usize, digits: bool) -> Option<((Unit, i64), usize)> {
        let ((unit, times), end) = self.text.lookup(at, self.words.units)?;
        let single = self.text.word(at).is_some_and(|word| word.len() == 1);
        (!single || digits).then_some(((unit, times), end))
    }

    /// "and a half" behind an hour.
    fn fraction(&self, unit: Unit, at: usize) -> Option<(Amount, usize)> {
        let t = self.text;
        let (part, end) = if let Some(end) = t.one_of(at, self.words.half) {
            (2, end)
        } else {
            (4, t.one_of(at, self.words.quarter)?)
        };
        // "two hours and a half" ends here; "and half an hour" is a length of its own.
        if t.lookup(at + 1, self.words.lengths).is_some() {
            return None;
        }
        let amount = match unit {
            Unit::Hour | Unit::Minute => Amount {
                seconds: Amount::of(unit, 1)?.seconds / part,
                ..Amount::default()
            },
            Unit::Day if part == 2 => Amount {
                seconds: 43_200,
                ..Amount::default()
            },
            Unit::Year if part == 2 => Amount {
                months: 6,
                ..Amount::default()
            },
            _ => return None,
        };
        Some((amount, end))
    }

    /// "in 2 hours", "3 days from now", "two weeks ago", "a week from tomorrow".
    pub(super) fn span(&self, at: usize) -> Vec<Candidate> {
        let t = self.text;
        let mut out = Vec::new();
        if let Some(next) = t.one_of(at, self.words.in_before)
            && let Some((amount, end)) = self.length(next)
        {
            out.push(self.candidate(vec![Piece::In(amount)], end, Strength::Strong));
        }
        let Some((amount, next)) = self.length(at) else {
            return out;
        };
        if let Some(end) = t.one_of(next, self.words.in_behind) {
            let mut pieces = vec![Piece::In(amount)];
            if t.is(end - 1, "today") || t.is(end - 1, "oggi") {
                pieces = vec![Piece::Later(amount, Box::new(Piece::Day(0)))];
            }
            out.push(self.candidate(pieces, end, Strength::Strong));
        }
        if let Some(end) = t.one_of(next, self.words.ago) {
            out.push(self.candidate(vec![Piece::In(amount.negated())], end, Strength::Strong));
        }
        if let (Some(behind), true) = (t.one_of(next, self.words.from_day), amount.is_calendar()) {
            let behind = t.skip(behind, &["the", "il"]);
            for day in self.single_day(behind) {
                if let [piece] = day.pieces.as_slice() {
                    let piece = Piece::Later(amount, Box::new(piece.clone()));
                    out.push(self.candidate(vec![piece], day.end, Strength::Strong));
                }
            }
        }
        out
    }

    /// `for 10 times`, `10 volte`, `for 3 weeks`: how long a rule goes on.
    pub(super) fn bound(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let next = t.skip(at, self.words.during);
        if let Some((n, behind)) = number(t, next, self.language())
            && (1..=super::super::rule::TIMES_MAX).contains(&n)
            && let Some(end) = t.one_of(behind, self.words.times)
        {
            return Some(self.candidate(vec![Piece::Times(n)], end, Strength::Weak));
        }
        if next > at
            && let Some((amount, end)) = self.length(next)
            && amount.is_calendar()
        {
            return Some(self.candidate(vec![Piece::During(amount)], end, Strength::Weak));
        }
        None
    }

    /// A number in words or digits that a rule counts by.
    pub(super) fn count(&self, at: usize) -> Option<(u32, usize)> {
        let t = self.text;
        if t.digits(at).is_some() {
            return number(t, at, self.language());
        }
        word(t, at, self.language())
    }
}
