//! A filter's words.

use jiff::{ToSpan, Zoned};

use super::{Compare, Date, Filter, FilterError, Part, Term, WORD_MAX_BYTES, WORDS_MAX, fold};
use crate::{
    book::{Priority, State, TaskRef},
    when::{self, Answer, Here},
};

impl Filter {
    /// Reads words. Dates are read as [`when::parse`] reads them, past ones too.
    ///
    /// # Errors
    /// An attribute that there is not, or a value that it does not take.
    pub fn read(words: &[String], here: &Here) -> Result<Self, FilterError> {
        if words.len() > WORDS_MAX || words.iter().any(|word| word.len() > WORD_MAX_BYTES) {
            return Err(FilterError::TooLong);
        }
        let mut terms = Vec::with_capacity(words.len());
        for word in words {
            let word = word.trim();
            if !word.is_empty() {
                terms.push(term(word, here)?);
            }
        }
        Ok(Self { terms })
    }
}

fn value(attribute: &str, value: &str, why: impl Into<String>) -> FilterError {
    FilterError::Value {
        attribute: attribute.to_owned(),
        value: value.chars().take(80).collect(),
        why: why.into(),
    }
}

fn term(word: &str, here: &Here) -> Result<Term, FilterError> {
    if let Some(text) = word
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'))
        && !text.is_empty()
    {
        return Ok(Term::Text(fold(text)));
    }
    for (sign, wanted) in [('+', true), ('-', false)] {
        if let Some(tag) = word.strip_prefix(sign)
            && !tag.is_empty()
            && !tag.contains(char::is_whitespace)
        {
            return Ok(Term::Tag(fold(tag), wanted));
        }
    }
    if let Some(numbers) = numbers(word) {
        return Ok(Term::Numbers(numbers));
    }
    if let Some((name, given)) = word.split_once(':') {
        let is_name = name
            .chars()
            .all(|c| c.is_alphabetic() || c == '.' || c == '_');
        if is_name && !name.is_empty() {
            return attribute(name, given.trim(), here);
        }
    }
    let folded = fold(word);
    Ok(match folded.as_str() {
        "overdue" => Term::Overdue(here.now.timestamp().as_millisecond()),
        "today" => {
            let (from, to) = day(&here.now);
            Term::Date(Date::Due, Compare::On, from, to)
        }
        "or" | "and" | "xor" => return Err(FilterError::Joined { word: folded }),
        _ => Term::Text(folded),
    })
}

/// `12`, `3-5`, `3,7-9`.
fn numbers(word: &str) -> Option<Vec<(u64, u64)>> {
    let digits = |text: &str| -> Option<u64> {
        let bare = text.strip_prefix('#').unwrap_or(text);
        (!bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| bare.parse().unwrap_or(u64::MAX))
    };
    word.split(',')
        .map(|piece| match piece.split_once('-') {
            Some((from, to)) => Some((digits(from)?, digits(to)?)),
            None => digits(piece).map(|number| (number, number)),
        })
        .collect()
}

fn attribute(name: &str, given: &str, here: &Here) -> Result<Term, FilterError> {
    let folded = fold(name);
    let (base, compare) = match folded.split_once('.') {
        None => (folded.as_str(), None),
        Some((base, how)) => {
            let compare = match how {
                "before" => Compare::Before,
                "after" => Compare::After,
                "by" => Compare::By,
                "on" => Compare::On,
                _ => {
                    return Err(FilterError::UnknownAttribute {
                        name: name.chars().take(40).collect(),
                    });
                }
            };
            (base, Some(compare))
        }
    };
    let date = match base {
        "due" => Some(Date::Due),
        "created" | "entry" => Some(Date::Created),
        "modified" => Some(Date::Modified),
        "done" | "completed" | "end" => Some(Date::Done),
        _ => None,
    };
    if let Some(date) = date {
        return dated(name, date, compare.unwrap_or(Compare::On), given, here);
    }
    if compare.is_none()
        && let Some(term) = plain(base, given)?
    {
        return Ok(term);
    }
    Err(FilterError::UnknownAttribute {
        name: name.chars().take(40).collect(),
    })
}

fn plain(base: &str, given: &str) -> Result<Option<Term>, FilterError> {
    let folded = fold(given);
    Ok(Some(match base {
        "project" | "proj" | "pro" => Term::Project((!folded.is_empty()).then_some(folded)),
        "priority" | "pri" => Term::Priority(match folded.as_str() {
            "high" | "h" => Some(Priority::High),
            "medium" | "m" => Some(Priority::Medium),
            "low" | "l" => Some(Priority::Low),
            "" | "none" => None,
            _ => return Err(value(base, given, "it takes high, medium, low or nothing")),
        }),
        "state" | "status" => Term::State(states(base, given, &folded)?),
        "has" => Term::Has(part(base, given, &folded)?, true),
        "no" => Term::Has(part(base, given, &folded)?, false),
        "tag" | "tags" if !folded.is_empty() => {
            Term::Tag(folded.trim_start_matches('+').to_owned(), true)
        }
        "tag" | "tags" => Term::Has(Part::Tags, false),
        "parent" if folded.is_empty() || folded == "none" => Term::Parent(None),
        "parent" => match given.parse::<TaskRef>() {
            Ok(task) => Term::Parent(Some((task, None))),
            Err(_) => return Err(value(base, given, "it takes a task's number or nothing")),
        },
        _ => return Ok(None),
    }))
}

fn states(base: &str, given: &str, folded: &str) -> Result<Vec<State>, FilterError> {
    let all = [State::Open, State::Waiting, State::Done, State::Cancelled];
    let mut states = Vec::new();
    for name in folded.split(',') {
        match name {
            "all" | "any" => states.extend(all),
            "pending" => states.extend([State::Open, State::Waiting]),
            "completed" => states.push(State::Done),
            "canceled" | "deleted" => states.push(State::Cancelled),
            name => match State::from_name(name) {
                Some(state) => states.push(state),
                None => {
                    return Err(value(
                        base,
                        given,
                        "it takes open, waiting, done, cancelled or all",
                    ));
                }
            },
        }
    }
    Ok(states)
}

fn part(base: &str, given: &str, folded: &str) -> Result<Part, FilterError> {
    Ok(match folded {
        "due" | "time" => Part::Due,
        "notes" | "note" => Part::Notes,
        "project" => Part::Project,
        "tags" | "tag" => Part::Tags,
        "priority" => Part::Priority,
        "parent" => Part::Parent,
        "repeat" => Part::Repeat,
        "reminder" | "reminders" => Part::Reminder,
        "snooze" => Part::Snooze,
        _ => {
            return Err(value(
                base,
                given,
                "it takes due, notes, project, tags, priority, parent, repeat, reminder or snooze",
            ));
        }
    })
}

/// First and, exclusively, last moment of a day.
fn day(at: &Zoned) -> (i64, i64) {
    let start = at.start_of_day().unwrap_or_else(|_| at.clone());
    let end = start
        .checked_add(1.day())
        .ok()
        .and_then(|next| next.start_of_day().ok())
        .unwrap_or_else(|| start.clone());
    (
        start.timestamp().as_millisecond(),
        end.timestamp().as_millisecond(),
    )
}

fn dated(
    name: &str,
    date: Date,
    compare: Compare,
    given: &str,
    here: &Here,
) -> Result<Term, FilterError> {
    const MINUTE_MS: i64 = 60_000;
    let folded = fold(given);
    let days = |days: i64| here.now.saturating_add(days.days());
    let (from, to) = match folded.as_str() {
        "" | "none" if date == Date::Due && compare == Compare::On => {
            return Ok(Term::Has(Part::Due, false));
        }
        "today" | "oggi" => day(&here.now),
        "tomorrow" | "domani" => day(&days(1)),
        "yesterday" | "ieri" => day(&days(-1)),
        "now" | "adesso" | "ora" => {
            let now = here.now.timestamp().as_millisecond();
            (now, now + 1)
        }
        _ => {
            let here = Here {
                past: true,
                ..here.clone()
            };
            match when::parse(given, &here) {
                Ok(Answer::One(found)) if found.repeat.is_some() => {
                    return Err(value(name, given, "it takes one time, not a rule"));
                }
                Ok(Answer::One(found)) if found.all_day => day(&found.due),
                Ok(Answer::One(found)) => {
                    let at = found.due.timestamp().as_millisecond();
                    (at, at + MINUTE_MS)
                }
                Ok(Answer::Several(_)) => {
                    return Err(value(
                        name,
                        given,
                        "it can be read in several ways; 2026-11-22 and 2026-11-22T09:00 cannot",
                    ));
                }
                Ok(Answer::Nothing) => return Err(value(name, given, "it takes a date")),
                Err(error) => return Err(value(name, given, error.to_string())),
            }
        }
    };
    Ok(Term::Date(date, compare, from, to))
}
