//! Days: names, dates, places in a month.

use jiff::civil::Weekday;

use super::super::Language;
use super::super::number::{number, ordinal};
use super::super::piece::{Candidate, Freq, Piece, Rule, Strength, Unit, Which, Why};
use super::Grammar;
use super::numeric::small;

impl Grammar<'_> {
    pub(super) fn days(&self, at: usize) -> Vec<Candidate> {
        let mut out = self.single_day(at);
        out.extend(self.weekday_list(at));
        out.extend(self.habit(at));
        if let Some(end) = self.text.one_of(at, self.words.now) {
            out.push(self.candidate(vec![Piece::Now], end, Strength::Phrase));
        }
        if let Some(((unit, shift, strength), end)) = self.text.lookup(at, self.words.periods) {
            out.push(self.candidate(vec![Piece::Period { unit, shift }], end, strength));
        }
        out
    }

    /// One day, without what qualifies it elsewhere in the phrase.
    pub(super) fn single_day(&self, at: usize) -> Vec<Candidate> {
        let mut out = Vec::new();
        let t = self.text;
        if let Some((days, end)) = t.lookup(at, self.words.days) {
            out.push(self.candidate(vec![Piece::Day(days)], end, Strength::Strong));
        }
        out.extend(self.weekday(at));
        out.extend(self.date(at));
        out.extend(self.day_of_month(at));
        out.extend(self.nth(at));
        out.extend(self.edge(at));
        out.extend(self.month(at));
        if let Some((shift, end)) = t.lookup(at, self.words.weekends) {
            out.push(self.candidate(vec![Piece::Weekend { shift }], end, Strength::Edge));
        }
        if let Some(((month, day), mut end)) = t.lookup(at, self.words.feasts) {
            let year = self.year(end);
            if let Some((_, behind)) = year {
                end = behind;
            }
            let piece = Piece::Date {
                year: year.map(|(year, _)| year),
                month,
                day,
            };
            out.push(self.candidate(vec![piece], end, Strength::Edge));
        }
        out
    }

    fn weak_name(&self, at: usize) -> bool {
        self.text.one_of(at, self.words.weak_names).is_some()
    }

    /// A weekday with its this, next and last.
    fn weekday(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let before = [
            (self.words.this, Which::This),
            (self.words.next_before, Which::Next(self.language())),
            (self.words.last_before, Which::Last),
        ];
        for (phrases, which) in before {
            if let Some(next) = t.one_of(at, phrases)
                && let Some((day, end)) = t.name(next, self.words.weekdays)
            {
                return Some(self.candidate(
                    vec![Piece::Weekday(day, which)],
                    end,
                    Strength::Strong,
                ));
            }
        }
        let name_at = t.skip(at, &["on", "il", "la", "l"]);
        let (day, end) = t.name(name_at, self.words.weekdays)?;
        let behind = [
            (self.words.next_behind, Which::Next(self.language())),
            (self.words.last_behind, Which::Last),
            (self.words.after_next_behind, Which::AfterNext),
        ];
        for (phrases, which) in behind {
            if let Some(end) = t.one_of(end, phrases) {
                return Some(self.candidate(
                    vec![Piece::Weekday(day, which)],
                    end,
                    Strength::Strong,
                ));
            }
        }
        // "il lunedì" is every Monday as often as the next one; see `habit`.
        if name_at > at && self.language() == Language::Italian {
            return None;
        }
        // "friday 27", "ven 27"
        if let Some((number, _, _)) = self
            .day_number(end)
            .filter(|(_, end, _)| self.ends_here(*end))
        {
            let pieces = vec![Piece::Weekday(day, Which::Plain), Piece::DayOfMonth(number)];
            return self
                .day_number(end)
                .map(|(_, end, _)| self.candidate(pieces, end, Strength::Edge));
        }
        let strength = if self.weak_name(name_at) && name_at == at {
            Strength::Weak
        } else {
            Strength::Strong
        };
        Some(self.candidate(vec![Piece::Weekday(day, Which::Plain)], end, strength))
    }

    /// Nothing follows that makes something else of a number.
    pub(super) fn ends_here(&self, at: usize) -> bool {
        let t = self.text;
        t.token(at).is_none()
            || !t.glued(at) && t.one_of(at, self.words.at).is_some()
            || t.is(at, ",") && t.digits(at + 1).is_none()
    }

    /// `il lunedì`: each Monday, or the next.
    fn habit(&self, at: usize) -> Vec<Candidate> {
        let t = self.text;
        if self.language() != Language::Italian {
            return Vec::new();
        }
        let Some(next) = t.one_of(at, &["il", "la", "di"]) else {
            return Vec::new();
        };
        let Some((day, end)) = t.name(next, self.words.weekdays) else {
            return Vec::new();
        };
        let behind = [self.words.next_behind, self.words.last_behind];
        if behind
            .iter()
            .any(|phrases| t.one_of(end, phrases).is_some())
            || self.day_number(end).is_some()
        {
            return Vec::new();
        }
        // "alle 9 di sabato" is that Saturday.
        if t.is(at, "di")
            && at
                .checked_sub(1)
                .is_some_and(|before| self.ends_an_hour(before))
        {
            let plain = Piece::Weekday(day, Which::Plain);
            return vec![self.candidate(vec![plain], end, Strength::Strong)];
        }
        let once = vec![Piece::Weekday(day, Which::Plain), Piece::Because(Why::Once)];
        let each = Piece::Weekdays {
            days: vec![day],
            plural: true,
        };
        let strength = if self.weak_name(next) {
            Strength::Weak
        } else {
            Strength::Strong
        };
        vec![
            self.candidate(once, end, strength),
            self.candidate(vec![each, Piece::Because(Why::EveryWeek)], end, strength),
        ]
    }

    fn ends_an_hour(&self, at: usize) -> bool {
        let t = self.text;
        let words = [
            "mezza",
            "mezzo",
            "quarto",
            "mezzogiorno",
            "mezzanotte",
            "mattino",
            "mattina",
            "pomeriggio",
            "sera",
            "notte",
        ];
        number(t, at, self.language()).is_some() || words.into_iter().any(|word| t.is(at, word))
    }

    /// `monday, wednesday and friday`.
    pub(super) fn weekday_names(&self, at: usize, loose: bool) -> Option<(Vec<Weekday>, usize)> {
        let t = self.text;
        let each = |at| {
            t.name(at, self.words.weekdays)
                .or_else(|| t.lookup(at, self.words.weekdays_each))
        };
        let (first, mut end) = each(at)?;
        let mut days = vec![first];
        loop {
            let mut next = t.skip(end, &[","]);
            next = t.skip(next, &["and", "e", "&", "+", "/"]);
            // "every mon wed fri"
            if next == end && !loose {
                break;
            }
            next = t.skip(next, &["on", "il", "la", "di", "every", "ogni", "the"]);
            let Some((day, behind)) = each(next) else {
                break;
            };
            // "monday, 18 february" and "on Friday, Saturday 3pm" are for others to read.
            if days.len() >= 7 {
                break;
            }
            if !days.contains(&day) {
                days.push(day);
            }
            end = behind;
        }
        Some((days, end))
    }

    /// Several weekdays, or one in the plural.
    fn weekday_list(&self, at: usize) -> Option<Candidate> {
        let at_names = self.text.skip(at, &["on", "il", "la", "di"]);
        let habit = at_names > at && self.language() == Language::Italian;
        let plural = self
            .text
            .lookup(at_names, self.words.weekdays_each)
            .is_some();
        let (days, end) = self.weekday_names(at_names, false)?;
        let strength = if plural && days.len() == 1 {
            Strength::Edge
        } else {
            Strength::Strong
        };
        let several = days.len() > 1;
        let plural = plural || habit && several;
        (several || plural)
            .then(|| self.candidate(vec![Piece::Weekdays { days, plural }], end, strength))
    }

    /// Four digits, or `'27`.
    pub(super) fn year(&self, at: usize) -> Option<(i16, usize)> {
        let t = self.text;
        let next = t.skip(at, &[",", "of", "del", "nel"]);
        let (year, 4) = t.digits(next)? else {
            return None;
        };
        // "3 dec 1030 am" and 3 dec 2100-09 are something else.
        if self.meridiem(next + 1).is_some() || self.mark(next + 1, ":") {
            return None;
        }
        i16::try_from(year)
            .ok()
            .filter(|year| (1900..=9999).contains(year))
            .map(|year| (year, next + 1))
    }

    /// A day's number, with or without its suffix.
    fn day_number(&self, at: usize) -> Option<(i8, usize, bool)> {
        let t = self.text;
        if let Some((n, end, _)) = ordinal(t, at, self.language()) {
            return small(n)
                .filter(|n| (1..=31).contains(n))
                .map(|n| (n, end, true));
        }
        if t.digits(at).is_some_and(|(_, len)| len > 2) {
            return None;
        }
        let (n, end) = number(t, at, self.language())?;
        small(n)
            .filter(|n| (1..=31).contains(n))
            .map(|n| (n, end, false))
    }

    /// `3 dec`, `December 3rd 2027`, `3 dicembre`, `the 3rd of December`.
    fn date(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let start = t.skip(at, &["the", "on the", "il", "l", "del", "dell"]);
        if let Some((day, end, _)) = self.day_number(start) {
            let next = t.skip(end, self.words.of);
            if let Some((month, end)) = t.name(next, self.words.months) {
                let weak =
                    self.weak_name(next) && self.language() == Language::Italian && start == at;
                return self.dated(day, month, end, weak);
            }
            return None;
        }
        if self.language() == Language::Italian {
            return None;
        }
        let (month, next) = t.name(at, self.words.months)?;
        let next = t.skip(next, &["the", ","]);
        let (day, end, suffixed) = self.day_number(next)?;
        // "March 15:30" has an hour, "may 5 pm" too.
        if self.mark(end, ":") || (!suffixed && self.meridiem(end).is_some()) {
            return None;
        }
        self.dated(day, month, end, self.weak_name(at) && !suffixed)
    }

    fn dated(&self, day: i8, month: i8, end: usize, weak: bool) -> Option<Candidate> {
        let year = self.year(end);
        let (year, end) = year.map_or((None, end), |(year, end)| (Some(year), end));
        let strength = if weak {
            Strength::Edge
        } else {
            Strength::Strong
        };
        Some(self.candidate(vec![Piece::Date { year, month, day }], end, strength))
    }

    /// `the 15th`, `il 15`, `15th of next month`, `il 15 di ogni mese`.
    fn day_of_month(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        let start = t.skip(at, self.words.day_number);
        let (day, end, suffixed) = self.day_number(start)?;
        let marked = start > at;
        if !marked
            && !suffixed
            && t.lookup(end, self.words.of_month).is_none()
            && t.one_of(end, self.words.of_every_month).is_none()
        {
            return None;
        }
        // "entro il 31 gennaio" is a date, and its month belongs to it.
        if t.name(t.skip(end, self.words.of), self.words.months)
            .is_some()
        {
            let mut date = self.date(start)?;
            date.strength = Strength::Strong;
            return Some(date);
        }
        // "il 15/2" is read elsewhere.
        if t.glued(end)
            && ["/", "-", ".", ":"].into_iter().any(|mark| t.is(end, mark))
            && t.digits(end + 1).is_some()
        {
            return None;
        }
        // "the 15" is a count in English, "15°" alone hardly a day in Italian.
        let day_like = match self.language() {
            Language::English => {
                suffixed || t.is(at, "on") && t.digits(start).is_some() && self.ends_here(end)
            }
            Language::Italian => marked,
        };
        let in_words = t.digits(start).is_none();
        if let Some(end) = t.one_of(end, self.words.of_every_month) {
            let mut rule = Rule::new(Freq::Monthly, 1);
            rule.month_days = vec![day];
            return Some(self.candidate(vec![Piece::Rule(rule)], end, Strength::Strong));
        }
        let mut pieces = vec![Piece::DayOfMonth(day)];
        if let Some((shift, end)) = t.lookup(end, self.words.of_month) {
            if let Some(shift) = shift {
                pieces.push(Piece::Period {
                    unit: Unit::Month,
                    shift,
                });
            }
            return Some(self.candidate(pieces, end, Strength::Strong));
        }
        let strength = if in_words || !marked {
            Strength::Weak
        } else {
            Strength::Edge
        };
        day_like.then(|| self.candidate(pieces, end, strength))
    }

    /// A month alone: its first day.
    fn month(&self, at: usize) -> Option<Candidate> {
        let t = self.text;
        if let Some((month, end)) = t.name(at, self.words.months)
            && let Some(end) = t.one_of(end, self.words.after_next_behind)
        {
            let piece = Piece::Month {
                month,
                year: None,
                which: Which::AfterNext,
            };
            return Some(self.candidate(vec![piece], end, Strength::Edge));
        }
        let (which, start) = if let Some(start) = t.one_of(at, self.words.next_before) {
            (Which::Next(self.language()), start)
        } else {
            (
                Which::Plain,
                t.skip(at, &["in", "a", "ad", "nel", "for", "per", "by", "entro"]),
            )
        };
        let (month, end) = t.name(start, self.words.months)?;
        let year = self.year(end);
        let (year, end) = year.map_or((None, end), |(year, end)| (Some(year), end));
        let strength = match (start > at, year) {
            (_, Some(_)) => Strength::Edge,
            (true, None) if !t.is(at, "a") && !t.is(at, "per") && !t.is(at, "for") => {
                Strength::Edge
            }
            _ => Strength::Phrase,
        };
        Some(self.candidate(vec![Piece::Month { month, year, which }], end, strength))
    }
}
