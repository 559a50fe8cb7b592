//! Words in a column: each is put on the line where it fits, and never moved again.

use unicode_width::UnicodeWidthChar;

use crate::output::{
    escape,
    layout::{Layout, columns},
    paint::Role,
};

/// Below this width an indent would eat the words' place.
const NARROW_COLUMNS: usize = 24;

/// Text on its way to a terminal.
pub(super) struct Flow {
    layout: Layout,
    out: String,
    column: usize,
    /// Where continuation lines begin.
    indent: usize,
    /// A space is due in front of the next word.
    gap: bool,
    /// Only the indent stands on the line.
    fresh: bool,
}

impl Flow {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            out: String::new(),
            column: 0,
            indent: 0,
            gap: false,
            fresh: true,
        }
    }

    /// What was laid out since the last time.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    pub(super) const fn color(&self) -> bool {
        self.layout.color
    }

    pub(super) const fn width(&self) -> Option<usize> {
        self.layout.width
    }

    pub(super) const fn indent(&mut self, columns: usize) {
        self.indent = columns;
    }

    /// An indent and a mark; continuation lines stand under the words behind it.
    pub(super) fn lead(&mut self, indent: usize, mark: &str, role: Role) {
        let narrow = self.width().is_some_and(|width| width < NARROW_COLUMNS);
        let indent = if narrow { 0 } else { indent };
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&role.paint(mark, self.layout.color));
        self.column += indent + columns(mark);
        self.indent = if narrow { 0 } else { self.column };
        self.fresh = true;
    }

    /// A space in front of the next word, if one comes on this line.
    pub(super) const fn space(&mut self) {
        if !self.fresh {
            self.gap = true;
        }
    }

    /// Words of a role.
    pub(super) fn words(&mut self, text: &str, role: Role) {
        for (i, word) in text.split([' ', '\t', '\n']).enumerate() {
            if i > 0 {
                self.space();
            }
            if !word.is_empty() {
                self.word(&escape::shown(word), role);
            }
        }
    }

    fn word(&mut self, word: &str, role: Role) {
        let max = self.width().unwrap_or(usize::MAX).max(1);
        let gap = usize::from(self.gap);
        if !self.fresh && fitting(word, max.saturating_sub(self.column + gap)) < word.len() {
            self.wrap();
        }
        if std::mem::take(&mut self.gap) && !self.fresh {
            self.out.push(' ');
            self.column += 1;
        }
        let mut rest = word;
        // Wider than a line: broken wherever the line ends.
        loop {
            let mut end = fitting(rest, max.saturating_sub(self.column));
            if end == 0 && !rest.is_empty() {
                if self.column > self.indent {
                    self.wrap();
                    continue;
                }
                // Not even one character fits.
                end = rest.chars().next().map_or(rest.len(), char::len_utf8);
            }
            let (shown, left) = rest.split_at(end);
            self.out.push_str(&role.paint(shown, self.layout.color));
            self.column += columns(shown);
            self.fresh = false;
            if left.is_empty() {
                return;
            }
            rest = left;
            self.wrap();
        }
    }

    /// Text as it is, but harmless; the terminal itself breaks what is too long.
    pub(super) fn verbatim(&mut self, text: &str, role: Role) {
        let text = text.replace('\t', "    ");
        self.out
            .push_str(&role.paint(&escape::shown(&text), self.layout.color));
        self.column += columns(&text);
        self.fresh = false;
    }

    fn wrap(&mut self) {
        self.out.push('\n');
        self.out.push_str(&" ".repeat(self.indent));
        self.column = self.indent;
        self.fresh = true;
        self.gap = false;
    }

    pub(super) fn newline(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indent = 0;
        self.fresh = true;
        self.gap = false;
    }

    /// Ends the line, if anything stands on it.
    pub(super) fn fresh_line(&mut self) {
        if self.column > 0 {
            self.newline();
        }
    }
}

/// How many bytes of a text fit into so many columns. Looks no further than that.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            return at;
        }
    }
    text.len()
}
