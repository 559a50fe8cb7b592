//! Strings and characters between quotes.

use super::{
    scan::Scanner,
    syntax::{Family, Interpolation, Quote},
};

/// How far along a line a decision may look, so that forged input costs no quadratic time.
const LINE_MAX_BYTES: usize = 4_000;

/// The inside of a string, up to and including its end.
pub(super) struct Body<'c> {
    pub(super) close: &'c [u8],
    pub(super) escape: Option<u8>,
    pub(super) multi: bool,
    pub(super) interpolation: Interpolation,
    /// Counts as a comment (docstrings).
    pub(super) comment: bool,
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Scanner<'_> {
    pub(super) fn quote(&mut self, byte: u8) {
        let at = self.at;
        let quote = match byte {
            b'"' => self.syntax.double,
            b'\'' => self.syntax.single,
            _ => self.syntax.backtick,
        };
        if byte != b'`' && self.special(byte) {
            return;
        }
        if self.syntax.triple && byte != b'`' && quote != Quote::No && self.is_triple(at, byte) {
            self.triple(byte);
            return;
        }
        match quote {
            Quote::No => self.at += 1,
            Quote::Char => self.char_literal(),
            Quote::Value => self.value(byte),
            Quote::Template => {
                self.at += 1;
                self.body(&Body {
                    close: b"`",
                    escape: Some(b'\\'),
                    multi: true,
                    interpolation: Interpolation::Dollar,
                    comment: false,
                });
            }
            Quote::Line | Quote::Multi | Quote::Raw => self.plain(byte, quote),
        }
    }

    fn is_triple(&self, at: usize, byte: u8) -> bool {
        self.byte(at + 1) == byte && self.byte(at + 2) == byte
    }

    fn plain(&mut self, byte: u8, quote: Quote) {
        let at = self.at;
        let multi = quote != Quote::Line;
        if multi && self.closes_unknown(at, byte) {
            self.blank_string(0, at);
            self.at += 1;
            return;
        }
        let prefix = self.prefix(at);
        // Dart is the one without traits of its own whose single quotes interpolate.
        let both = self.syntax.family == Family::Other;
        let mut interpolation = if byte != b'\'' || both {
            self.syntax.interpolation
        } else {
            Interpolation::No
        };
        let mut escape = (quote != Quote::Raw).then_some(b'\\');
        let mut multi = multi;
        match self.syntax.family {
            Family::Python => {
                let formatted = prefix
                    .iter()
                    .any(|b| matches!(b, b'f' | b'F' | b't' | b'T'));
                interpolation = if formatted {
                    Interpolation::Brace
                } else {
                    Interpolation::No
                };
            }
            Family::CSharp => {
                let verbatim = self.before(at) == b'@'
                    || self.before(at) == b'$' && at > 1 && self.text[at - 2] == b'@';
                let formatted = self.before(at) == b'$'
                    || self.before(at) == b'@' && at > 1 && self.text[at - 2] == b'$';
                if verbatim {
                    (escape, multi) = (None, true);
                }
                if !formatted {
                    interpolation = Interpolation::No;
                }
            }
            Family::PowerShell => {
                escape = (byte == b'"').then_some(b'`');
                interpolation = if byte == b'"' {
                    Interpolation::Shell
                } else {
                    Interpolation::No
                };
            }
            Family::Sql | Family::Script => interpolation = Interpolation::No,
            _ => {}
        }
        self.at += 1;
        self.body(&Body {
            close: &[byte],
            escape,
            multi,
            interpolation,
            comment: false,
        });
    }

    /// True if the quote at `at` ends a string that began before the text.
    fn closes_unknown(&mut self, at: usize, byte: u8) -> bool {
        if !self.unknown_start {
            return false;
        }
        let line_end = self.line_end_within(at, (at + LINE_MAX_BYTES).min(self.end));
        let rest = &self.text[at + 1..line_end];
        if rest.contains(&byte) {
            return false;
        }
        self.unknown_start = false;
        if self.syntax.family == Family::Rust && rest.first() == Some(&b'#') {
            return true;
        }
        matches!(
            rest.first(),
            Some(b',' | b')' | b';' | b']' | b'}' | b'.' | b'?')
        ) && self.syntax.family != Family::Shell
    }

    /// The letters directly before a quote, where they are no part of a longer word.
    fn prefix(&self, at: usize) -> &[u8] {
        let mut from = at;
        while from > 0 && at - from < 3 && self.text[from - 1].is_ascii_alphabetic() {
            from -= 1;
        }
        if from < at && (at - from > 2 || is_word(self.before(from))) {
            return &[];
        }
        &self.text[from..at]
    }

    fn triple(&mut self, byte: u8) {
        self.unknown_start = false;
        let at = self.at;
        let prefix = self.prefix(at);
        let start = at - prefix.len();
        let formatted = prefix
            .iter()
            .any(|b| matches!(b, b'f' | b'F' | b't' | b'T'));
        let (mut comment, mut interpolation) = (false, self.syntax.interpolation);
        match self.syntax.family {
            Family::Python => {
                comment = !formatted && self.is_statement_start(start);
                interpolation = if formatted {
                    Interpolation::Brace
                } else {
                    Interpolation::No
                };
            }
            Family::Elixir => {
                let line = &self.text[self.line_start(at)..at];
                let line = line.trim_ascii();
                comment = [&b"@doc"[..], b"@moduledoc", b"@typedoc", b"@shortdoc"]
                    .iter()
                    .any(|doc| line.starts_with(doc));
            }
            Family::CSharp if self.before(at) != b'$' => interpolation = Interpolation::No,
            _ => {}
        }
        self.at += 3;
        let close = [byte; 3];
        self.body(&Body {
            close: &close,
            escape: Some(b'\\'),
            multi: true,
            interpolation,
            comment,
        });
    }

    /// True if a string at `at` is a statement of its own: a docstring.
    fn is_statement_start(&self, at: usize) -> bool {
        self.at_line_start(at)
            && self.code_before(at).is_none_or(|last| {
                !matches!(
                    self.code[last],
                    b'(' | b',' | b'=' | b'[' | b'{' | b'+' | b'%' | b'\\' | b'"' | b'\''
                ) || matches!(self.code[last], b'"' | b'\'')
                    && self.line_start(at) > last + 1
                    && self.line_break_between(last, at)
            })
    }

    /// A string that follows a string on another line is a docstring only after a blank line.
    fn line_break_between(&self, from: usize, to: usize) -> bool {
        self.text[from..to].iter().filter(|b| **b == b'\n').count() > 1
    }

    /// Strings whose form only one family knows. True if one was read.
    fn special(&mut self, byte: u8) -> bool {
        let at = self.at;
        match self.syntax.family {
            Family::Rust | Family::Swift if byte == b'"' => self.hashed(),
            Family::Cpp if byte == b'"' && self.before(at) == b'R' => self.cpp_raw(),
            Family::Cpp
                if byte == b'\'' && is_word(self.before(at)) && is_word(self.byte(at + 1)) =>
            {
                // `1'000'000`, and `L'x'`, whose one character needs no masking.
                self.at += 1;
                true
            }
            Family::PowerShell
                if self.before(at) == b'@' && matches!(self.byte(at + 1), b'\n' | b'\r') =>
            {
                let close: &[u8] = if byte == b'"' { b"\n\"@" } else { b"\n'@" };
                self.at += 1;
                self.body(&Body {
                    close,
                    escape: None,
                    multi: true,
                    interpolation: Interpolation::No,
                    comment: false,
                });
                true
            }
            Family::Ruby | Family::Elixir
                if self.before(at) == b'?' && at > 1 && !is_word(self.text[at - 2]) =>
            {
                self.at += 1;
                true
            }
            Family::Perl
                if byte == b'\'' && is_word(self.before(at)) && is_word(self.byte(at + 1)) =>
            {
                self.at += 1;
                true
            }
            Family::Shell if byte == b'\'' && self.before(at) == b'$' => {
                self.at += 1;
                self.body(&Body {
                    close: b"'",
                    escape: Some(b'\\'),
                    multi: true,
                    interpolation: Interpolation::No,
                    comment: false,
                });
                true
            }
            _ => false,
        }
    }

    /// `r#"…"#` in Rust, `#"…"#` in Swift.
    fn hashed(&mut self) -> bool {
        let at = self.at;
        let mut hashes = 0;
        while hashes < at && hashes < 255 && self.text[at - hashes - 1] == b'#' {
            hashes += 1;
        }
        let raw = if self.syntax.family == Family::Rust {
            let letters = self.prefix(at - hashes);
            letters.ends_with(b"r")
        } else {
            hashes > 0
        };
        if !raw {
            return false;
        }
        self.unknown_start = false;
        let mut close = vec![b'#'; hashes + 1];
        close[0] = b'"';
        self.at += 1;
        self.body(&Body {
            close: &close,
            escape: None,
            multi: true,
            interpolation: Interpolation::No,
            comment: false,
        });
        true
    }

    fn cpp_raw(&mut self) -> bool {
        let at = self.at;
        let open = (at + 1..(at + 18).min(self.end)).find(|&p| self.text[p] == b'(');
        let Some(open) = open else { return false };
        let mut close = vec![b')'];
        close.extend_from_slice(&self.text[at + 1..open]);
        close.push(b'"');
        self.at = open + 1;
        self.body(&Body {
            close: &close,
            escape: None,
            multi: true,
            interpolation: Interpolation::No,
            comment: false,
        });
        true
    }

    /// A character literal, or a lifetime, which is left as it is.
    fn char_literal(&mut self) {
        let at = self.at;
        let first = self.byte(at + 1);
        let width = match first {
            b'\\' => {
                let limit = (at + 14).min(self.end);
                match (at + 3..limit).find(|&p| self.text[p] == b'\'') {
                    Some(close) => close - at - 1,
                    None => 0,
                }
            }
            0..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        let close = at + 1 + width;
        if width > 0 && first != b'\n' && self.byte(close) == b'\'' {
            self.blank_string(at + 1, close);
            self.at = close + 1;
        } else {
            self.at += 1;
        }
    }

    /// A YAML string: quotes in the middle of a word are letters.
    fn value(&mut self, byte: u8) {
        let at = self.at;
        let to = self.line_end_within(at, (at + LINE_MAX_BYTES).min(self.end));
        let close = (at + 1..to).find(|&p| self.text[p] == byte && self.text[p - 1] != b'\\');
        match close {
            Some(close) if !is_word(self.before(at)) && !is_word(self.byte(close + 1)) => {
                self.blank_string(at + 1, close);
                self.at = close + 1;
            }
            _ => self.at += 1,
        }
    }

    pub(super) fn body(&mut self, body: &Body<'_>) {
        let opened = self.at;
        let mut from = self.at;
        let last = body.close[0];
        while self.at < self.end {
            let byte = self.text[self.at];
            if byte == last && self.starts_with(self.at, body.close) {
                self.inside(body, from, self.at);
                self.at += body.close.len();
                if body.comment {
                    self.blank_comment(opened.saturating_sub(3), self.at);
                }
                return;
            }
            if byte == b'\n' && !body.multi {
                break;
            }
            if Some(byte) == body.escape {
                if body.interpolation == Interpolation::Backslash && self.byte(self.at + 1) == b'('
                {
                    self.inside(body, from, self.at);
                    self.at += 2;
                    self.interpolated(b'(', b')', !body.multi);
                    from = self.at;
                } else if !body.multi && self.byte(self.at + 1) == b'\n' {
                    // A continued line: the string goes on.
                    self.at += 2;
                } else {
                    self.at = (self.at + 2).min(self.end);
                }
                continue;
            }
            if byte == b'\n' {
                self.unknown_start = false;
            }
            if body.interpolation == Interpolation::Brace
                && byte == b'{'
                && self.byte(self.at + 1) == b'{'
            {
                self.at += 2;
                continue;
            }
            if let Some((open, close, skip)) = self.opens(body.interpolation, byte) {
                self.inside(body, from, self.at);
                self.at += skip;
                self.interpolated(open, close, !body.multi);
                from = self.at;
                continue;
            }
            self.at += 1;
        }
        self.at = self.at.min(self.end);
        self.inside(body, from, self.at);
        if body.comment {
            self.blank_comment(opened.saturating_sub(3), self.at);
        }
    }

    fn inside(&mut self, body: &Body<'_>, from: usize, to: usize) {
        if body.comment {
            self.blank_comment(from, to);
        } else {
            self.blank_string(from, to);
        }
    }

    /// Brackets and length of the interpolation that starts here, if one does.
    fn opens(&self, interpolation: Interpolation, byte: u8) -> Option<(u8, u8, usize)> {
        let next = self.byte(self.at + 1);
        match interpolation {
            Interpolation::Dollar if byte == b'$' && next == b'{' => Some((b'{', b'}', 2)),
            Interpolation::Hash if byte == b'#' && next == b'{' => Some((b'{', b'}', 2)),
            Interpolation::Shell if byte == b'$' && next == b'(' => Some((b'(', b')', 2)),
            Interpolation::Brace if byte == b'{' => Some((b'{', b'}', 1)),
            _ => None,
        }
    }
}
