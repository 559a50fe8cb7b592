//! Texts without quotes of their own: here documents, regular expressions, sigils, long brackets.

use super::{
    literal::{Body, is_word},
    scan::Scanner,
    syntax::{Family, Interpolation},
};

const HEREDOCS_MAX: usize = 8;
const REGEX_MAX_BYTES: usize = 1_000;
const BRACKETED_MAX_BYTES: usize = 4_000;

impl Scanner<'_> {
    /// A regular expression literal. True if one was read.
    pub(super) fn regex(&mut self) -> bool {
        let at = self.at;
        let words: &[&[u8]] = match self.syntax.family {
            Family::Script => &[
                b"return", b"typeof", b"case", b"in", b"of", b"delete", b"void", b"throw", b"else",
                b"do", b"await", b"yield",
            ],
            Family::Ruby | Family::Perl => &[
                b"if", b"unless", b"when", b"and", b"or", b"not", b"return", b"while", b"until",
                b"split",
            ],
            _ => return false,
        };
        if matches!(self.byte(at + 1), b' ' | b'>' | b'=' | b'\n')
            && self.syntax.family != Family::Script
            || self.byte(at + 1) == b'>'
        {
            return false;
        }
        let fits = match self.code_before(at) {
            None => true,
            Some(last) => match self.code[last] {
                b'<' => false,
                b')' | b']' | b'"' | b'\'' | b'`' => false,
                b'}' => last + 1 < self.line_start(at),
                byte if is_word(byte) => {
                    let mut from = last;
                    while from > 0 && last - from < 12 && is_word(self.code[from - 1]) {
                        from -= 1;
                    }
                    words.contains(&&self.code[from..=last])
                }
                b'.' | b'@' | b'$' => false,
                _ => true,
            },
        };
        if !fits {
            return false;
        }
        let furthest = (at + REGEX_MAX_BYTES).min(self.end);
        let limit = self.line_end_within(at, furthest);
        let (mut p, mut class) = (at + 1, false);
        while p < limit {
            match self.text[p] {
                b'\\' => p += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => {
                    self.blank_string(at + 1, p);
                    self.at = p + 1;
                    return true;
                }
                _ => {}
            }
            p += 1;
        }
        false
    }

    /// Notes the here document that the `<<` at the cursor announces.
    pub(super) fn heredoc(&mut self) {
        let at = self.at;
        let family = self.syntax.family;
        let mut p = at + 2;
        let php = self.byte(p) == b'<';
        if php != (family == Family::Php) {
            self.at += if php { 3 } else { 2 };
            return;
        }
        p += usize::from(php);
        let marked = matches!(self.byte(p), b'-' | b'~');
        p += usize::from(marked);
        if matches!(family, Family::Shell | Family::Php) {
            while self.byte(p) == b' ' {
                p += 1;
            }
        }
        let quoted = matches!(self.byte(p), b'"' | b'\'').then(|| self.byte(p));
        p += usize::from(quoted.is_some());
        let from = p;
        while is_word(self.byte(p)) && p - from < 64 {
            p += 1;
        }
        let word = self.text[from.min(self.end)..p.min(self.end)].to_vec();
        self.at = at + 2;
        let names = word
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        let shift = family == Family::Ruby
            && !marked
            && quoted.is_none()
            && !word.first().is_some_and(u8::is_ascii_uppercase);
        if !names || shift || quoted.is_some_and(|q| self.byte(p) != q) {
            return;
        }
        self.at = p + usize::from(quoted.is_some());
        if self.heredocs.len() < HEREDOCS_MAX {
            self.heredocs.push(word);
        }
    }

    /// Passes over the bodies of the here documents that the last line announced.
    pub(super) fn heredoc_bodies(&mut self) {
        self.unknown_start = false;
        for word in std::mem::take(&mut self.heredocs) {
            let from = self.at;
            while self.at < self.end {
                let end = self.line_end(self.at);
                let line = self.text[self.at..end].trim_ascii();
                let over = line == word
                    || self.syntax.family == Family::Php
                        && line.starts_with(&word)
                        && !line.get(word.len()).is_some_and(|b| is_word(*b));
                if over {
                    break;
                }
                self.at = (end + 1).min(self.end);
            }
            self.blank_string(from, self.at);
            // The terminator's own line is code, but its word must not look like a name.
            self.at = self.line_end(self.at);
        }
    }

    /// How many `=` stand between the brackets of a Lua long bracket at `at`.
    pub(super) fn bracket_level(&self, at: usize) -> Option<usize> {
        let mut level = 0;
        while self.byte(at + 1 + level) == b'=' && level < 32 {
            level += 1;
        }
        (self.byte(at + 1 + level) == b'[').then_some(level)
    }

    pub(super) fn long_bracket(&mut self, at: usize) {
        let Some(level) = self.bracket_level(at) else {
            self.at += 1;
            return;
        };
        let mut close = vec![b'='; level + 2];
        close[0] = b']';
        close[level + 1] = b']';
        self.at = at + level + 2;
        self.body(&Body {
            close: &close,
            escape: None,
            multi: true,
            interpolation: Interpolation::No,
            comment: false,
        });
    }

    /// `%w[…]`, `%q(…)`, `%(…)` in Ruby.
    pub(super) fn percent_literal(&mut self) {
        let at = self.at;
        let letter = matches!(
            self.byte(at + 1),
            b'w' | b'W' | b'i' | b'I' | b'q' | b'Q' | b'r' | b'x'
        );
        let open_at = at + 1 + usize::from(letter);
        let operand = !matches!(
            self.before(at),
            b' ' | b'\t' | b'\n' | b'(' | b',' | b'=' | b'[' | b'{'
        );
        let close = closing(self.byte(open_at));
        match close {
            Some(close) if !operand => self.bracketed(open_at, close, true),
            _ => self.at += 1,
        }
    }

    /// `~s(…)`, `~r/…/` in Elixir.
    pub(super) fn sigil(&mut self) {
        let at = self.at;
        let open = self.byte(at + 2);
        let close = closing(open).or(matches!(open, b'/' | b'|').then_some(open));
        match close {
            Some(close) if self.byte(at + 1).is_ascii_alphabetic() => {
                self.bracketed(at + 2, close, false);
            }
            _ => self.at += 1,
        }
    }

    fn bracketed(&mut self, open_at: usize, close: u8, multi: bool) {
        let open = self.text[open_at];
        let mut nested = 0_u32;
        let mut p = open_at + 1;
        let furthest = (p + BRACKETED_MAX_BYTES).min(self.end);
        let limit = if multi {
            furthest
        } else {
            self.line_end_within(p, furthest)
        };
        while p < limit {
            match self.text[p] {
                b'\\' => p += 1,
                byte if byte == close && nested == 0 => {
                    self.blank_string(open_at + 1, p);
                    self.at = p + 1;
                    return;
                }
                byte if byte == close => nested -= 1,
                byte if byte == open => nested += 1,
                _ => {}
            }
            p += 1;
        }
        self.at = open_at + 1;
    }
}

fn closing(open: u8) -> Option<u8> {
    Some(match open {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        _ => return None,
    })
}
