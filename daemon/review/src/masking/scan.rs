//! The loop over code: finds where comments and strings begin, and blanks the comments.

use memchr::{memchr, memmem};

use super::syntax::{Family, Hash, Quote, Syntax};

/// Interpolations nest in practice once or twice; forged input must not use up the stack.
const DEPTH_MAX: u32 = 8;
/// How far back a decision may look, so that forged input costs no quadratic time.
const LOOK_BACK_MAX_BYTES: usize = 512;

pub(super) struct Scanner<'t> {
    pub(super) text: &'t [u8],
    pub(super) code: Vec<u8>,
    pub(super) live: Vec<u8>,
    pub(super) at: usize,
    /// Where the code under scan ends.
    pub(super) end: usize,
    pub(super) syntax: &'t Syntax,
    /// The text starts in the middle of a file and nothing that spans lines was seen yet.
    pub(super) unknown_start: bool,
    /// Here documents whose bodies start at the next line.
    pub(super) heredocs: Vec<Vec<u8>>,
    pub(super) depth: u32,
    /// The code under scan is a part of a string that ends with its line.
    one_line: bool,
    stops: [bool; 256],
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str, syntax: &'t Syntax) -> Self {
        let text = text.as_bytes();
        Self {
            text,
            code: text.to_vec(),
            live: text.to_vec(),
            at: 0,
            end: text.len(),
            syntax,
            unknown_start: false,
            heredocs: Vec::new(),
            depth: 0,
            one_line: false,
            stops: stops(syntax),
        }
    }

    pub(super) fn run(&mut self) {
        self.code_until(None);
    }

    pub(super) fn byte(&self, at: usize) -> u8 {
        if at < self.end { self.text[at] } else { 0 }
    }

    pub(super) fn before(&self, at: usize) -> u8 {
        if at == 0 { b'\n' } else { self.text[at - 1] }
    }

    pub(super) fn starts_with(&self, at: usize, what: &[u8]) -> bool {
        self.text[at.min(self.end)..self.end].starts_with(what)
    }

    /// Position of `what` at or behind `from`, or the end.
    pub(super) fn find(&self, from: usize, what: &[u8]) -> usize {
        let from = from.min(self.end);
        memmem::find(&self.text[from..self.end], what).map_or(self.end, |found| from + found)
    }

    pub(super) fn line_end(&self, from: usize) -> usize {
        let from = from.min(self.end);
        memchr(b'\n', &self.text[from..self.end]).map_or(self.end, |found| from + found)
    }

    /// As `line_end`, but not behind `furthest`.
    pub(super) fn line_end_within(&self, from: usize, furthest: usize) -> usize {
        let from = from.min(furthest);
        memchr(b'\n', &self.text[from..furthest]).map_or(furthest, |found| from + found)
    }

    /// Where the line of `at` starts, or as far back as may be looked.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let from = at.saturating_sub(LOOK_BACK_MAX_BYTES);
        memchr::memrchr(b'\n', &self.text[from..at]).map_or(from, |found| from + found + 1)
    }

    pub(super) fn blank_comment(&mut self, from: usize, to: usize) {
        blank(&mut self.code[from..to]);
        blank(&mut self.live[from..to]);
    }

    pub(super) fn blank_string(&mut self, from: usize, to: usize) {
        blank(&mut self.code[from..to]);
    }

    /// True if only blanks stand before `at` on its line.
    pub(super) fn at_line_start(&self, at: usize) -> bool {
        let from = at.saturating_sub(LOOK_BACK_MAX_BYTES);
        self.text[from..at]
            .iter()
            .rev()
            .find(|b| !matches!(b, b' ' | b'\t'))
            .is_none_or(|b| *b == b'\n')
    }

    /// Position of the last byte of code before `at` that is no blank (newlines count as blanks).
    pub(super) fn code_before(&self, at: usize) -> Option<usize> {
        let from = at.saturating_sub(LOOK_BACK_MAX_BYTES);
        self.code[from..at]
            .iter()
            .rposition(|b| !b.is_ascii_whitespace())
            .map(|p| from + p)
    }

    /// Scans code up to the bracket that closes `brackets` (which is passed), or to the end.
    pub(super) fn code_until(&mut self, brackets: Option<(u8, u8)>) {
        let mut open = 0_u32;
        while self.at < self.end {
            let byte = self.text[self.at];
            if let Some((opening, closing)) = brackets {
                if byte == b'\n' && self.one_line {
                    return;
                }
                if byte == opening {
                    open += 1;
                } else if byte == closing {
                    if open == 0 {
                        self.at += 1;
                        return;
                    }
                    open -= 1;
                }
            }
            if self.stops[usize::from(byte)] {
                self.stop(byte);
            } else {
                self.at += 1;
            }
        }
    }

    /// Code inside of a string, between brackets of which the opening one was passed.
    pub(super) fn interpolated(&mut self, opening: u8, closing: u8, one_line: bool) {
        if self.depth >= DEPTH_MAX {
            return;
        }
        let outer = self.one_line;
        self.one_line |= one_line;
        self.depth += 1;
        self.code_until(Some((opening, closing)));
        self.depth -= 1;
        self.one_line = outer;
    }

    /// Scans up to `to` by other rules.
    pub(super) fn embedded(&mut self, syntax: &'t Syntax, to: usize) {
        let outer = (self.syntax, self.end, self.stops);
        self.syntax = syntax;
        self.stops = stops(syntax);
        self.end = to.min(self.end);
        self.code_until(None);
        (self.syntax, self.end, self.stops) = outer;
    }

    fn comment_to(&mut self, to: usize) {
        let from = self.at;
        self.blank_comment(from, to);
        self.at = to;
    }

    fn line_comment(&mut self) {
        let to = self.line_end(self.at);
        self.comment_to(to);
    }

    fn comment_through(&mut self, skip: usize, close: &[u8]) {
        self.unknown_start = false;
        let to = (self.find(self.at + skip, close) + close.len()).min(self.end);
        self.comment_to(to);
    }

    fn stop(&mut self, byte: u8) {
        let at = self.at;
        match byte {
            b'\n' => {
                self.at += 1;
                if !self.heredocs.is_empty() {
                    self.heredoc_bodies();
                }
            }
            b'"' | b'\'' | b'`' => self.quote(byte),
            b'/' => self.slash(),
            b'#' if self.hash_starts_comment() => self.line_comment(),
            b'-' if self.syntax.dashes && self.byte(at + 1) == b'-' => self.dashes(),
            b';' if self.syntax.semicolon && self.at_line_start(at) => self.line_comment(),
            b'<' => self.less_than(),
            b'=' if self.before(at) == b'\n' => self.pod(),
            b'[' if self.syntax.family == Family::Lua => self.long_bracket(at),
            b'%' if self.syntax.family == Family::Ruby => self.percent_literal(),
            b'~' if self.syntax.family == Family::Elixir => self.sigil(),
            b'?' if self.byte(at + 1) == b'>' => {
                self.at = self.find(at + 2, b"<?");
            }
            b'\\' => self.at = (at + 2).min(self.end),
            _ => self.at += 1,
        }
    }

    fn slash(&mut self) {
        let (at, next) = (self.at, self.byte(self.at + 1));
        if self.syntax.block && next == b'*' {
            if self.syntax.nested {
                self.nested_comment();
            } else {
                self.comment_through(2, b"*/");
            }
        } else if self.syntax.slashes && next == b'/' && self.before(at) != b':' {
            self.line_comment();
        } else if !self.regex() {
            self.at += 1;
        }
    }

    fn nested_comment(&mut self) {
        self.unknown_start = false;
        let (mut open, mut to) = (0_u32, self.at);
        while to < self.end {
            if self.starts_with(to, b"/*") {
                open += 1;
                to += 2;
            } else if self.starts_with(to, b"*/") {
                open -= 1;
                to += 2;
                if open == 0 {
                    break;
                }
            } else {
                to += 1;
            }
        }
        self.comment_to(to.min(self.end));
    }

    fn hash_starts_comment(&self) -> bool {
        let before = self.before(self.at);
        match self.syntax.hash {
            Hash::No => false,
            Hash::Anywhere => {
                !(self.syntax.family == Family::Php && self.byte(self.at + 1) == b'[')
            }
            Hash::AfterBlank => {
                matches!(
                    before,
                    b' ' | b'\t' | b'\n' | b'\r' | b';' | b'(' | b'|' | b'&'
                )
            }
            Hash::LineStart => self.at_line_start(self.at),
        }
    }

    fn dashes(&mut self) {
        if self.syntax.family == Family::Lua && self.byte(self.at + 2) == b'[' {
            let level = self.bracket_level(self.at + 2);
            if let Some(level) = level {
                let mut close = vec![b'='; level + 2];
                close[0] = b']';
                close[level + 1] = b']';
                self.comment_through(4 + level, &close);
                return;
            }
        }
        self.line_comment();
    }

    fn less_than(&mut self) {
        let at = self.at;
        match self.syntax.family {
            Family::Markup if self.starts_with(at, b"<!--") => self.comment_through(4, b"-->"),
            Family::Markup if self.is_script_tag(at) => {
                self.unknown_start = false;
                self.at = (self.find(at, b">") + 1).min(self.end);
                let to = self.find(self.at, b"</script");
                self.embedded(super::syntax::script(), to);
            }
            Family::PowerShell if self.starts_with(at, b"<#") => self.comment_through(2, b"#>"),
            Family::Shell | Family::Ruby | Family::Perl | Family::Php | Family::Terraform
                if self.byte(at + 1) == b'<' =>
            {
                self.heredoc();
            }
            _ => self.at += 1,
        }
    }

    fn is_script_tag(&self, at: usize) -> bool {
        self.text[at..self.end].get(..8).is_some_and(|tag| {
            tag[..7].eq_ignore_ascii_case(b"<script") && matches!(tag[7], b' ' | b'>' | b'\n')
        })
    }

    /// `=begin` … `=end` in Ruby, `=pod` … `=cut` in Perl.
    fn pod(&mut self) {
        let close: &[u8] = match self.syntax.family {
            Family::Ruby if self.starts_with(self.at, b"=begin") => b"\n=end",
            Family::Perl if self.byte(self.at + 1).is_ascii_alphabetic() => b"\n=cut",
            _ => {
                self.at += 1;
                return;
            }
        };
        self.comment_through(1, close);
    }
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The bytes at which something can begin; all others are passed quickly.
fn stops(syntax: &Syntax) -> [bool; 256] {
    let mut stops = [false; 256];
    let mut on = |byte: u8| stops[usize::from(byte)] = true;
    for (quote, byte) in [
        (syntax.double, b'"'),
        (syntax.single, b'\''),
        (syntax.backtick, b'`'),
    ] {
        if quote != Quote::No {
            on(byte);
        }
    }
    if syntax.slashes || syntax.block || matches!(syntax.family, Family::Ruby | Family::Perl) {
        on(b'/');
    }
    if syntax.hash != Hash::No {
        on(b'#');
    }
    if syntax.dashes {
        on(b'-');
    }
    if syntax.semicolon {
        on(b';');
    }
    match syntax.family {
        Family::Markup | Family::PowerShell => on(b'<'),
        Family::Shell | Family::Terraform => {
            on(b'<');
            on(b'\n');
            on(b'\\');
        }
        Family::Ruby | Family::Perl => {
            on(b'<');
            on(b'\n');
            on(b'=');
            on(b'%');
        }
        Family::Php => {
            on(b'<');
            on(b'\n');
            on(b'?');
        }
        Family::Lua => on(b'['),
        Family::Elixir => on(b'~'),
        _ => {}
    }
    stops
}
