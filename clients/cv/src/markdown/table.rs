//! A table, once all of it is there.

use super::{flow::Flow, inline};
use crate::output::{layout::columns, paint::Role};

/// Shows it in columns where they fit, and each row on its own lines where not.
pub(super) fn show(rows: &[String], flow: &mut Flow) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| cells(row))
        .filter(|row| !is_separator(row))
        .collect();
    let has_header = rows.len() > 1
        && rows
            .get(1)
            .is_some_and(|row| is_separator(&self::cells(row)));
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|i| {
            cells
                .iter()
                .filter_map(|row| row.get(i))
                .map(|cell| shown_columns(cell, flow.color()))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let total: usize = widths
        .iter()
        .map(|width| width + 2)
        .sum::<usize>()
        .saturating_sub(2);
    let fits = flow.width().is_none_or(|width| total <= width);
    for (number, row) in cells.iter().enumerate() {
        let role = if has_header && number == 0 {
            Role::Strong
        } else {
            Role::Plain
        };
        for (i, cell) in row.iter().enumerate() {
            if fits {
                inline::show(cell, role, flow);
                if i + 1 < row.len() {
                    let pad = widths[i].saturating_sub(shown_columns(cell, flow.color())) + 2;
                    flow.verbatim(&" ".repeat(pad), Role::Plain);
                }
            } else {
                if i > 0 {
                    flow.space();
                    flow.words("|", Role::Dim);
                    flow.space();
                }
                inline::show(cell, role, flow);
            }
        }
        flow.newline();
        if has_header && number == 0 && fits {
            flow.verbatim(&"─".repeat(total), Role::Dim);
            flow.newline();
        }
    }
}

/// Columns that a cell takes once its markup is gone.
fn shown_columns(cell: &str, color: bool) -> usize {
    let mut flow = Flow::new(crate::output::layout::Layout {
        width: None,
        color: false,
    });
    if color {
        // Counted as it is shown with colour, whose sequences take no columns.
        let mut painted = Flow::new(crate::output::layout::Layout { width: None, color });
        inline::show(cell, Role::Plain, &mut painted);
        return columns(&without_colour(&painted.take()));
    }
    inline::show(cell, Role::Plain, &mut flow);
    columns(&flow.take())
}

fn without_colour(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(|&c| c == 'm');
        } else {
            out.push(c);
        }
    }
    out
}

/// The cells of a row; `\|` is no border, and neither is what stands in code.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut escaped = false;
    for c in row.chars() {
        match c {
            '|' if escaped => {
                cell.pop();
                cell.push('|');
            }
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            c => cell.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    if !cell.trim().is_empty() {
        cells.push(cell.trim().to_owned());
    }
    cells
}

fn is_separator(row: &[String]) -> bool {
    !row.is_empty()
        && row.iter().all(|cell| {
            let dashes = cell.trim_matches(':');
            !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
        })
}
