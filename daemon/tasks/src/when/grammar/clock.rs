//! Times of day.

use jiff::civil::Time;

use super::super::Language;
use super::super::lexicon::Hand;
use super::super::number::{number, word};
use super::super::piece::{Candidate, Clock, Piece, Strength};
use super::Grammar;
use super::numeric::{bare, exact, twelve};

/// An hour as it was read, before its morning or evening.
struct Read {
    clock: Clock,
    end: usize,
    /// It can be nothing but a time.
    sure: bool,
}

impl Grammar<'_> {
    /// Morning or evening of a clock of twelve hours.
    pub(in super::super) fn meridiem(&self, at: usize) -> Option<(bool, usize)> {
        let (pm, end) = self.text.lookup(at, self.words.meridiem)?;
        // "3 a" is the beginning of something else.
        let single = end == at + 1
            && self
                .text
                .token(at)
                .is_some_and(|token| token.norm.len() == 1);
        (!single || self.text.glued(at)).then_some((pm, end))
    }

    /// Times with and without their "at", and parts of the day.
    pub(super) fn clock(&self, at: usize) -> Vec<Candidate> {
        let mut out = Vec::new();
        let t = self.text;
        if let Some(behind) = t.one_of(at, self.words.at) {
            out.extend(self.digital(behind, true).map(|mut found| {
                found.language = Some(self.language());
                found
            }));
            if let Some(read) = self.hour(behind, true) {
                let by =
                    t.is(at, "by") || t.is(at, "for") || t.is(at, "about") || t.is(at, "around");
                let strength = match (read.sure, self.language()) {
                    (true, _) => Strength::Strong,
                    // "for 9" and "le 9" are seldom hours, "at 9" and "alle 9" mostly.
                    (false, Language::English) if by => Strength::Weak,
                    (false, Language::Italian)
                        if t.is(at, "le")
                            || t.is(at, "h")
                            || t.is(at, "all") && !t.is(behind, "una") =>
                    {
                        Strength::Weak
                    }
                    (false, _) => Strength::Strong,
                };
                // "about 9" alone is any number.
                if read.sure
                    || !by
                    || t.one_of(at, &["at about", "at around"]).is_some()
                    || self.part(read.end).is_some()
                {
                    out.push(self.candidate(vec![Piece::Clock(read.clock)], read.end, strength));
                }
            }
        }
        if let Some(read) = self.hour(at, false) {
            if read.sure {
                out.push(self.candidate(
                    vec![Piece::Clock(read.clock)],
                    read.end,
                    Strength::Strong,
                ));
            } else if let Some((part, end)) = self.part(read.end) {
                // "8 tonight"
                let mut pieces = vec![Piece::Clock(read.clock)];
                pieces.extend(part.pieces);
                out.push(self.candidate(pieces, end, part.strength));
            }
        }
        // "tomorrow 9": beside a day, where nothing else follows.
        if let (Some((hour @ 1..=23, 1..=2)), 1..) = (self.text.digits(at), at)
            && self.ends_here(at + 1)
            // "14 april 15" may have a year.
            && self.text.name(at - 1, self.words.months).is_none()
            && !self.text.glued(at - 1)
            && (1..=4).any(|len| at.checked_sub(len).is_some_and(|from| self.single_day(from).iter().any(|day| day.end == at)))
            && let Some(time) = exact(hour, 0, 0)
        {
            let pieces = vec![Piece::Clock(bare(time))];
            out.push(self.candidate(pieces, at + 1, Strength::Weak));
        }
        // "16 CET"
        if let Some((hour @ 0..=23, 1..=2)) = self.text.digits(at)
            && let Some(zone) = self.zone(at + 1).pop()
            && let Some(time) = exact(hour, 0, 0)
        {
            let mut pieces = vec![Piece::Clock(bare(time))];
            pieces.extend(zone.pieces);
            out.push(self.candidate(pieces, zone.end, Strength::Edge));
        }
        out.extend(self.part(at).map(|(part, _)| part));
        out
    }

    fn part(&self, at: usize) -> Option<(Candidate, usize)> {
        let ((part, day, strength), end) = self.text.lookup(at, self.words.parts)?;
        let mut pieces = vec![Piece::Part(part)];
        if let Some(day) = day {
            pieces.push(Piece::Day(day));
        }
        Some((self.candidate(pieces, end, strength), end))
    }

    /// The hour at `at`. `marked`: "at" stands before it, so that a number alone is one.
    fn hour(&self, at: usize, marked: bool) -> Option<Read> {
        self.minutes_before(at, marked)
            .or_else(|| self.hand(at))
            .or_else(|| self.plain_hour(at, marked))
    }

    fn hand(&self, at: usize) -> Option<Read> {
        let (hand, end) = self.text.lookup(at, self.words.hands)?;
        let base = match hand {
            Hand::Noon => Time::constant(12, 0, 0, 0),
            Hand::Midnight => {
                return match self.minutes_behind(Time::midnight(), end) {
                    Some((time, end)) => Some(Read {
                        clock: Clock::Exact(time),
                        end,
                        sure: true,
                    }),
                    None => Some(Read {
                        clock: Clock::Midnight,
                        end,
                        sure: true,
                    }),
                };
            }
        };
        let (time, end) = self.minutes_behind(base, end).unwrap_or((base, end));
        Some(Read {
            clock: Clock::Exact(time),
            end,
            sure: true,
        })
    }

    /// `half past 8`, `a quarter to noon`, `20 past 3pm`.
    fn minutes_before(&self, at: usize, marked: bool) -> Option<Read> {
        let t = self.text;
        let (minutes, next) = t.lookup(at, self.words.minutes_before).or_else(|| {
            let (n, next) = number(t, at, self.language())?;
            let digits = t.digits(at).is_some();
            let short = next;
            let (sign, next) = t.lookup(next, self.words.past_to)?;
            // "3 to 5pm" is a stretch of time, "at ten to five" is not.
            if sign < 0 && n <= 12 && !marked && digits && next == short + 1 {
                return None;
            }
            let n = i32::try_from(n).ok().filter(|n| (1..=59).contains(n))?;
            Some((sign * n, next))
        })?;
        if let Some((hand, end)) = t.lookup(next, self.words.hands) {
            let base = if hand == Hand::Noon { 12 * 60 } else { 24 * 60 };
            let clock = Clock::Exact(minute_of_day(base + minutes)?);
            return Some(Read {
                clock,
                end,
                sure: true,
            });
        }
        let (hour, end) = number(t, next, self.language())?;
        let hour = i32::try_from(hour)
            .ok()
            .filter(|hour| (0..=24).contains(hour))?;
        // "half 8" needs an hour of a clock's face.
        if t.is(next - 1, "half") && !(1..=12).contains(&hour) {
            return None;
        }
        let end = t.skip(end, self.words.oclock);
        if let Some((pm, end)) = self.meridiem(end) {
            let Clock::Exact(base) = twelve(exact(hour.try_into().ok()?, 0, 0)?, pm)? else {
                return (minutes >= 0).then(|| Read {
                    clock: Clock::Exact(Time::midnight()),
                    end,
                    sure: true,
                });
            };
            let total = i32::from(base.hour()) * 60 + minutes;
            return Some(Read {
                clock: Clock::Exact(minute_of_day(total)?),
                end,
                sure: true,
            });
        }
        let time = minute_of_day(hour * 60 + minutes)?;
        // A quarter to one is on the face of the clock as twelve is.
        let clock = if (1..=12).contains(&hour) && time.hour() == 0 {
            Clock::Bare(Time::new(12, time.minute(), 0, 0).ok()?)
        } else {
            bare(time)
        };
        Some(Read {
            clock,
            end,
            sure: true,
        })
    }

    /// `e mezza`, `meno un quarto`, `e 20`, behind an hour.
    fn minutes_behind(&self, base: Time, at: usize) -> Option<(Time, usize)> {
        let t = self.text;
        let (minutes, end) = t.lookup(at, self.words.minutes_behind).or_else(|| {
            let (sign, next) = t.lookup(at, self.words.plus_minus)?;
            let (n, end) = number(t, next, self.language())?;
            let n = i32::try_from(n).ok().filter(|n| (1..=59).contains(n))?;
            let end = if t.is(end, "minuti") { end + 1 } else { end };
            Some((sign * n, end))
        })?;
        let total = i32::from(base.hour()) * 60 + minutes;
        let mut time = minute_of_day(total)?;
        if base.hour() == 1 && minutes < 0 {
            time = Time::new(12, time.minute(), 0, 0).ok()?;
        }
        Some((time, end))
    }

    fn plain_hour(&self, at: usize, marked: bool) -> Option<Read> {
        let t = self.text;
        let (n, next) = number(t, at, self.language())?;
        let digits = t.digits(at).map(|(_, len)| len);
        if let (Some(len @ (3 | 4)), (h, m)) = (digits, (n / 100, n % 100)) {
            // 330 p.m., at 1030
            let time = exact(h, m, 0)?;
            if let Some((pm, end)) = self.meridiem(next) {
                return Some(Read {
                    clock: twelve(time, pm)?,
                    end,
                    sure: true,
                });
            }
            let of_day = self.part(next).is_some();
            let glued = t.token(next).is_some_and(|token| {
                token.glued && !matches!(token.norm.as_str(), "," | "." | "!" | "?" | ";" | ")")
            });
            let zero = t.token(at).is_some_and(|token| token.norm.starts_with('0'));
            return (!glued && marked && (len == 4 || of_day)).then(|| Read {
                clock: if zero { Clock::Exact(time) } else { bare(time) },
                end: next,
                sure: len == 4 && !(19..=21).contains(&h),
            });
        }
        if n > 24 || digits.is_some_and(|len| len > 2) {
            return None;
        }
        if n == 24 {
            return marked.then_some(Read {
                clock: Clock::DayEnd,
                end: next,
                sure: false,
            });
        }
        let base = exact(n, 0, 0)?;
        let zero = t.token(at).is_some_and(|token| token.norm.starts_with('0'));
        // "3a" alone is a class or a volume.
        let letter = t.word(next).is_some_and(|word| word.len() == 1) && !t.is(next + 1, ".");
        if let Some((pm, end)) = self.meridiem(next).filter(|_| marked || !letter) {
            return Some(Read {
                clock: twelve(base, pm)?,
                end,
                sure: true,
            });
        }
        if let Some(next) = t.one_of(next, self.words.oclock) {
            if let Some((pm, end)) = self.meridiem(next) {
                return Some(Read {
                    clock: twelve(base, pm)?,
                    end,
                    sure: true,
                });
            }
            return Some(Read {
                clock: bare(base),
                end: next,
                sure: true,
            });
        }
        if let Some((time, end)) = self.minutes_behind(base, next) {
            let sure = t.lookup(next, self.words.minutes_behind).is_some() || marked;
            let clock = if n == 0 || n > 12 {
                Clock::Exact(time)
            } else {
                bare(time)
            };
            return (sure || self.part(end).is_some()).then_some(Read { clock, end, sure });
        }
        // "three twenty", "ten thirty am", "at 3 15"
        if let Some((minute, end)) = self.minute_number(next, digits.is_some()) {
            let time = exact(n, minute, 0)?;
            if let Some((pm, end)) = self.meridiem(end) {
                return Some(Read {
                    clock: twelve(time, pm)?,
                    end,
                    sure: true,
                });
            }
            if marked {
                return Some(Read {
                    clock: bare(time),
                    end,
                    sure: true,
                });
            }
        }
        if t.is(next, "h")
            && t.glued(next)
            && digits.is_some()
            && n >= 6
            && !t.digits(next + 1).is_some_and(|_| t.glued(next + 1))
        {
            return marked.then_some(Read {
                clock: bare(base),
                end: next + 1,
                sure: true,
            });
        }
        // "at 650-6500", "at 9%": no hour.
        let broken = t.token(next).is_some_and(|token| {
            token.glued && !matches!(token.norm.as_str(), "," | "." | "!" | "?" | ";" | ")" | ":")
        });
        let broken = broken
            || (self.mark(next, ".") || self.mark(next, ",") || self.mark(next, ":"))
                && t.digits(next + 1).is_some()
                && t.glued(next + 1);
        let clock = if zero || n == 0 {
            Clock::Exact(base)
        } else {
            bare(base)
        };
        (!broken)
            .then_some(Read {
                clock,
                end: next,
                sure: false,
            })
            .filter(|_| marked || self.part(next).is_some())
    }

    /// Minutes in words behind an hour in words, or two digits behind digits.
    fn minute_number(&self, at: usize, digits: bool) -> Option<(u32, usize)> {
        if digits {
            let (n, 2) = self.text.digits(at)? else {
                return None;
            };
            // "at 3 15 people" and "at 9 12 December" are something else.
            let next = self.text.word(at + 1);
            let other =
                next.is_some() && self.meridiem(at + 1).is_none() && self.part(at + 1).is_none();
            return (n < 60 && !other && !self.text.glued(at)).then_some((n, at + 1));
        }
        let (n, end) = word(self.text, at, self.language())?;
        (10..60).contains(&n).then_some((n, end))
    }
}

fn minute_of_day(minutes: i32) -> Option<Time> {
    let minutes = minutes.rem_euclid(24 * 60);
    Time::new(
        i8::try_from(minutes / 60).ok()?,
        i8::try_from(minutes % 60).ok()?,
        0,
        0,
    )
    .ok()
}
