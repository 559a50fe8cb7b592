//! Tables of patterns: one row per way to write the same fault.

use std::ops::Range;

use crate::{
    language::Language,
    matching::{Pattern, calls, pattern, strings},
    view::{FileView, HunkView, Side},
};

/// Which text of a side a pattern is searched in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Without comments and the insides of strings.
    Code,
    /// Without comments.
    Live,
    /// Without comments; inside of strings only where the match begins with a whole literal
    /// (`"key": value`).
    Entry,
}

/// One way to write a fault.
pub struct Row {
    /// Languages it is a fault in; empty means all.
    pub languages: &'static [Language],
    /// Where it is searched.
    pub view: View,
    /// What it looks like; group 1, where it takes part, is what the caret points at.
    pub pattern: Pattern,
    /// The scenario in which it bites.
    pub trigger: &'static str,
}

/// A [`Row`]: `row!(Live, [Shell, Yaml], r"pattern", "scenario")`.
macro_rules! row {
    ($view:ident, [$($language:ident),*], $re:expr, $trigger:expr) => {
        $crate::matching::rows::Row {
            languages: &[$($crate::language::Language::$language),*],
            view: $crate::matching::rows::View::$view,
            pattern: std::sync::LazyLock::new(|| $crate::matching::compile($re)),
            trigger: $trigger,
        }
    };
}
pub(crate) use row;

/// Every place of the hunk's new side that a row matches, in order, outside of test code.
pub fn matches<'r>(
    rows: &'r [Row],
    file: &FileView<'_>,
    hunk: &HunkView<'_>,
) -> Vec<(&'r Row, Range<usize>)> {
    let mut found = Vec::new();
    for row in rows {
        if !row.languages.is_empty() && !row.languages.contains(&file.language) {
            continue;
        }
        let text = match row.view {
            View::Code => &hunk.new.code,
            View::Live | View::Entry => &hunk.new.live,
        };
        let mut from = 0;
        while let Some(whole) = row.pattern.find_at(text, from) {
            let range = row
                .pattern
                .captures_at(text, from)
                .and_then(|c| c.get(1))
                .map_or(whole.range(), |group| group.range());
            from = whole.end().max(from + 1);
            let stands = row.view != View::Entry || is_entry(&hunk.new, whole.start());
            if stands && hunk.new.touches_change(&range) && !hunk.new.in_test(range.start) {
                found.push((row, range));
            }
            if from > text.len() || !text.is_char_boundary(from) {
                break;
            }
        }
    }
    found.sort_by_key(|(_, range)| (range.start, usize::MAX - range.end));
    found
}

/// True if `offset` is outside of strings, or where the contents of a short literal begin that is
/// one word.
fn is_entry(side: &Side, offset: usize) -> bool {
    let live = side.live.as_bytes();
    if side.code.as_bytes()[offset] == live[offset] {
        return true;
    }
    let Some(quote) = offset.checked_sub(1).map(|at| live[at]) else {
        return false;
    };
    let len = live[offset..]
        .iter()
        .take_while(|b| calls::is_word(**b) || **b == b'-')
        .count();
    matches!(quote, b'"' | b'\'' | b'`') && live.get(offset + len) == Some(&quote)
}

/// Drops matches that overlap an earlier one or start within `lines` lines of it: one fault that
/// takes several statements is one finding.
pub fn merge<'r>(
    found: Vec<(&'r Row, Range<usize>)>,
    hunk: &HunkView<'_>,
    lines: usize,
) -> Vec<(&'r Row, Range<usize>)> {
    let mut kept: Vec<(&Row, Range<usize>)> = Vec::with_capacity(found.len());
    let mut last = None;
    for (row, range) in found {
        let line = hunk.new.line_at(range.start);
        if last.is_some_and(|last| line <= last + lines) {
            last = Some(line);
            continue;
        }
        last = Some(line);
        kept.push((row, range));
    }
    kept
}

/// The languages that run as JavaScript.
pub const JAVASCRIPT: [Language; 4] = [
    Language::JavaScript,
    Language::TypeScript,
    Language::Vue,
    Language::Html,
];

/// True if the language runs as JavaScript.
pub fn is_javascript(language: Language) -> bool {
    JAVASCRIPT.contains(&language)
}

/// What an argument must be for a call to be a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// There is one.
    Any,
    /// It isn't a constant text.
    NotConstant,
    /// A text is put together in it.
    Built,
}

/// One way to call something dangerous.
pub struct CallRow {
    /// Languages it is a fault in.
    pub languages: &'static [Language],
    /// What it looks like in code without strings, up to and with the opening bracket.
    pub pattern: Pattern,
    /// What the argument must be.
    pub argument: Argument,
    /// Which argument, counted from 0; the whole list where there are fewer.
    pub index: usize,
}

/// A [`CallRow`]: `call!([Php], r"pattern\(", NotConstant, 0)`.
macro_rules! call {
    ([$($language:ident),*], $re:expr, $argument:ident, $index:expr) => {
        $crate::matching::rows::CallRow {
            languages: &[$($crate::language::Language::$language),*],
            pattern: std::sync::LazyLock::new(|| $crate::matching::compile($re)),
            argument: $crate::matching::rows::Argument::$argument,
            index: $index,
        }
    };
}
pub(crate) use call;

/// A call that a row matches.
pub struct Called {
    /// Where its name starts.
    pub name: usize,
    /// Where its bracket opens.
    pub open: usize,
    /// From the name to the closing bracket.
    pub whole: Range<usize>,
    /// The argument that was judged.
    pub argument: Range<usize>,
}

/// Every call in changed lines, outside of test code, whose argument is as the row says.
pub fn called(rows: &[CallRow], file: &FileView<'_>, hunk: &HunkView<'_>) -> Vec<Called> {
    let side = &hunk.new;
    let mut found: Vec<Called> = Vec::new();
    for row in rows {
        if !row.languages.contains(&file.language) {
            continue;
        }
        for name in row.pattern.find_iter(&side.code) {
            let open = name.end() - 1;
            if side.in_test(name.start()) || calls::is_declaration(&side.code, name.start(), open) {
                continue;
            }
            if let Some(call) = judge(
                side,
                file.language,
                name.start(),
                open,
                row.argument,
                row.index,
            ) && found.iter().all(|f| f.whole.start != call.whole.start)
            {
                found.push(call);
            }
        }
    }
    found.sort_by_key(|call| call.whole.start);
    found
}

/// The call whose bracket opens at `open`, if its argument is as wanted.
pub fn judge(
    side: &Side,
    language: Language,
    name: usize,
    open: usize,
    wanted: Argument,
    index: usize,
) -> Option<Called> {
    let inside = calls::inside(&side.code, open);
    let whole = name..(inside.end + 1).min(side.code.len());
    if !side.touches_change(&whole) {
        return None;
    }
    let arguments = calls::split(&side.code, inside.clone());
    let argument = match arguments.get(index).or(arguments.last()) {
        Some(argument) => argument.clone(),
        None if wanted == Argument::Any => inside,
        None => return None,
    };
    let argument = calls::named(&side.code, &argument).map_or(argument, |(_, value)| value);
    let holds = match wanted {
        Argument::Any => true,
        Argument::NotConstant => !is_literal(side, language, argument.clone()),
        Argument::Built => strings::is_built(side, language, argument.clone()),
    };
    holds.then_some(Called {
        name,
        open,
        whole,
        argument,
    })
}

/// True for a constant text, a number, or a constant's shouted name.
fn is_literal(side: &Side, language: Language, range: Range<usize>) -> bool {
    let text = side.code[range.clone()].trim();
    let is_shouted = text.len() > 1
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_shouted
        || text.bytes().all(|b| b.is_ascii_digit())
        || strings::is_constant(side, language, range)
}

/// True if the text mentions what comes from outside: a request, arguments, standard input.
pub fn is_input(text: &str) -> bool {
    pattern!(
        INPUT,
        r"\b(?:request|req|params|argv|input|stdin|query|body|form|cookies|headers|getParameter|gets|readline|prompt|location|searchParams|event\.data|_GET|_POST|_REQUEST|_COOKIE|args)\b"
    );
    INPUT.is_match(text)
}

/// True if the line up to a match prints for a reader what follows.
pub fn is_shown(head: &str) -> bool {
    const PRINTS: [&str; 23] = [
        "LABEL ",
        "echo ",
        "printf ",
        "print(",
        "println",
        "log",
        "console.",
        "puts ",
        "info ",
        "warn",
        "error",
        "die ",
        "fail ",
        "help",
        "usage",
        "description",
        "message",
        "raise ",
        "throw ",
        "Write-Host",
        "Write-Output",
        "echo(",
        "cat <<",
    ];
    let head = head.trim_start_matches(['-', '@', ' ', '"', '\'']);
    let head = head.strip_prefix("run:").map_or(head, str::trim_start);
    PRINTS.iter().any(|p| {
        head.starts_with(p)
            || head.contains(&format!("&& {p}"))
            || (p.ends_with('(') && head.contains(p))
    })
}

/// True if `offset` lies in a block text of YAML whose key says that it is for readers.
pub fn in_shown_block(side: &Side, offset: usize) -> bool {
    let index = side.line_at(offset);
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut depth = indent(&side.live[side.line_range(index)]);
    for at in (index.saturating_sub(40)..index).rev() {
        let line = &side.live[side.line_range(at)];
        if line.trim().is_empty() || indent(line) >= depth {
            continue;
        }
        depth = indent(line);
        let text = line.trim().trim_start_matches("- ");
        if text.ends_with(['|', '>']) || text.ends_with("|-") || text.ends_with(">-") {
            const KEYS: [&str; 9] = [
                "description",
                "help",
                "usage",
                "notes",
                "note",
                "message",
                "summary",
                "readme",
                "body",
            ];
            return KEYS
                .iter()
                .any(|key| text.to_ascii_lowercase().starts_with(key));
        }
    }
    false
}

/// True if what follows the line's beginning is text between tags (`<p>Like this`).
pub fn is_markup_text(head: &str) -> bool {
    head.starts_with('<')
        && head
            .as_bytes()
            .get(1)
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'/')
        && head.rfind('>').is_some_and(|at| {
            !head[at..].contains(['{', '(', '=']) && !head[at..].starts_with(">\"")
        })
        && head.rfind('>') > head.rfind('<')
        && head.contains(' ')
}
