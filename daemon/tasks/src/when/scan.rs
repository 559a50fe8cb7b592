//! Finding the pieces in a text.

mod leftover;

use std::ops::Range;

use super::grammar::Grammar;
use super::piece::{Candidate, Strength};
use super::text::Text;
use super::token::{Kind, Token};
use super::{Here, WhenError};

/// Words that were read, in every way that they can be.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Bytes of the text, with the words before it that say nothing of their own.
    pub(super) span: Range<usize>,
    /// The words themselves.
    pub(super) words: String,
    /// At least one; all of the same words.
    pub(super) readings: Vec<Candidate>,
    /// Tokens, without fillers.
    tokens: Range<usize>,
    /// The first token with its fillers.
    from: usize,
}

impl Hit {
    fn strength(&self) -> Strength {
        self.readings
            .iter()
            .map(|reading| reading.strength)
            .max()
            .unwrap_or(Strength::Weak)
    }
}

/// The readings of the most words that begin at `at`.
fn longest(grammars: &[Grammar<'_>], at: usize) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for grammar in grammars {
        for candidate in grammar.at(at) {
            if found
                .iter()
                .all(|known| known.end != candidate.end || known.pieces != candidate.pieces)
            {
                found.push(candidate);
            }
        }
    }
    let end = found
        .iter()
        .map(|candidate| candidate.end)
        .max()
        .unwrap_or(at);
    found.retain(|candidate| candidate.end == end);
    found
}

fn grammars<'a>(text: &'a Text<'a>, here: &Here) -> Vec<Grammar<'a>> {
    let mut out: Vec<Grammar<'a>> = Vec::new();
    for language in &here.languages {
        if out.iter().all(|known| known.words().language != *language) {
            out.push(Grammar::new(text, *language, here));
        }
    }
    out
}

fn filler(grammars: &[Grammar<'_>], at: usize) -> Option<usize> {
    grammars
        .iter()
        .filter_map(|grammar| grammar.filler(at))
        .max()
}

fn hit(
    text: &str,
    tokens: &[Token],
    from: usize,
    at: usize,
    readings: Vec<Candidate>,
) -> Option<Hit> {
    let end = readings.first()?.end;
    let last = tokens.get(end.checked_sub(1)?)?;
    let words = tokens.get(at)?.span.start..last.span.end;
    Some(Hit {
        span: tokens.get(from)?.span.start..last.span.end,
        words: text.get(words)?.to_owned(),
        readings,
        tokens: at..end,
        from,
    })
}

fn unknown(token: Option<&Token>, text: &str) -> WhenError {
    let span = token.map_or(0..text.len(), |token| token.span.clone());
    let word = text.get(span.clone()).unwrap_or_default().to_owned();
    WhenError::Unknown { word, span }
}

/// Every word must be understood.
pub(super) fn whole(text: &str, tokens: &[Token], here: &Here) -> Result<Vec<Hit>, WhenError> {
    let view = Text::new(tokens);
    let grammars = grammars(&view, here);
    let mut hits = Vec::new();
    let (mut at, mut from) = (0, 0);
    while at < view.len() {
        let found = longest(&grammars, at);
        if found.is_empty() {
            let sentence_ends = (at..view.len()).all(|at| {
                [".", "!", "?", ","]
                    .into_iter()
                    .any(|mark| view.is(at, mark))
            });
            if sentence_ends && !hits.is_empty() {
                break;
            }
            if let Some(end) = leftover::like_an_hour(&grammars, &view, tokens, at) {
                return Err(leftover::unknown_words(text, tokens, at, end));
            }
            at = filler(&grammars, at)
                .ok_or_else(|| not_understood(&grammars, &view, tokens, text, at))?;
            continue;
        }
        let hit =
            hit(text, tokens, from, at, found).ok_or_else(|| unknown(tokens.get(at), text))?;
        at = hit.tokens.end;
        from = at;
        hits.push(hit);
    }
    // Words that lead to nothing are not understood either.
    if from < at {
        return Err(not_understood(&grammars, &view, tokens, text, from));
    }
    Ok(hits)
}

/// A word that is no date, or one that makes a stretch of time of the date behind it.
fn not_understood(
    grammars: &[Grammar<'_>],
    view: &Text<'_>,
    tokens: &[Token],
    text: &str,
    at: usize,
) -> WhenError {
    let range = grammars
        .iter()
        .filter_map(|grammar| view.one_of(at, grammar.words().ranges))
        .max();
    match (range, tokens.get(at)) {
        (Some(end), Some(first)) if end < view.len() => {
            let last = tokens
                .get(end - 1)
                .map_or(first.span.end, |token| token.span.end);
            let words = text
                .get(first.span.start..last)
                .unwrap_or_default()
                .to_owned();
            WhenError::Interval { words }
        }
        (_, token) => unknown(token, text),
    }
}

/// What is a date beyond doubt.
pub(super) fn within(text: &str, tokens: &[Token], here: &Here) -> Result<Vec<Hit>, WhenError> {
    let view = Text::new(tokens);
    let grammars = grammars(&view, here);
    let mut hits: Vec<Hit> = Vec::new();
    let mut at = 0;
    while at < view.len() {
        let found = longest(&grammars, at);
        let part_of_word =
            found.is_empty() || inside_a_name(tokens, at, found.first().map_or(at, |c| c.end));
        if part_of_word {
            at += 1;
            continue;
        }
        let from = before(
            &grammars,
            tokens,
            hits.last().map_or(0, |hit| hit.tokens.end),
            at,
        );
        let Some(hit) = hit(text, tokens, from, at, found) else {
            break;
        };
        at = hit.tokens.end;
        hits.push(hit);
    }
    let hits = leftover::spared(accepted(hits, &view), &grammars, &view);
    for hit in &hits {
        if let Some(words) = interval(&grammars, text, tokens, hit, &hits) {
            return Err(WhenError::Interval { words });
        }
    }
    match leftover::unread(&grammars, &view, text, tokens, &hits) {
        Some(error) => Err(error),
        None => Ok(hits),
    }
}

/// "X-12/3" and "v2026-11-22" are names: something is glued to the words on either side.
fn inside_a_name(tokens: &[Token], at: usize, end: usize) -> bool {
    let joins = |token: Option<&Token>| {
        token.is_some_and(|token| {
            token.kind == Kind::Word
                || token.kind == Kind::Number
                || matches!(
                    token.norm.as_str(),
                    "-" | "_" | "/" | "#" | "$" | "€" | "£" | "\\" | "=" | "+" | "%" | "&"
                )
        })
    };
    let before = tokens.get(at).is_some_and(|token| token.glued)
        && joins(at.checked_sub(1).and_then(|at| tokens.get(at)));
    // "1.2.3" is a version.
    let numbered = at >= 2
        && tokens.get(at).is_some_and(|token| token.glued)
        && tokens
            .get(at - 1)
            .is_some_and(|token| token.glued && matches!(token.norm.as_str(), "." | ":"))
        && joins(tokens.get(at - 2));
    let behind = tokens.get(end).is_some_and(|token| token.glued) && joins(tokens.get(end));
    // "9.30 euro", "www.sunday.com"
    let dotted = tokens
        .get(end)
        .is_some_and(|token| token.glued && token.norm == ".")
        && tokens
            .get(end + 1)
            .is_some_and(|token| token.glued && token.kind != Kind::Mark);
    before || behind || dotted || numbered
}

/// The first of the fillers that stand before `at`, not before `least`.
fn before(grammars: &[Grammar<'_>], tokens: &[Token], least: usize, at: usize) -> usize {
    let mut from = at;
    while from > least {
        // Fillers have three words at most.
        let start = (1..=3)
            .filter_map(|len| from.checked_sub(len).filter(|start| *start >= least))
            .filter(|start| filler(grammars, *start) == Some(from))
            // The "a" of "3a" is no word.
            .filter(|start| {
                tokens
                    .get(*start)
                    .is_some_and(|token| !token.glued || token.kind == Kind::Mark)
            })
            .min();
        match start {
            Some(start) => from = start,
            None => break,
        }
    }
    from
}

/// Drops what is a date only beside others and stands alone.
fn accepted(hits: Vec<Hit>, view: &Text<'_>) -> Vec<Hit> {
    let touches = |a: &Hit, b: &Hit| a.tokens.end == b.from;
    let hits: Vec<Hit> = hits
        .into_iter()
        .filter(|hit| hit.strength() > Strength::Phrase)
        .collect();
    let mut keep: Vec<bool> = hits
        .iter()
        .map(|hit| hit.strength() == Strength::Strong)
        .collect();
    let punctuation = |at: usize| {
        view.token(at).is_some_and(|token| {
            matches!(
                token.norm.as_str(),
                "." | "!" | "?" | "," | ";" | ":" | ")" | "("
            )
        })
    };
    // Whole runs of pieces side by side.
    let mut start = 0;
    while start < hits.len() {
        let mut end = start + 1;
        while end < hits.len() && touches(&hits[end - 1], &hits[end]) {
            end += 1;
        }
        let run = &hits[start..end];
        let behind = run.last().map_or(0, |hit| hit.tokens.end);
        let at_edge = (behind..view.len()).all(punctuation);
        let strong = run.iter().any(|hit| hit.strength() == Strength::Strong);
        let edge = at_edge && run.iter().any(|hit| hit.strength() == Strength::Edge);
        // Two weak ones support each other only where the sentence ends.
        let several = run.len() > 1 && at_edge;
        for slot in &mut keep[start..end] {
            *slot = *slot || strong || edge || several;
        }
        start = end;
    }
    hits.into_iter()
        .zip(keep)
        .filter_map(|(hit, keep)| keep.then_some(hit))
        .collect()
}

/// A word before a hit that makes a stretch of time of it.
fn interval(
    grammars: &[Grammar<'_>],
    text: &str,
    tokens: &[Token],
    hit: &Hit,
    hits: &[Hit],
) -> Option<String> {
    let view = Text::new(tokens);
    for start in (0..=hit.tokens.start).rev().take(7) {
        if hits.iter().any(|other| other.tokens.contains(&start)) {
            if start < hit.tokens.start {
                break;
            } else {
                continue;
            }
        }
        for grammar in grammars {
            if let Some(end) = view.one_of(start, grammar.words().ranges)
                && end <= hit.tokens.start + 1
                && start < hit.tokens.start
                && end < hit.tokens.end
                && (end..hit.from)
                    .all(|at| view.digits(at).is_some() || view.is(at, ":") || view.is(at, "."))
                && (grammar.words().language == super::Language::English
                    || hit
                        .readings
                        .iter()
                        .any(|r| r.language != Some(super::Language::English)))
                && hit.readings.iter().any(|r| {
                    r.language
                        .is_none_or(|language| language == grammar.words().language)
                })
            {
                let span = tokens.get(start)?.span.start..hit.span.end;
                return text.get(span).map(str::to_owned);
            }
        }
    }
    None
}

/// What is left of a text without the spans, on one line.
pub(super) fn title(text: &str, spans: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let ends = spans
        .iter()
        .map(|span| (span.start, span.end))
        .chain([(text.len(), text.len())]);
    for (start, next) in ends {
        let rest = text.get(at..start).unwrap_or_default();
        for (index, word) in rest.split_whitespace().enumerate() {
            // A comma behind a date goes to the word before it.
            let joins = index == 0 && at > 0 && word.starts_with([',', '.', ';', ':', '!', '?']);
            if !out.is_empty() && !joins {
                out.push(' ');
            }
            out.push_str(word);
        }
        at = next;
    }
    if spans.is_empty() {
        return out;
    }
    let idle = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':');
    let mut out = out.trim_matches(idle);
    // A dash that stood between title and date.
    for dash in [" -", " –", " —"] {
        out = out.strip_suffix(dash).unwrap_or(out);
    }
    out.trim_matches(idle).to_owned()
}
