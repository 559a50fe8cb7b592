//! The pass across files: declarations and imports that the change touches, in one more chunk.

use super::{
    Limits, Plan,
    lines::{Line, Piece, Row, is_declaration},
    plan::Chunk,
};
use crate::{matching::pattern, view::LineKind};

/// With less there is nothing to weigh against each other.
const LINES_MIN: usize = 2;
/// Titles of findings that are told; more add nothing.
pub(crate) const FOUND_MAX: usize = 40;

pattern!(
    BINDS,
    r"^\s*(?:use|import|from|require|include|#\s*include|using|export|@\w+|CREATE|ALTER|DROP|const|static|pub const|#define)\b"
);

fn tells(line: &Line) -> bool {
    line.kind != LineKind::Context && (is_declaration(&line.shown) || BINDS.is_match(&line.shown))
}

/// The chunk of the last pass; none for a single chunk, where little would stand in it, or where
/// the review's input has no room for it.
pub(crate) fn digest(plan: &Plan, limits: &Limits, spent: u64) -> Option<Chunk> {
    if plan.chunks.len() < 2 {
        return None;
    }
    let room = plan.frame.across_room(limits);
    let mut chunk = Chunk {
        pieces: Vec::new(),
        find_tokens: 0,
        argue_tokens: 0,
    };
    let mut tokens = 0_u64;
    let mut lines = 0;
    'all: for piece in plan.chunks.iter().flat_map(|chunk| &chunk.pieces) {
        let mut rows = Vec::new();
        let mut opened = false;
        for row in piece
            .rows
            .iter()
            .filter(|row| row.line().is_some_and(tells))
        {
            let mut cost = plan.frame.count(&row.rendered());
            if !opened {
                cost += plan.frame.count(&piece.header);
            }
            if tokens.saturating_add(cost) > room {
                push(&mut chunk, piece, rows);
                break 'all;
            }
            opened = true;
            tokens += cost;
            lines += 1;
            rows.push(row.clone());
        }
        push(&mut chunk, piece, rows);
    }
    // A pass across files that sees one file sees nothing new.
    if lines < LINES_MIN || chunk.paths().len() < 2 {
        return None;
    }
    let text = chunk.text();
    chunk.find_tokens = plan.frame.across_tokens(&text);
    chunk.argue_tokens = plan.frame.argue_tokens(&text);
    let both = chunk.find_tokens.saturating_add(chunk.argue_tokens);
    let output = u64::from(plan.frame.output_tokens);
    let fits = spent.saturating_add(both) <= limits.input_tokens_max
        && chunk.find_tokens.saturating_add(output) <= limits.context_tokens
        && chunk.argue_tokens.saturating_add(output) <= limits.context_tokens;
    fits.then_some(chunk)
}

fn push(chunk: &mut Chunk, piece: &Piece, rows: Vec<Row>) {
    let numbers = || {
        let added = rows.iter().filter(|row| row.is_added());
        added.filter_map(|row| row.line()?.number)
    };
    let (Some(first), Some(last)) = (numbers().next(), numbers().next_back()) else {
        return;
    };
    let added = u32::try_from(numbers().count()).unwrap_or(u32::MAX);
    chunk.pieces.push(Piece {
        added_lines: (first, last),
        added,
        notes: String::new(),
        rows,
        path: piece.path.clone(),
        file: piece.file,
        hunk: piece.hunk,
        shown_path: piece.shown_path.clone(),
        header: piece.header.clone(),
    });
}
