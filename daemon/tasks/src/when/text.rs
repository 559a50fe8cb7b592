//! Looking at tokens.

use super::token::{Kind, Token};

/// The tokens of a text.
pub(super) struct Text<'t> {
    tokens: &'t [Token],
}

impl<'t> Text<'t> {
    pub(super) fn new(tokens: &'t [Token]) -> Self {
        Self { tokens }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn token(&self, at: usize) -> Option<&'t Token> {
        self.tokens.get(at)
    }

    /// The word at `at`.
    pub(super) fn word(&self, at: usize) -> Option<&'t str> {
        self.token(at)
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.norm.as_str())
    }

    /// The digits at `at`: their number and how many they are.
    pub(super) fn digits(&self, at: usize) -> Option<(u32, usize)> {
        let token = self.token(at)?;
        Some((token.number()?, token.norm.len()))
    }

    pub(super) fn is(&self, at: usize, norm: &str) -> bool {
        self.token(at)
            .is_some_and(|token| token.norm == norm && token.kind != Kind::Quoted)
    }

    pub(super) fn glued(&self, at: usize) -> bool {
        self.token(at).is_some_and(|token| token.glued)
    }

    /// Where a phrase that begins at `at` ends. Its words are parted by one space each.
    pub(super) fn phrase(&self, at: usize, phrase: &str) -> Option<usize> {
        let mut next = at;
        for word in phrase.split(' ') {
            if !self.is(next, word) {
                return None;
            }
            next += 1;
        }
        Some(next)
    }

    /// The end of the longest phrase of a list.
    pub(super) fn one_of(&self, at: usize, phrases: &[&str]) -> Option<usize> {
        phrases
            .iter()
            .filter_map(|phrase| self.phrase(at, phrase))
            .max()
    }

    /// The meaning of the longest phrase of a table, and its end.
    pub(super) fn lookup<T: Copy>(&self, at: usize, table: &[(&str, T)]) -> Option<(T, usize)> {
        table
            .iter()
            .filter_map(|(phrase, meaning)| Some((*meaning, self.phrase(at, phrase)?)))
            .max_by_key(|(_, end)| *end)
    }

    /// Behind one of the phrases, or where it was.
    pub(super) fn skip(&self, at: usize, phrases: &[&str]) -> usize {
        self.one_of(at, phrases).unwrap_or(at)
    }

    /// A name that may be shortened with a full stop: `mon.`
    pub(super) fn name<T: Copy>(&self, at: usize, table: &[(&str, T)]) -> Option<(T, usize)> {
        let (meaning, end) = self.lookup(at, table)?;
        let short = self.word(at).is_some_and(|word| word.len() <= 5);
        Some((
            meaning,
            end + usize::from(short && self.is(end, ".") && self.glued(end)),
        ))
    }
}
