//! What words can mean where they stand. One grammar; a [`Lexicon`] holds the words.

mod clock;
mod day;
mod length;
mod numeric;
mod place;
mod repeat;
mod zone;

use super::lexicon::Lexicon;
use super::piece::{Candidate, Piece, Strength};
use super::text::Text;
use super::{DateOrder, Here, Language};

pub(super) use zone::abbreviation_offset;

/// One language over one text.
pub(super) struct Grammar<'a> {
    text: &'a Text<'a>,
    words: &'static Lexicon,
    order: Option<DateOrder>,
    /// The user's language is Italian, in which 3:20 is the hour of a 24-hour clock.
    full_clock: bool,
    /// The year that two digits are near to.
    year: i16,
}

impl<'a> Grammar<'a> {
    pub(super) fn new(text: &'a Text<'a>, language: Language, here: &Here) -> Self {
        Self {
            text,
            words: Lexicon::of(language),
            order: here.date_order,
            full_clock: here.languages.first() == Some(&Language::Italian),
            year: here.now.year(),
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
