//! Text as words, numbers and marks, each with its place.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Letters.
    Word,
    /// Digits.
    Number,
    /// One other character.
    Mark,
    /// A quoted part: never a date.
    Quoted,
}

/// A word, a number or a mark.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// Lower case, without accents; empty for what is quoted.
    pub(super) norm: String,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    /// Nothing stands between it and the one before.
    pub(super) glued: bool,
}

impl Token {
    /// The number it is, of nine digits at most.
    pub(super) fn number(&self) -> Option<u32> {
        (self.kind == Kind::Number && self.norm.len() <= 9)
            .then(|| self.norm.parse().ok())
            .flatten()
    }
}

/// Takes a text apart. Apostrophes part words and leave no token: `mezz'ora` is two words.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let quoted = quoted(text);
    let mut out: Vec<Token> = Vec::new();
    let mut glued = false;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(range) = quoted.iter().find(|range| range.start == at) {
            while chars.peek().is_some_and(|(next, _)| *next < range.end) {
                chars.next();
            }
            out.push(Token {
                norm: String::new(),
                span: range.clone(),
                kind: Kind::Quoted,
                glued,
            });
            glued = true;
            continue;
        }
        if c.is_whitespace() || c.is_control() {
            glued = false;
            continue;
        }
        if is_apostrophe(c) || is_combining(c) {
            if let (true, true, Some(last)) = (is_combining(c), glued, out.last_mut()) {
                last.span.end = at + c.len_utf8();
            }
            continue;
        }
        let kind = kind(c);
        let mut end = at + c.len_utf8();
        let mut norm = String::new();
        fold(c, &mut norm);
        if kind != Kind::Mark {
            while let Some(&(next_at, next)) = chars.peek() {
                let goes_on = is_combining(next) || self::kind(next) == kind;
                if !goes_on
                    || next.is_whitespace()
                    || next.is_control()
                    || is_apostrophe(next)
                    || quoted.iter().any(|range| range.start == next_at)
                {
                    break;
                }
                end = next_at + next.len_utf8();
                fold(next, &mut norm);
                chars.next();
            }
        }
        out.push(Token {
            norm,
            span: at..end,
            kind,
            glued,
        });
        glued = true;
    }
    out
}

fn kind(c: char) -> Kind {
    match c {
        '0'..='9' => Kind::Number,
        'º' | '°' | 'ª' => Kind::Mark,
        c if c.is_alphabetic() => Kind::Word,
        _ => Kind::Mark,
    }
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | 'ʼ' | '´' | '`' | '′')
}

fn is_combining(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Lower case without the accents of Italian and its neighbours.
fn fold(c: char, into: &mut String) {
    if is_combining(c) {
        return;
    }
    for c in c.to_lowercase() {
        into.push(match c {
            'à' | 'á' | 'â' | 'ä' => 'a',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'º' | 'ª' => '°',
            '–' | '—' | '‐' | '‑' | '−' => '-',
            c if is_combining(c) => continue,
            c => c,
        });
    }
}

/// Parts in quotation marks, the marks included. A quotation begins where a word could begin and
/// ends where one could end, so that an apostrophe opens none.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut open: Option<(usize, char)> = None;
    let mut before: Option<char> = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, next)| *next);
        match open {
            Some((start, close)) if c == close => {
                let ends =
                    close != '\'' && close != '’' || !after.is_some_and(char::is_alphanumeric);
                if ends {
                    out.push(start..at + c.len_utf8());
                    open = None;
                }
            }
            Some(_) => {}
            None => {
                let close = match c {
                    '"' => Some('"'),
                    '“' | '„' => Some('”'),
                    '«' => Some('»'),
                    '\'' => Some('\''),
                    '‘' => Some('’'),
                    _ => None,
                };
                // An apostrophe opens nothing before a space.
                let apostrophe = matches!(c, '\'' | '‘');
                let begins = !before.is_some_and(char::is_alphanumeric)
                    && after.is_some_and(|next| !(apostrophe && next.is_whitespace()));
                if let (Some(close), true) = (close, begins) {
                    // Only where it is closed as well.
                    let rest = &text[at + c.len_utf8()..];
                    if rest.contains(close) {
                        open = Some((at, close));
                    }
                }
            }
        }
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norms(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.norm).collect()
    }

    #[test]
    fn words_numbers_and_marks() {
        assert_eq!(norms("Mezz’ora, 3PM"), ["mezz", "ora", ",", "3", "pm"]);
        assert_eq!(
            norms("giovedì giovedi\u{300} 1º"),
            ["giovedi", "giovedi", "1", "°"]
        );
        assert_eq!(norms("1h30"), ["1", "h", "30"]);
    }

    #[test]
    fn quotations_are_one_token() {
        let text = "read '1984' and \"the day after tomorrow\" at 9";
        let found: Vec<_> = tokens(text)
            .into_iter()
            .filter(|token| token.kind == Kind::Quoted)
            .map(|token| text[token.span].to_owned())
            .collect();
        assert_eq!(found, ["'1984'", "\"the day after tomorrow\""]);
        assert!(
            tokens("at 9 o'clock, l'altro ieri")
                .iter()
                .all(|t| t.kind != Kind::Quoted)
        );
    }
}
