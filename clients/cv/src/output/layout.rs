//! Lines that fit: pieces of text laid out within a width, words whole wherever they fit.

use unicode_width::UnicodeWidthStr;

use super::paint::Role;

/// How text is laid out on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns; none where lines are not wrapped (not a terminal).
    pub width: Option<usize>,
    /// Whether to colour.
    pub color: bool,
}

/// A piece of a line, kept together where it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What separates it from the piece before; dropped where a line breaks.
    pub gap: &'static str,
    /// The text, already escaped.
    pub text: String,
    /// What it is.
    pub role: Role,
}

impl Piece {
    /// A piece with a gap in front.
    pub fn new(gap: &'static str, text: impl Into<String>, role: Role) -> Self {
        Self {
            gap,
            text: text.into(),
            role,
        }
    }
}

/// Width of a text in terminal columns.
pub fn columns(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

impl Layout {
    /// Lays the pieces out; every line ends with a newline. A piece that does not fit moves to
    /// the next line, which starts with `indent` spaces; one that is wider than a line breaks
    /// at its spaces, and a word that is wider still behind a `/` or other punctuation.
    pub fn pieces(&self, pieces: &[Piece], indent: usize) -> String {
        let mut out = Line {
            text: String::new(),
            used: 0,
            fresh: true,
            max: self.width.unwrap_or(usize::MAX).max(1),
            // On a very narrow terminal an indent would eat the words' place.
            indent: if self.width.is_some_and(|width| width < 16) {
                0
            } else {
                indent
            },
            color: self.color,
        };
        for piece in pieces {
            let wide = columns(&piece.text);
            if out.fits(piece.gap, wide) {
                out.push(piece.gap, &piece.text, piece.role);
                continue;
            }
            if !out.fresh {
                out.wrap();
            }
            if out.fits("", wide) {
                out.push("", &piece.text, piece.role);
                continue;
            }
            for word in piece.text.split(' ').filter(|word| !word.is_empty()) {
                if !out.fresh && !out.fits(" ", columns(word)) {
                    out.wrap();
                }
                out.push_broken(word, piece.role);
            }
        }
        out.text.push('\n');
        out.text
    }

    /// One text, wrapped at its spaces; continuation lines are indented.
    pub fn text(&self, text: &str, role: Role, indent: usize) -> String {
        let pieces: Vec<Piece> = text
            .split(' ')
            .enumerate()
            .map(|(i, word)| Piece::new(if i == 0 { "" } else { " " }, word, role))
            .collect();
        self.pieces(&pieces, indent)
    }

    /// A label and a text; continuation lines start under the text where the width allows it.
    pub fn labelled(&self, label: &str, label_role: Role, text: &str) -> String {
        let hang = match self.width {
            Some(width) if width < 30 => 2,
            _ => columns(label),
        };
        let mut pieces = vec![Piece::new("", label.trim_end_matches(' '), label_role)];
        let gap = match label.len() - label.trim_end_matches(' ').len() {
            0 | 1 => " ",
            2 => "  ",
            3 => "   ",
            4 => "    ",
            5 => "     ",
            _ => "      ",
        };
        for (i, word) in text.split(' ').enumerate() {
            pieces.push(Piece::new(
                if i == 0 { gap } else { " " },
                word,
                Role::Plain,
            ));
        }
        self.pieces(&pieces, hang)
    }
}

struct Line {
    text: String,
    used: usize,
    /// Nothing but the indent stands on the line.
    fresh: bool,
    max: usize,
    indent: usize,
    color: bool,
}

impl Line {
    fn fits(&self, gap: &str, wide: usize) -> bool {
        let gap = if self.fresh { 0 } else { columns(gap) };
        self.used
            .saturating_add(gap)
            .saturating_add(wide)
            .le(&self.max)
    }

    fn push(&mut self, gap: &str, text: &str, role: Role) {
        if !self.fresh {
            self.text
                .push_str(&Role::Dim.paint(gap, self.color && !gap.trim().is_empty()));
            self.used += columns(gap);
        }
        self.text.push_str(&role.paint(text, self.color));
        self.used += columns(text);
        self.fresh = false;
    }

    /// A word that may be wider than a line: broken where a path is read in parts anyway.
    fn push_broken(&mut self, word: &str, role: Role) {
        let mut rest = word;
        let mut gap = " ";
        while !self.fits(gap, columns(rest)) {
            if !self.fresh {
                self.wrap();
                continue;
            }
            let room = self.max.saturating_sub(self.used).max(1);
            let (mut end, mut slash, mut good) = (0, 0, 0);
            for (at, c) in rest.char_indices() {
                let next = at + c.len_utf8();
                if columns(&rest[..next]) > room && end > 0 {
                    break;
                }
                end = next;
                match c {
                    '/' | '\\' => slash = end,
                    '-' | '_' | ',' | ';' | '=' | '&' | '?' => good = end,
                    _ => {}
                }
            }
            // A break too near to the beginning would waste the line.
            let far = |at: usize| columns(&rest[..at]) * 3 >= room;
            let cut = [slash, good].into_iter().find(|&at| far(at)).unwrap_or(end);
            if cut == rest.len() {
                break;
            }
            self.push("", &rest[..cut], role);
            rest = &rest[cut..];
            gap = "";
            self.wrap();
        }
        self.push(gap, rest, role);
    }

    fn wrap(&mut self) {
        self.text.push('\n');
        self.text.push_str(&" ".repeat(self.indent));
        self.used = self.indent;
        self.fresh = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: usize) -> Layout {
        Layout {
            width: Some(width),
            color: false,
        }
    }

    #[test]
    fn pieces_move_whole_and_words_stay_whole() {
        let pieces = [
            Piece::new("", "src/very/long/path.rs:123", Role::Place),
            Piece::new("  ", "major", Role::Plain),
            Piece::new("  ", "A title of several words", Role::Plain),
        ];
        assert_eq!(
            at(30).pieces(&pieces, 2),
            "src/very/long/path.rs:123\n  major\n  A title of several words\n"
        );
        assert_eq!(
            at(20).pieces(&pieces, 2),
            "src/very/long/\n  path.rs:123  major\n  A title of several\n  words\n"
        );
        assert_eq!(
            Layout::default().pieces(&pieces, 2),
            "src/very/long/path.rs:123  major  A title of several words\n"
        );
    }

    #[test]
    fn wide_characters_count_double() {
        assert_eq!(at(6).text("漢字 漢字", Role::Plain, 0), "漢字\n漢字\n");
    }

    #[test]
    fn no_width_panics() {
        for width in 0..25 {
            let text = at(width).text("some words and-one-that-is-long", Role::Plain, 4);
            assert!(text.ends_with('\n'));
            let text = at(width).labelled("  why: ", Role::Bad, "because/of/many/reasons");
            for line in text.lines().filter(|_| width > 8) {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
    }
}
