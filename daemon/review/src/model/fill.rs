//! Filling chunks: file by file, hunk by hunk, a hunk whole where that can be.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Grounding, Limits, TokenCount,
    hide::{HunkSecrets, SecretId},
    lines::{LINE_MAX_CHARS, Piece, Row, Showing, enclosing},
    plan::{Chunk, Unplanned, Unread, unplanned},
    prompt::Frame,
    rank,
};
use crate::view::{Change, FileView, HunkView, LineKind, LineView};

/// A chunk with less room for text is not worth a call.
const TEXT_MIN_TOKENS: u64 = 200;
/// Faults of rules that are named with one hunk.
const KNOWN_MAX: usize = 20;

/// Fills chunks, one after the other.
pub(crate) struct Filling<'a> {
    limits: &'a Limits,
    count: TokenCount,
    /// Room for text in a chunk, as far as the context goes.
    room: u64,
    /// What both calls of a chunk take beside its text, twice counted.
    fixed: u64,
    pub(crate) chunks: Vec<Chunk>,
    current: Vec<Piece>,
    current_tokens: u64,
    /// Room in the current chunk, set when it is opened.
    limit: u64,
    /// Input of both passes of all closed chunks.
    pub(crate) spent: u64,
    pub(crate) unplanned: Vec<Unplanned>,
    pub(crate) cut_lines: BTreeMap<String, u32>,
    pub(crate) delete_only_hunks: u32,
}

impl<'a> Filling<'a> {
    pub(crate) fn new(limits: &'a Limits, frame: &Frame) -> Self {
        Self {
            limits,
            count: Arc::clone(&limits.count),
            room: frame.room(limits),
            fixed: frame.fixed_tokens(),
            chunks: Vec::new(),
            current: Vec::new(),
            current_tokens: 0,
            limit: 0,
            spent: 0,
            unplanned: Vec::new(),
            cut_lines: BTreeMap::new(),
            delete_only_hunks: 0,
        }
    }

    /// No line takes more than a good part of a chunk.
    pub(crate) fn line_max_chars(&self) -> usize {
        usize::try_from(self.room / 10)
            .unwrap_or(usize::MAX)
            .clamp(80, LINE_MAX_CHARS)
    }

    pub(crate) fn file(
        &mut self,
        index: usize,
        file: &FileView<'_>,
        secrets: Option<&Vec<HunkSecrets>>,
        showing: &Showing<'_>,
        grounding: &[Grounding],
        hidden: &mut Vec<SecretId>,
    ) {
        let path: Arc<str> = Arc::from(file.path);
        let shown_path: Arc<str> = Arc::from(showing.label(file.path, hidden));
        let header: Arc<str> = Arc::from(header(file, &shown_path, showing, hidden));
        let known: Vec<&Grounding> = grounding.iter().filter(|g| g.path == file.path).collect();
        for (number, hunk) in file.hunks.iter().enumerate() {
            if rank::added(hunk) == 0 {
                self.delete_only_hunks += 1;
                continue;
            }
            let Some(secrets) = secrets else {
                let numbers = numbers_of(hunk);
                self.unplanned
                    .extend(unplanned(&path, numbers, Unread::RuleFailed));
                continue;
            };
            // Beyond the limits nothing needs to be laid out any more.
            if let Err(why) = self.room_here() {
                self.unplanned
                    .extend(unplanned(&path, numbers_of(hunk), why));
                continue;
            }
            let none = HunkSecrets::default();
            let rows = showing.rows(hunk, secrets.get(number).unwrap_or(&none));
            let long = rows
                .iter()
                .filter(|(_, row)| row.is_added() && row.line().is_some_and(|line| line.is_cut))
                .count();
            if long > 0 {
                *self.cut_lines.entry(file.path.to_owned()).or_insert(0) +=
                    u32::try_from(long).unwrap_or(u32::MAX);
            }
            let laid = Laid {
                hunk,
                rows,
                showing,
                known: &known,
                blank: Piece {
                    path: Arc::clone(&path),
                    added_lines: (0, 0),
                    added: 0,
                    file: index,
                    hunk: number,
                    shown_path: Arc::clone(&shown_path),
                    header: Arc::clone(&header),
                    notes: String::new(),
                    rows: Vec::new(),
                },
            };
            self.hunk(laid, hidden);
        }
    }

    /// Room that is left in the current chunk, or in a new one.
    fn room_here(&self) -> Result<u64, Unread> {
        if !self.current.is_empty() {
            return Ok(self.limit.saturating_sub(self.current_tokens));
        }
        if self.room < TEXT_MIN_TOKENS {
            return Err(Unread::ContextTooSmall {
                context_tokens: self.limits.context_tokens,
            });
        }
        let chunks = u32::try_from(self.chunks.len()).unwrap_or(u32::MAX);
        if chunks >= self.limits.chunks_max {
            return Err(Unread::ChunkLimit {
                chunks_max: self.limits.chunks_max,
            });
        }
        let left = self.limits.input_tokens_max.saturating_sub(self.spent);
        let room = self.room.min(left.saturating_sub(self.fixed) / 2);
        if room < TEXT_MIN_TOKENS {
            return Err(Unread::TokenLimit {
                input_tokens_max: self.limits.input_tokens_max,
            });
        }
        Ok(room)
    }

    pub(crate) fn close(&mut self) {
        if self.current.is_empty() {
            return;
        }
        self.spent = self
            .spent
            .saturating_add(self.fixed)
            .saturating_add(self.current_tokens.saturating_mul(2));
        self.chunks.push(Chunk {
            pieces: std::mem::take(&mut self.current),
            find_tokens: 0,
            argue_tokens: 0,
        });
        self.current_tokens = 0;
    }

    fn header_tokens(&self, piece: &Piece) -> u64 {
        if self.current.last().is_some_and(|p| p.file == piece.file) {
            0
        } else {
            (self.count)(&piece.header)
        }
    }

    fn hunk(&mut self, laid: Laid<'_, '_>, hidden: &mut Vec<SecretId>) {
        let costs: Vec<u64> = laid
            .rows
            .iter()
            .map(|(_, row)| (self.count)(&row.rendered()))
            .collect();
        let mut from = 0;
        while from < laid.rows.len() {
            let room = match self.room_here() {
                Ok(room) => room,
                Err(why) => {
                    let rest = laid.rows[from..].iter();
                    let added = rest.filter(|(_, row)| row.is_added());
                    let numbers = added.filter_map(|(_, row)| row.line()?.number).collect();
                    self.unplanned
                        .extend(unplanned(&laid.blank.path, numbers, why));
                    return;
                }
            };
            let notes = laid.notes(from, hidden);
            let base = self.header_tokens(&laid.blank) + (self.count)(&notes);
            let mut tokens = base;
            let mut to = from;
            while to < costs.len() && tokens.saturating_add(costs[to]) <= room {
                tokens += costs[to];
                to += 1;
            }
            // A hunk stays whole where a new chunk can hold it.
            let rest: u64 = costs[from..].iter().sum();
            let whole_later = to < costs.len()
                && (base.saturating_add(rest) <= self.room
                    || self.current_tokens.saturating_mul(2) > self.limit);
            if !self.current.is_empty() && (to == from || whole_later) {
                self.close();
                continue;
            }
            if to == from {
                let (_, row) = &laid.rows[from];
                if row.is_added() {
                    let numbers = row.line().and_then(|l| l.number).into_iter().collect();
                    self.unplanned.extend(unplanned(
                        &laid.blank.path,
                        numbers,
                        Unread::LineTooLong,
                    ));
                }
                from += 1;
                continue;
            }
            if let Some(piece) = laid.piece(from, to, notes) {
                if self.current.is_empty() {
                    self.limit = room;
                }
                self.current.push(piece);
                self.current_tokens += tokens;
            }
            from = to;
            if from < laid.rows.len() {
                self.close();
            }
        }
    }
}

fn numbers_of(hunk: &HunkView<'_>) -> Vec<u32> {
    let added = |line: &&LineView<'_>| line.kind == LineKind::Added;
    hunk.lines
        .iter()
        .filter(added)
        .filter_map(|line| line.new_line)
        .collect()
}

/// A hunk laid out in rows.
struct Laid<'a, 'd> {
    hunk: &'a HunkView<'d>,
    rows: Vec<(usize, Row)>,
    showing: &'a Showing<'a>,
    known: &'a [&'a Grounding],
    blank: Piece,
}

impl Laid<'_, '_> {
    /// What stands before rows from `from` on.
    fn notes(&self, from: usize, hidden: &mut Vec<SecretId>) -> String {
        let shown = self.rows[from..]
            .iter()
            .find(|(_, row)| row.line().is_some());
        let at = shown.map_or(0, |(at, _)| *at);
        let lines = &self.hunk.lines;
        let first = lines[at..]
            .iter()
            .map(|line| line.text)
            .find(|text| !text.trim().is_empty());
        let around = enclosing(&lines[..at], first.unwrap_or_default());
        let around = around.unwrap_or(self.hunk.section).trim();
        let mut out = String::from("@@");
        if from > 0 {
            out.push_str(" continued");
        }
        if !around.is_empty() {
            out.push_str(" in: ");
            out.push_str(&self.showing.label(around, hidden));
        }
        out.push('\n');
        if from > 0 {
            return out;
        }
        let numbers = numbers_of(self.hunk);
        let (first, last) = (numbers.first().copied(), numbers.last().copied());
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(0));
        let here = |g: &&&Grounding| g.line_range.0 <= last && g.line_range.1 >= first;
        for known in self.known.iter().filter(here).take(KNOWN_MAX) {
            let title = self.showing.label(&known.title, hidden);
            let line = known.line_range.0;
            out.push_str(&format!("known: line {line}: {title} ({})\n", known.rule));
        }
        out
    }

    /// The rows as a piece; none where they add nothing.
    fn piece(&self, from: usize, to: usize, notes: String) -> Option<Piece> {
        let rows: Vec<Row> = self.rows[from..to]
            .iter()
            .map(|(_, row)| row.clone())
            .collect();
        let mut piece = Piece {
            notes,
            rows,
            ..self.blank.clone()
        };
        let numbers: Vec<u32> = piece.added_numbers().collect();
        piece.added = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        piece.added_lines = (*numbers.first()?, *numbers.last()?);
        Some(piece)
    }
}

fn header(
    file: &FileView<'_>,
    shown_path: &str,
    showing: &Showing<'_>,
    hidden: &mut Vec<SecretId>,
) -> String {
    let change = match file.change {
        Change::Added => "new file",
        Change::Modified => "modified",
        Change::Deleted => "deleted",
        Change::Renamed => "renamed",
        Change::Copied => "copied",
    };
    let mut out = format!("file: {shown_path} ({change}, {:?}", file.role);
    if let Some(old) = file.old_path {
        out.push_str(", was ");
        out.push_str(&showing.label(old, hidden));
    }
    out.push_str(")\n");
    out
}
