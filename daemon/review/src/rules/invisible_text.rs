//! `invisible-text`: characters that nobody sees, where they change meaning or carry a message.

use crate::{
    finding::Severity,
    language::{Language, Role},
    rule::{Check, Hit, Rule, Sink},
    rules::bidi_text,
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "invisible-text",
    severity: Severity::Major,
    title: "Invisible character",
    reason: "Names that look equal differ, and text that nobody sees is read by programs and models.",
    explain: "\
Finds zero-width characters, soft hyphens and fillers in code and strings, tag characters (U+E0000), \
runs of variation selectors (both carry hidden text), and control characters.\n\n\
Leaves alone: a byte order mark at the start of a file; joiners inside emoji and between letters of \
scripts that need them; line-break hints in prose, documentation, translations and comments.\n\n\
Do: remove the character, or write it as an escape where it is wanted.",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: true,
    check: Check::Hunk(check),
};

/// What a character hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Zero width, or a filler.
    Zero,
    /// Visible at a line's end only.
    SoftHyphen,
    /// A left-to-right or right-to-left mark.
    Mark,
    /// U+E0000 to U+E007F.
    Tag,
    /// A variation selector.
    Selector,
    /// C0, C1 or DEL.
    Control,
}

fn kind(c: char) -> Option<Kind> {
    Some(match c {
        '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2064}'
        | '\u{feff}'
        | '\u{180e}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{2800}' => Kind::Zero,
        '\u{ad}' => Kind::SoftHyphen,
        '\u{200e}' | '\u{200f}' | '\u{61c}' => Kind::Mark,
        '\u{e0000}'..='\u{e007f}' => Kind::Tag,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Kind::Selector,
        '\u{0}'..='\u{8}'
        | '\u{b}'
        | '\u{e}'..='\u{1f}'
        | '\u{7f}'
        | '\u{80}'..='\u{84}'
        | '\u{86}'..='\u{9f}' => Kind::Control,
        _ => return None,
    })
}

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    if is_plain(&side.text) {
        return;
    }
    for index in 0..side.lines.len() {
        if !side.lines[index].changed {
            continue;
        }
        let range = side.line_range(index);
        let line = &side.text[range.clone()];
        if is_plain(line) {
            continue;
        }
        if let Some((start, end)) = find(file, side, line, range.start, side.lines[index].number) {
            sink.hit(Hit::at(range.start + start..range.start + end, "Two names or texts that look equal are not, or an instruction is read that no reviewer saw."));
        }
    }
}

/// True if only printable ASCII, tabs, line ends and form feeds are there.
fn is_plain(text: &str) -> bool {
    // Whole chunks without an early way out: the compiler makes vectors of them.
    text.as_bytes().chunks(512).all(|chunk| {
        chunk.iter().fold(true, |plain, b| {
            plain
                & ((*b >= b' ' && *b <= b'~')
                    | (*b == b'\t')
                    | (*b == b'\n')
                    | (*b == b'\r')
                    | (*b == 0x0c))
        })
    })
}

/// The first run of hidden characters on the line that has no business there.
fn find(
    file: &FileView<'_>,
    side: &Side,
    line: &str,
    line_at: usize,
    number: u32,
) -> Option<(usize, usize)> {
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    let mut at = 0;
    while at < chars.len() {
        let Some(first) = kind(chars[at].1) else {
            at += 1;
            continue;
        };
        let mut end = at + 1;
        while end < chars.len() && kind(chars[end].1).is_some() {
            end += 1;
        }
        let run = &chars[at..end];
        let before = at.checked_sub(1).map(|i| chars[i].1);
        let after = chars.get(end).map(|c| c.1);
        let place = place(side, line_at + run[0].0);
        let last = run[run.len() - 1];
        let names = first == Kind::SoftHyphen && place == Place::Literal && is_name(line, run[0].0);
        if names
            || !is_fine(
                file,
                place,
                first,
                run,
                before,
                after,
                number == 1 && at == 0,
            )
        {
            return Some((run[0].0, last.0 + last.1.len_utf8()));
        }
        at = end;
    }
    None
}

/// True if the literal around `at` is a name (`check_out2`), not words to read.
fn is_name(line: &str, at: usize) -> bool {
    let quotes = ['"', '\'', '`'];
    let (Some(open), Some(len)) = (line[..at].rfind(quotes), line[at..].find(quotes)) else {
        return false;
    };
    let text = &line[open + 1..at + len];
    !text.contains(' ') && text.contains(['_', '.', '/', ':', '-', '@', '0', '1', '2', '3', '4'])
}

/// Where an offset lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Code,
    Literal,
    Comment,
}

fn place(side: &Side, offset: usize) -> Place {
    let is_seen = |text: &str| text.as_bytes()[offset] != b' ';
    if is_seen(&side.code) {
        Place::Code
    } else if is_seen(&side.live) {
        Place::Literal
    } else {
        Place::Comment
    }
}

fn is_fine(
    file: &FileView<'_>,
    place: Place,
    first: Kind,
    run: &[(usize, char)],
    before: Option<char>,
    after: Option<char>,
    starts_file: bool,
) -> bool {
    let is_markup = matches!(
        file.language,
        Language::Html | Language::Css | Language::Xml | Language::Vue
    );
    let is_data = matches!(
        file.language,
        Language::Json
            | Language::Yaml
            | Language::Toml
            | Language::Ini
            | Language::Sql
            | Language::Unknown
    );
    let prose = bidi_text::is_prose(file) || place == Place::Comment;
    let in_test = file.role == Role::Test || file.role == Role::Example;
    let kinds = |wanted: Kind| run.iter().filter(|(_, c)| kind(*c) == Some(wanted)).count();
    if kinds(Kind::Tag) > 0 {
        return before == Some('\u{1f3f4}');
    }
    let selectors = kinds(Kind::Selector);
    if selectors > 1 {
        return false;
    }
    if run.len() >= 4 && kinds(Kind::Zero) >= 4 && file.role != Role::Fixture {
        return in_test && place == Place::Literal;
    }
    if selectors == 1 {
        return before.is_none_or(|c| !c.is_ascii_alphabetic());
    }
    match first {
        Kind::Control => {
            file.role == Role::Fixture
                || file.name.ends_with(".vim")
                || (in_test && place != Place::Code)
                || (prose && !matches!(run[0].1, '\u{0}' | '\u{8}' | '\u{1b}' | '\u{7f}'))
                || run.iter().all(|(_, c)| *c == '\u{1b}')
                    && place == Place::Literal
                    && file.language == Language::Shell
        }
        Kind::Mark => place != Place::Code || prose || is_markup || is_data,
        Kind::SoftHyphen => prose || is_markup || is_data || place == Place::Literal,
        Kind::Zero => {
            if starts_file && run.len() == 1 && run[0].1 == '\u{feff}' {
                return true;
            }
            let joins = matches!(run[0].1, '\u{200c}' | '\u{200d}')
                && (before.is_some_and(needs_joiners) || after.is_some_and(needs_joiners));
            let breaks = run[0].1 == '\u{200b}'
                && (before.is_some_and(breaks_anywhere) || after.is_some_and(breaks_anywhere));
            let korean = matches!(run[0].1, '\u{115f}' | '\u{1160}')
                && after.is_some_and(|c| ('\u{1100}'..='\u{11ff}').contains(&c));
            joins
                || breaks
                || korean
                || prose
                || run[0].1 == '\u{2800}'
                || (is_markup && place != Place::Code)
                || (in_test && place == Place::Literal)
        }
        Kind::Tag | Kind::Selector => false,
    }
}

/// Emoji, Arabic, Persian, Hebrew and Indic letters.
fn needs_joiners(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{dff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe0f}' | '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' | '\u{1800}'..='\u{18af}')
}

/// Scripts without spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer.
fn breaks_anywhere(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{9fff}')
}
