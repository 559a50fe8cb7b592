//! The line of code that a finding points at, and the caret line under it.

use convergio_contract::finding::Finding;

use crate::output::{
    escape,
    layout::{Layout, columns},
    paint::Role,
};

const TAB: &str = "    ";
/// Columns of code where the stream has no width: minified lines have no end.
const CODE_MAX_COLUMNS: usize = 400;

/// What one character of the code looks like.
struct Cell {
    shown: String,
    wide: usize,
}

fn cell(c: char) -> Cell {
    let shown = match c {
        '\t' => TAB.to_owned(),
        c if escape::is_unsafe(c) => escape::visible(c),
        c => c.to_string(),
    };
    let wide = columns(&shown);
    Cell { shown, wide }
}

/// The code line with its number and the caret line, where the finding points at a part of a
/// line; nothing where whole lines are the fault.
pub fn pointed(finding: &Finding, layout: Layout) -> Option<String> {
    let (from, to) = finding.columns?;
    let line = finding.evidence.lines().next()?;
    let number = finding.line_range.0.to_string();
    let indent = line.chars().take_while(|c| c.is_whitespace()).count();
    let cells: Vec<Cell> = line.trim_end().chars().skip(indent).map(cell).collect();
    if cells.is_empty() {
        return None;
    }
    // Masking may have shortened the line, so the columns are only trusted inside it.
    let from = (from as usize).saturating_sub(1).saturating_sub(indent);
    let to = (to as usize).saturating_sub(1).saturating_sub(indent);
    let from = from.min(cells.len() - 1);
    let to = to.clamp(from + 1, cells.len());

    let gutter = number.len() + 5;
    let room = layout.width.map_or(CODE_MAX_COLUMNS, |width| {
        width.saturating_sub(gutter).max(4)
    });
    let window = window(&cells, from, to, room);
    let before: usize = cells[window.from..from].iter().map(|c| c.wide).sum();
    let caret_to = to.min(window.to).max(from + 1);
    let marked: usize = cells[from..caret_to].iter().map(|c| c.wide).sum();

    let mut code = String::new();
    if window.cut_left {
        code.push('…');
    }
    for cell in &cells[window.from..window.to] {
        code.push_str(&cell.shown);
    }
    if window.cut_right {
        code.push('…');
    }
    let bar = Role::Dim.paint("│", layout.color);
    let caret = Role::Severity(finding.severity).paint(&"^".repeat(marked.max(1)), layout.color);
    let pad = " ".repeat(before + usize::from(window.cut_left));
    let blank = " ".repeat(number.len());
    let number = Role::Dim.paint(&number, layout.color);
    Some(format!(
        "  {number} {bar} {code}\n  {blank} {bar} {pad}{caret}\n"
    ))
}

struct Window {
    from: usize,
    to: usize,
    cut_left: bool,
    cut_right: bool,
}

/// The part of the line that fits and shows the marked cells, their end before their beginning
/// where both do not fit together with what stands before.
fn window(cells: &[Cell], from: usize, to: usize, room: usize) -> Window {
    let width =
        |range: std::ops::Range<usize>| -> usize { cells[range].iter().map(|c| c.wide).sum() };
    let whole = Window {
        from: 0,
        to: cells.len(),
        cut_left: false,
        cut_right: false,
    };
    if width(0..cells.len()) <= room {
        return whole;
    }
    // From the start, cut at the right, if the marked part is in sight then.
    if width(0..to) < room {
        let mut end = to;
        while end < cells.len() && width(0..end + 1) < room {
            end += 1;
        }
        return Window {
            from: 0,
            to: end,
            cut_left: false,
            cut_right: true,
        };
    }
    // As much as fits before the end of the line, if the marked part begins in it.
    let mut start = cells.len();
    while start > 0 && width(start - 1..cells.len()) < room {
        start -= 1;
    }
    // A word that is cut in its middle reads as another one.
    let is_word = |at: usize| {
        let shown = &cells[at].shown;
        shown.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    let mut whole = start;
    while whole > 0 && whole < from && is_word(whole) && is_word(whole - 1) {
        whole += 1;
    }
    if whole - start.min(whole) <= room / 2 {
        start = start.max(whole);
    }
    if start <= from {
        return Window {
            from: start,
            to: cells.len(),
            cut_left: start > 0,
            cut_right: false,
        };
    }
    // The marked part and what follows it, cut on both sides.
    let cut_left = from > 0;
    let left = usize::from(cut_left);
    let mut end = from;
    while end < cells.len() && left + width(from..end + 1) < room {
        end += 1;
    }
    let end = end.max(from + 1);
    Window {
        from,
        to: end,
        cut_left,
        cut_right: end < cells.len(),
    }
}

/// All quoted lines with their numbers.
pub fn quoted(finding: &Finding, layout: Layout) -> String {
    let lines: Vec<&str> = finding.evidence.lines().collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.chars().take_while(|c| c.is_whitespace()).count())
        .min()
        .unwrap_or(0);
    let first = finding.line_range.0 as usize;
    let digits = (first + lines.len().saturating_sub(1)).to_string().len();
    let room = layout.width.map_or(CODE_MAX_COLUMNS, |width| {
        width.saturating_sub(digits + 5).max(4)
    });
    let bar = Role::Dim.paint("│", layout.color);
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        let mut code = String::new();
        let mut used = 0;
        for c in line.trim_end().chars().skip(indent) {
            let cell = cell(c);
            if used + cell.wide >= room {
                code.push('…');
                break;
            }
            used += cell.wide;
            code.push_str(&cell.shown);
        }
        let number = Role::Dim.paint(&format!("{:>digits$}", first + i), layout.color);
        out.push_str(format!("  {number} {bar} {code}").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{output::layout::columns, render::samples};

    proptest! {
        /// Columns may be wrong (a masked line is shorter), lines long, terminals narrow.
        #[test]
        fn no_finding_breaks_the_caret(
            // Scripts that join letters take less room than their letters alone; the caret is
            // then a little off, which is no reason to fail.
            evidence in "([ -~]|[éß漢🙂\t\u{1b}\u{202e}]){0,80}(\n.{0,20})?",
            from in 0u32..120,
            length in 0u32..60,
            line in 1u32..100_000,
            width in proptest::option::of(1usize..140),
        ) {
            let finding = Finding {
                evidence,
                columns: Some((from, from + length)),
                line_range: (line, line + 1),
                ..samples::tls()
            };
            let layout = Layout { width, color: false };
            if let Some(text) = pointed(&finding, layout) {
                let lines: Vec<&str> = text.lines().collect();
                prop_assert_eq!(lines.len(), 2);
                prop_assert!(lines[1].ends_with('^'));
                // The caret stands under what is shown, an ellipsis included.
                prop_assert!(columns(lines[1]) <= columns(lines[0]) + 1, "{}", text);
                if let Some(width) = width.filter(|&width| width >= 30) {
                    prop_assert!(columns(lines[0]) <= width, "{}", text);
                    prop_assert!(columns(lines[1]) <= width, "{}", text);
                }
            }
            let text = quoted(&finding, layout);
            prop_assert!(!text.chars().any(|c| c != '\n' && escape::is_unsafe(c)));
        }
    }
}
