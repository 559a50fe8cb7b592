//! Markdown on a terminal while it arrives. Nothing is ever drawn twice and the cursor never goes
//! back: text is held only until what it is cannot change any more, mostly a word, a table until
//! its end. So there is no flicker, and any width is right.
//!
//! Blocks are told apart line by line, because a parser of whole documents would have to see the
//! end first; what stands inside a line is read by pulldown-cmark.

mod block;
mod flow;
mod inline;
mod table;

use crate::output::{layout::Layout, paint::Role};
use block::{Block, Line};
use flow::Flow;

/// A table beyond this many rows is printed as it came.
const TABLE_ROWS_MAX: usize = 500;
/// A line whose kind is still open after this many bytes is a paragraph.
const UNDECIDED_MAX_BYTES: usize = 64;
/// A rule is not drawn wider than text is read.
const RULE_MAX_COLUMNS: usize = 40;

/// A terminal that Markdown is shown on. Gives the bytes to write.
pub struct Screen {
    flow: Flow,
    /// The current line as far as it is not shown.
    held: String,
    /// What the current line is, once known.
    open: Option<Open>,
    /// The fence that ends the code block in which the text is.
    fence: Option<(char, usize)>,
    /// Rows of the table in which the text is.
    rows: Vec<String>,
}

/// A line of which something is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Words of a role, with inline markup.
    Words(Role),
    /// Code, as it is.
    Code,
}

impl Screen {
    /// An empty one.
    pub fn new(layout: Layout) -> Self {
        Self {
            flow: Flow::new(layout),
            held: String::new(),
            open: None,
            fence: None,
            rows: Vec::new(),
        }
    }

    /// What the next piece of text shows.
    pub fn push(&mut self, text: &str) -> String {
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            self.held.push_str(line);
            self.finish_line();
            rest = after;
        }
        self.held.push_str(rest);
        self.show_sure();
        self.flow.take()
    }

    /// What is left at the end; the cursor then stands at the beginning of a line.
    pub fn end(&mut self) -> String {
        if !self.held.is_empty() || self.open.is_some() {
            self.finish_line();
        }
        self.end_table();
        self.flow.fresh_line();
        self.flow.take()
    }

    /// Shows of an unfinished line what cannot change any more.
    fn show_sure(&mut self) {
        if self.open.is_none() && !self.begin_line(false) {
            return;
        }
        match self.open {
            Some(Open::Code) => {
                let held = std::mem::take(&mut self.held);
                // A carriage return may belong to the newline that follows.
                let (sure, wait) = match held.strip_suffix('\r') {
                    Some(sure) => (sure, "\r"),
                    None => (held.as_str(), ""),
                };
                self.flow.verbatim(sure, Role::Code);
                self.held.push_str(wait);
            }
            Some(Open::Words(role)) => {
                let sure = inline::sure(&self.held);
                if sure > 0 {
                    let rest = self.held.split_off(sure);
                    let shown = std::mem::replace(&mut self.held, rest);
                    inline::show(&shown, role, &mut self.flow);
                }
            }
            None => {}
        }
    }

    fn finish_line(&mut self) {
        if self.held.ends_with('\r') {
            self.held.pop();
        }
        if self.open.is_none() && !self.begin_line(true) {
            // The line is a row, a fence or a rule, and shown or kept whole.
            self.held.clear();
            return;
        }
        let held = std::mem::take(&mut self.held);
        match self.open.take() {
            Some(Open::Code) => self.flow.verbatim(&held, Role::Code),
            Some(Open::Words(role)) => inline::show(&held, role, &mut self.flow),
            None => {}
        }
        self.flow.newline();
    }

    /// Finds out what the line is and shows what stands in front of its words. False where that
    /// is not known yet, or where the line is done with.
    fn begin_line(&mut self, whole: bool) -> bool {
        if let Some((mark, length)) = self.fence {
            return self.begin_code(mark, length, whole);
        }
        let line = if whole || self.held.len() > UNDECIDED_MAX_BYTES {
            block::whole(&self.held)
        } else {
            match block::partial(&self.held) {
                Some(line) => line,
                None => return false,
            }
        };
        if !matches!(line.block, Block::Row) {
            self.end_table();
        } else if !whole {
            return false;
        }
        self.flow.indent(0);
        let Line {
            block,
            indent,
            words_at,
        } = line;
        match block {
            Block::Row => {
                let row = std::mem::take(&mut self.held);
                self.rows.push(row);
                if self.rows.len() > TABLE_ROWS_MAX {
                    self.end_table();
                }
                false
            }
            Block::Fence(mark, length) => {
                if !whole {
                    return false;
                }
                self.fence = Some((mark, length));
                let line = std::mem::take(&mut self.held);
                self.flow.verbatim(&line, Role::Dim);
                self.flow.newline();
                false
            }
            Block::Rule => {
                if !whole {
                    return false;
                }
                let width = self.flow.width().unwrap_or(RULE_MAX_COLUMNS);
                let rule = "─".repeat(width.min(RULE_MAX_COLUMNS));
                self.flow.verbatim(&rule, Role::Dim);
                self.flow.newline();
                false
            }
            Block::Code => {
                self.open = Some(Open::Code);
                true
            }
            Block::Blank | Block::Paragraph => {
                self.words(words_at, indent, "", Role::Plain, Role::Plain)
            }
            Block::Heading(level) => {
                // Without colour the marks are all that tells a heading.
                let marks = if self.flow.color() {
                    String::new()
                } else {
                    format!("{} ", "#".repeat(level))
                };
                self.words(words_at, 0, &marks, Role::Strong, Role::Strong)
            }
            Block::Item(mark) => self.words(words_at, indent, &mark, Role::Dim, Role::Plain),
            Block::Quote(depth) => {
                let bars = "│ ".repeat(depth);
                self.words(words_at, 0, &bars, Role::Dim, Role::Emphasis)
            }
        }
    }

    fn words(
        &mut self,
        words_at: usize,
        indent: usize,
        mark: &str,
        mark_role: Role,
        role: Role,
    ) -> bool {
        self.held.drain(..words_at);
        self.flow.lead(indent, mark, mark_role);
        self.open = Some(Open::Words(role));
        true
    }

    /// A line inside of a code block: code, or the fence that ends it.
    fn begin_code(&mut self, mark: char, length: usize, whole: bool) -> bool {
        let trimmed = self.held.trim();
        let is_fence = trimmed.chars().all(|c| c == mark);
        if is_fence && !whole {
            // It may become one.
            return false;
        }
        if is_fence && trimmed.len() >= length {
            self.fence = None;
            let line = std::mem::take(&mut self.held);
            self.flow.verbatim(&line, Role::Dim);
            self.flow.newline();
            return false;
        }
        self.open = Some(Open::Code);
        true
    }

    fn end_table(&mut self) {
        if !self.rows.is_empty() {
            let rows = std::mem::take(&mut self.rows);
            self.flow.indent(0);
            table::show(&rows, &mut self.flow);
        }
    }
}

#[cfg(test)]
mod tests;
