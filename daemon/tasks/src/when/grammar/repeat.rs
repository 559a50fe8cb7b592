//! What comes again.

use jiff::civil::Weekday;

use super::super::lexicon::Each;
use super::super::number::{Written, ordinal};
use super::super::piece::{Candidate, Freq, NthOf, Piece, Rule, Strength, Unit, Why};
use super::Grammar;
use super::numeric::small;
use super::place::monthly;

pub(super) const WORKDAYS: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];
const WEEKEND: [Weekday; 2] = [Weekday::Saturday, Weekday::Sunday];

impl Grammar<'_> {
    pub(super) fn repeat(&self, at: usize) -> Vec<Candidate> {
        let mut out = Vec::new();
        let t = self.text;
        if let Some((each, end)) = t.lookup(at, self.words.each) {
            out.push(self.each(each, end));
        }
        if let Some(next) = t.one_of(at, self.words.every) {
            out.extend(self.every(next));
        }
        if let Some(end) = t.one_of(at, self.words.done) {
            out.push(self.candidate(vec![Piece::Done], end, Strength::Weak));
        }
        // "3 days after completion", "ogni 3 giorni dopo averlo fatto"
        if let Some((amount, next)) = self.length(at)
            && let Some(end) = t.one_of(next, self.words.done)
            && let Some(rule) = counted(amount)
        {
            out.push(self.candidate(vec![Piece::Rule(rule), Piece::Done], end, Strength::Strong));
        }
        out.extend(self.bound(at));
        out.extend(self.until(at));
        out.extend(self.start(at));
        out
    }

    fn each(&self, (each, strength): (Each, Strength), end: usize) -> Candidate {
        let pieces = match each {
            Each::Every(freq, interval) => vec![Piece::Rule(Rule::new(freq, interval))],
            Each::Workday => vec![Piece::Rule(Rule::new(Freq::Weekly, 1).on(WORKDAYS))],
            Each::Weekend => vec![Piece::Rule(Rule::new(Freq::Weekly, 1).on(WEEKEND))],
            Each::Part(part) => vec![Piece::Rule(Rule::new(Freq::Daily, 1)), Piece::Part(part)],
        };
        self.candidate(pieces, end, strength)
    }

    /// Behind "every".
    fn every(&self, at: usize) -> Vec<Candidate> {
        let t = self.text;
        let mut out = Vec::new();
        let mut push = |pieces: Vec<Piece>, end: usize| {
            out.push(self.candidate(pieces, end, Strength::Strong));
        };
        let (interval, next) = match t.one_of(at, self.words.other) {
            Some(next) => (2, next),
            None => match self.count(at).filter(|(n, _)| (1..=10_000).contains(n)) {
                Some((n, next)) if ordinal(t, at, self.language()).is_none() => (n, next),
                _ => (1, at),
            },
        };
        if let Some(end) = t.one_of(next, self.words.workdays) {
            // Every 3 working days is no rule of a calendar.
            if interval == 1 {
                push(
                    vec![Piece::Rule(Rule::new(Freq::Weekly, 1).on(WORKDAYS))],
                    end,
                );
            }
        } else if let Some(end) = t.one_of(next, self.words.weekend_days) {
            push(
                vec![Piece::Rule(Rule::new(Freq::Weekly, interval).on(WEEKEND))],
                end,
            );
        } else if let Some(((unit, times), end)) = t.lookup(next, self.words.units).filter(|_| {
            t.word(next)
                .is_some_and(|word| word.len() > 1 || t.digits(at).is_some())
        }) {
            if let Some(rule) = per_unit(unit, i64::from(interval).saturating_mul(times)) {
                let mut pieces = vec![Piece::Rule(rule)];
                let mut end = end;
                if let Some(behind) = t.one_of(end, self.words.done) {
                    pieces.push(Piece::Done);
                    end = behind;
                }
                push(pieces, end);
            }
        } else if let Some((days, end)) = self.weekday_names(next, true) {
            let rule = Rule::new(Freq::Weekly, interval).on(days.iter().copied());
            let second =
                next > at && t.is(at, "second") || t.is(at, "secondo") || t.is(at, "seconda");
            if second && days.len() == 1 {
                // "every second tuesday": each other one, or the second of the month.
                let of_month = t
                    .lookup(end, self.words.of_month)
                    .filter(|(shift, _)| shift.is_none());
                let nth = monthly(2, NthOf::Weekday(days[0]));
                if let Some((_, end)) = of_month {
                    push(vec![Piece::Rule(nth)], end);
                } else {
                    push(vec![Piece::Rule(rule), Piece::Because(Why::EveryFew)], end);
                    push(vec![Piece::Rule(nth), Piece::Because(Why::OfTheMonth)], end);
                }
            } else {
                push(vec![Piece::Rule(rule)], end);
            }
        } else if let Some((seconds, end)) = t.lookup(next, self.words.lengths)
            && interval == 1
            && seconds % 60 == 0
            && let Ok(minutes) = u32::try_from(seconds / 60)
        {
            push(vec![Piece::Rule(Rule::new(Freq::Minutely, minutes))], end);
        }
        for candidate in self.every_nth(at) {
            push(candidate.pieces, candidate.end);
        }
        out
    }

    /// `every first monday`, `every last day of the month`, `every 15th`, `every 25 december`.
    fn every_nth(&self, at: usize) -> Vec<Candidate> {
        let t = self.text;
        let mut out = Vec::new();
        if let Some((nth, next, _)) = self.which_one(at)
            && (-1..=31).contains(&nth)
            && nth != 0
        {
            let of = match t.name(next, self.words.weekdays) {
                Some((day, end)) if nth <= 5 => Some((NthOf::Weekday(day), end)),
                Some(_) => None,
                None => t
                    .one_of(next, &[self.words.day[0]])
                    .map(|end| (NthOf::Day, end)),
            };
            if let Some((of, end)) = of {
                let in_month = t
                    .lookup(end, self.words.of_month)
                    .filter(|(shift, _)| shift.is_none());
                let weekday = matches!(of, NthOf::Weekday(_));
                // "every third tuesday" may be each third one.
                match (in_month, nth) {
                    (Some((_, end)), _) => {
                        out.push(self.candidate(
                            vec![Piece::Rule(monthly(nth, of))],
                            end,
                            Strength::Strong,
                        ));
                    }
                    (None, -1 | 1) if weekday => {
                        out.push(self.candidate(
                            vec![Piece::Rule(monthly(nth, of))],
                            end,
                            Strength::Strong,
                        ));
                    }
                    (None, 3..=5) => {
                        if let NthOf::Weekday(day) = of {
                            let few =
                                Rule::new(Freq::Weekly, u32::from(nth.unsigned_abs())).on([day]);
                            let pieces = vec![Piece::Rule(few), Piece::Because(Why::EveryFew)];
                            out.push(self.candidate(pieces, end, Strength::Strong));
                            let pieces = vec![
                                Piece::Rule(monthly(nth, of)),
                                Piece::Because(Why::OfTheMonth),
                            ];
                            out.push(self.candidate(pieces, end, Strength::Strong));
                        }
                    }
                    _ => {}
                }
            }
        }
        // "every december 25", "ogni 25 dicembre"
        let unit = t.lookup(at, self.words.units).is_some();
        for candidate in self.single_day(at).into_iter().filter(|_| !unit) {
            if let [
                Piece::Date {
                    year: None,
                    month,
                    day,
                },
            ] = candidate.pieces.as_slice()
            {
                let mut rule = Rule::new(Freq::Yearly, 1);
                rule.month = Some(*month);
                rule.month_days = vec![*day];
                out.push(self.candidate(vec![Piece::Rule(rule)], candidate.end, Strength::Strong));
            }
        }
        // "every 15th", "ogni 15 del mese"
        let number = ordinal(t, at, self.language())
            .filter(|(_, _, written)| *written == Written::Digits)
            .map(|(n, end, _)| (n, end, true))
            .or_else(|| t.digits(at).map(|(n, _)| (n, at + 1, false)))
            .or_else(|| ordinal(t, at, self.language()).map(|(n, end, _)| (n, end, false)));
        if let Some((n, end, suffixed)) = number
            && let Some(day @ 1..=31) = small(n)
        {
            let in_month = t
                .lookup(end, self.words.of_month)
                .filter(|(shift, _)| shift.is_none());
            if suffixed || in_month.is_some() {
                let mut rule = Rule::new(Freq::Monthly, 1);
                rule.month_days = vec![day];
                let end = in_month.map_or(end, |(_, end)| end);
                out.push(self.candidate(vec![Piece::Rule(rule)], end, Strength::Strong));
            }
        }
        out
    }

    fn until(&self, at: usize) -> Vec<Candidate> {
        let Some(next) = self.text.one_of(at, self.words.until) else {
            return Vec::new();
        };
        let end_of = (at..next).any(|at| self.text.is(at, "of") || self.text.is(at, "fine"));
        self.bounding_day(next)
            .into_iter()
            .filter(|day| !end_of || matches!(day.pieces.as_slice(), [Piece::Month { .. }, ..]))
            .filter_map(|day| self.wrap(day, Piece::Until))
            .collect()
    }

    fn start(&self, at: usize) -> Vec<Candidate> {
        let Some(next) = self.text.one_of(at, self.words.start) else {
            return Vec::new();
        };
        self.bounding_day(next)
            .into_iter()
            .filter_map(|day| self.wrap(day, Piece::Start))
            .collect()
    }

    /// A day that bounds a rule, in words or digits. Only its longest readings.
    fn bounding_day(&self, at: usize) -> Vec<Candidate> {
        let at = self.text.skip(at, &["the", "il", "l"]);
        let mut found = self.single_day(at);
        // "fino al 30" has no article of its own.
        if found.is_empty() && at > 0 {
            found = self.single_day(at - 1);
        }
        found.extend(self.numeric(at));
        if let Some(((unit, shift, _), end)) = self.text.lookup(at, self.words.periods) {
            found.push(self.candidate(vec![Piece::Period { unit, shift }], end, Strength::Weak));
        }
        if let Some((year, end)) = self.year(at) {
            let piece = Piece::Edge {
                end: true,
                unit: Unit::Year,
                month: super::super::piece::MonthRef::Named(12, Some(year)),
                shift: 0,
            };
            found.push(self.candidate(vec![piece], end, Strength::Weak));
        }
        let longest = found.iter().map(|day| day.end).max().unwrap_or(0);
        found.retain(|day| day.end == longest);
        found
    }

    fn wrap(&self, day: Candidate, with: impl Fn(Box<Piece>) -> Piece) -> Option<Candidate> {
        let mut pieces = day.pieces.into_iter();
        let first = pieces.next()?;
        let mut out = vec![with(Box::new(first))];
        for piece in pieces {
            match piece {
                Piece::Because(why) => out.push(Piece::Because(why)),
                _ => return None,
            }
        }
        Some(self.candidate(out, day.end, Strength::Weak))
    }
}

fn per_unit(unit: Unit, n: i64) -> Option<Rule> {
    let n = u32::try_from(n).ok().filter(|n| (1..=10_000).contains(n))?;
    let (freq, interval) = match unit {
        Unit::Second => return None,
        Unit::Minute => (Freq::Minutely, n),
        Unit::Hour => (Freq::Hourly, n),
        Unit::Day => (Freq::Daily, n),
        Unit::Week => (Freq::Weekly, n),
        Unit::Month => (Freq::Monthly, n),
        Unit::Year => (Freq::Yearly, n),
    };
    Some(Rule::new(freq, interval))
}

/// A length as the interval of a rule: one unit only.
fn counted(amount: super::super::piece::Amount) -> Option<Rule> {
    match (amount.months, amount.days, amount.seconds) {
        (0, 0, seconds) if seconds > 0 && seconds % 3600 == 0 => {
            per_unit(Unit::Hour, seconds / 3600)
        }
        (0, 0, seconds) if seconds > 0 && seconds % 60 == 0 => per_unit(Unit::Minute, seconds / 60),
        (0, days, 0) if days > 0 && days % 7 == 0 => per_unit(Unit::Week, i64::from(days / 7)),
        (0, days, 0) if days > 0 => per_unit(Unit::Day, i64::from(days)),
        (months, 0, 0) if months > 0 && months % 12 == 0 => {
            per_unit(Unit::Year, i64::from(months / 12))
        }
        (months, 0, 0) if months > 0 => per_unit(Unit::Month, i64::from(months)),
        _ => None,
    }
}
