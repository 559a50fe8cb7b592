//! What is left of a sentence beside its date: words that are title after all, and words that look
//! like a part of the date and cannot be read.

use super::super::Language;
use super::super::WhenError;
use super::super::grammar::Grammar;
use super::super::number::number;
use super::super::piece::{Piece, Strength};
use super::super::text::Text;
use super::super::token::{Kind, Token};
use super::{Hit, inside_a_name};

/// Between two hours.
const BETWEEN: &[&str] = &["and", "or", "e", "o", "oppure", "&", "+", "/", ","];

/// Drops what says nothing that the rest of the date does not say: a feast beside a day, a part of
/// the day that is said already. They are title.
pub(super) fn spared(hits: Vec<Hit>, grammars: &[Grammar<'_>], view: &Text<'_>) -> Vec<Hit> {
    let feast = |hit: &Hit| {
        hit.strength() < Strength::Strong
            && grammars.iter().any(|grammar| {
                view.lookup(hit.tokens.start, grammar.words().feasts)
                    .is_some()
            })
    };
    let dated = hits
        .iter()
        .any(|hit| !feast(hit) && every_reading(hit, says_a_day));
    let said_before = |at: usize| {
        let hit = &hits[at];
        hit.strength() < Strength::Strong
            && hit.readings.iter().all(|reading| {
                reading.pieces.iter().all(|piece| {
                    matches!(piece, Piece::Part(_))
                        && hits[..at]
                            .iter()
                            .any(|other| every_reading(other, |known| known == piece))
                })
            })
    };
    let keep: Vec<bool> = (0..hits.len())
        .map(|at| !(dated && feast(&hits[at]) || said_before(at)))
        .collect();
    hits.into_iter()
        .zip(keep)
        .filter_map(|(hit, keep)| keep.then_some(hit))
        .collect()
}

fn every_reading(hit: &Hit, says: impl Fn(&Piece) -> bool) -> bool {
    hit.readings
        .iter()
        .all(|reading| reading.pieces.iter().any(&says))
}

/// A feast beside it is not needed to know the day. "every year" and "every day" may begin with one.
fn says_a_day(piece: &Piece) -> bool {
    match piece {
        Piece::Day(_)
        | Piece::Date { .. }
        | Piece::DayOfMonth(_)
        | Piece::Nth { .. }
        | Piece::NthAfter(..)
        | Piece::Edge { .. }
        | Piece::Later(..)
        | Piece::In(_)
        | Piece::Instant(_) => true,
        Piece::Rule(rule) => rule.month.is_some(),
        _ => false,
    }
}

/// An hour beside a date that cannot be read: `at 9 and 10`, `at 25`, `13pm`. It stands where the
/// sentence or the words before another piece end, else it is a number of something.
pub(super) fn unread(
    grammars: &[Grammar<'_>],
    view: &Text<'_>,
    text: &str,
    tokens: &[Token],
    hits: &[Hit],
) -> Option<WhenError> {
    if hits.is_empty() {
        return None;
    }
    let inside = |at: usize| hits.iter().any(|hit| hit.tokens.contains(&at));
    let ends = |end: usize| {
        (end..view.len()).all(|at| {
            [".", "!", "?", ",", ";", ")"]
                .iter()
                .any(|mark| view.is(at, mark))
        }) || hits
            .iter()
            .any(|hit| (hit.from..=hit.tokens.start).contains(&end))
    };
    for hit in hits.iter().filter(|hit| every_reading(hit, is_clock)) {
        let at = hit.tokens.end;
        let Some(next) = view.one_of(at, BETWEEN) else {
            continue;
        };
        for grammar in grammars {
            let hour = view.skip(next, marks(grammar));
            let Some((_, end)) = number(view, hour, grammar.words().language) else {
                continue;
            };
            let end = grammar.meridiem(end).map_or(end, |(_, end)| end);
            if !(next..end).any(inside) && !inside_a_name(tokens, hour, end) && ends(end) {
                let from = if view.is(at, ",") { next } else { at };
                return Some(unknown_words(text, tokens, from, end));
            }
        }
    }
    if hits.iter().any(|hit| {
        every_reading(hit, |piece| {
            is_clock(piece) || matches!(piece, Piece::Instant(_))
        })
    }) {
        return None;
    }
    (0..view.len()).find_map(|at| {
        let end = like_an_hour(grammars, view, tokens, at)?;
        (!(at..end).any(inside) && ends(end)).then(|| unknown_words(text, tokens, at, end))
    })
}

fn is_clock(piece: &Piece) -> bool {
    matches!(piece, Piece::Clock(_))
}

/// Before an hour and hardly before any other number.
fn marks(grammar: &Grammar<'_>) -> &'static [&'static str] {
    match grammar.words().language {
        Language::English => &["at", "@"],
        Language::Italian => &["alle", "alle ore", "@"],
    }
}

/// Where something ends that is written as an hour: `at 25`, `at 9:75`, `13pm`.
pub(super) fn like_an_hour(
    grammars: &[Grammar<'_>],
    view: &Text<'_>,
    tokens: &[Token],
    at: usize,
) -> Option<usize> {
    grammars.iter().find_map(|grammar| {
        let marked = view.one_of(at, marks(grammar));
        let first = marked.unwrap_or(at);
        let digits = |at: usize| {
            view.token(at)
                .filter(|token| token.kind == Kind::Number)
                .map(|token| token.norm.len())
        };
        if digits(first)? > 2 {
            return None;
        }
        let mut end = first + 1;
        while (view.is(end, ":") || view.is(end, "."))
            && view.glued(end)
            && view.glued(end + 1)
            && digits(end + 1) == Some(2)
        {
            end += 2;
        }
        // "3a" alone is a class or a volume.
        let half = grammar.meridiem(end).filter(|(_, behind)| {
            marked.is_some() || behind - end > 1 || view.is(end, "am") || view.is(end, "pm")
        });
        let end = half.map_or(end, |(_, behind)| behind);
        ((marked.is_some() || half.is_some()) && !inside_a_name(tokens, at, end)).then_some(end)
    })
}

/// Names the tokens `from..to`.
pub(super) fn unknown_words(text: &str, tokens: &[Token], from: usize, to: usize) -> WhenError {
    let start = tokens.get(from).map_or(0, |token| token.span.start);
    let end = to
        .checked_sub(1)
        .and_then(|last| tokens.get(last))
        .map_or(text.len(), |token| token.span.end);
    WhenError::Unknown {
        word: text.get(start..end).unwrap_or_default().to_owned(),
        span: start..end,
    }
}
