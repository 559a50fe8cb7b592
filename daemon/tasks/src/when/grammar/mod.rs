//! What words can mean where they stand. One grammar; a [`Lexicon`] holds the words.

mod clock;
mod day;
mod length;
mod numeric;
mod repeat;
mod zone;

use super::lexicon::Lexicon;
use super::piece::{Candidate, Piece, Strength};
use super::text::Text;
use super::{DateOrder, Language};

pub(super) use zone::abbreviation_offset;

/// One language over one text.
pub(super) struct Grammar<'a> {
    text: &'a Text<'a>,
    words: &'static Lexicon,
    order: Option<DateOrder>,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(text: &'a Text<'a>, language: Language, order: Option<DateOrder>) -> Self {
        Self {
            text,
            words: Lexicon::of(language),
            order,
        }
    }

    pub(super) fn words(&self) -> &'static Lexicon {
        self.words
    }

    fn language(&self) -> Language {
        self.words.language
    }

    fn candidate(&self, pieces: Vec<Piece>, end: usize, strength: Strength) -> Candidate {
        Candidate {
            pieces,
            end,
            strength,
            language: Some(self.language()),
        }
    }

    /// Every way to read what begins at `at`.
    pub(super) fn at(&self, at: usize) -> Vec<Candidate> {
        let mut out = self.numeric(at);
        out.extend(self.repeat(at));
        out.extend(self.clock(at));
        out.extend(self.span(at));
        out.extend(self.days(at));
        out.extend(self.zone(at));
        out
    }

    /// Behind a word that says nothing of its own.
    pub(super) fn filler(&self, at: usize) -> Option<usize> {
        self.text.one_of(at, self.words.fillers)
    }
}
