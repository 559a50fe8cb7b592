//! stderr: header, progress, hints and errors.

use std::io::Write;

use super::{
    layout::{Layout, Piece, columns},
    paint::Role,
};
use crate::error::Failure;

/// Everything that is not the answer. Writing it may fail without anybody to tell.
pub struct Notes {
    writer: Box<dyn Write + Send>,
    /// How text is laid out here.
    pub layout: Layout,
    /// A person may be watching: progress is shown.
    pub animated: bool,
    /// `-q`: errors only.
    pub quiet: bool,
    /// A person can see what is written.
    pub is_terminal: bool,
    spinning: bool,
}

impl Notes {
    /// Notes that go to a writer.
    pub fn new(writer: Box<dyn Write + Send>, layout: Layout, animated: bool, quiet: bool) -> Self {
        Self {
            writer,
            layout,
            animated: animated && !quiet,
            quiet,
            is_terminal: false,
            spinning: false,
        }
    }

    /// A remark; not with `-q`.
    pub fn note(&mut self, text: &str) {
        self.pieces(&[Piece::new("", text, Role::Plain)], 2);
    }

    /// A remark in pieces; not with `-q`.
    pub fn pieces(&mut self, pieces: &[Piece], indent: usize) {
        if !self.quiet {
            let text = self.layout.pieces(pieces, indent);
            self.raw(&text);
        }
    }

    /// A failure, in its three lines.
    pub fn failure(&mut self, failure: &Failure) {
        for (label, text) in failure.lines() {
            let role = if label.starts_with("error") {
                Role::Bad
            } else {
                Role::Dim
            };
            let text = if self.layout.width.is_some() {
                // The label's own indent must survive the layout.
                let shift = label.len() - label.trim_start().len();
                let inner = Layout {
                    width: self
                        .layout
                        .width
                        .map(|width| width.saturating_sub(shift).max(1)),
                    color: self.layout.color,
                };
                let pad = " ".repeat(shift);
                inner
                    .labelled(label.trim_start(), role, &text)
                    .lines()
                    .map(|line| format!("{pad}{line}\n"))
                    .collect()
            } else {
                format!("{}{text}\n", role.paint(label, self.layout.color))
            };
            self.raw(&text);
        }
    }

    /// Puts a passing message on the current line.
    pub fn spin(&mut self, glyph: &str, message: &str) {
        let room = self.layout.width.unwrap_or(80).saturating_sub(3);
        let mut shown = String::new();
        for c in message.chars() {
            shown.push(c);
            if columns(&shown) > room {
                shown.pop();
                break;
            }
        }
        let glyph = Role::Dim.paint(glyph, self.layout.color);
        self.spinning = false;
        self.raw(&format!("\r{glyph} {shown}\u{1b}[K"));
        self.spinning = true;
    }

    /// Takes the passing message away, so that other text can stand there.
    pub fn still(&mut self) {
        if self.spinning {
            self.spinning = false;
            self.raw("\r\u{1b}[K");
        }
    }

    /// Bytes as they are.
    pub fn raw(&mut self, text: &str) {
        self.still();
        // Nobody is left to tell when stderr itself fails; the exit code still says it.
        let _ = self.writer.write_all(text.as_bytes());
        let _ = self.writer.flush();
    }
}
