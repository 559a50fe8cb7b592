//! What a line of Markdown is.

/// The kind of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Running text.
    Paragraph,
    /// Nothing.
    Blank,
    /// `## text`, with its level.
    Heading(usize),
    /// `- text` or `3. text`, with the mark that is shown.
    Item(String),
    /// `> text`, with its depth.
    Quote(usize),
    /// A fence, its character and length.
    Fence(char, usize),
    /// `---`.
    Rule,
    /// A row of a table.
    Row,
    /// Four spaces in front.
    Code,
}

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) block: Block,
    /// Columns in front of it.
    pub(super) indent: usize,
    /// Where its words begin, in bytes.
    pub(super) words_at: usize,
}

/// Columns of white space in front that are worth showing: lists nest by them.
const INDENT_MAX: usize = 12;

/// What the beginning of a line will be, whatever follows; none while that is open.
pub(super) fn partial(text: &str) -> Option<Line> {
    let trimmed = text.trim_start_matches([' ', '\t']);
    // A mark says what it is only with the word behind it.
    let decided = trimmed.chars().any(|c| {
        !matches!(
            c,
            '#' | '-'
                | '*'
                | '+'
                | '>'
                | '`'
                | '~'
                | '='
                | '_'
                | '|'
                | '.'
                | ')'
                | ' '
                | '\t'
                | '['
                | ']'
        ) && !c.is_ascii_digit()
    });
    if !decided {
        return None;
    }
    Some(whole(text))
}

/// What a whole line is.
pub(super) fn whole(text: &str) -> Line {
    let trimmed = text.trim_start_matches([' ', '\t']);
    let lead = text.len() - trimmed.len();
    let indent: usize = text[..lead]
        .chars()
        .map(|c| if c == '\t' { 4 } else { 1 })
        .sum();
    let line = |block, words: usize| Line {
        block,
        indent: indent.min(INDENT_MAX),
        words_at: lead + words,
    };
    if trimmed.is_empty() {
        return line(Block::Blank, 0);
    }
    if let Some(fence) = fence(trimmed) {
        return line(fence, 0);
    }
    if is_rule(trimmed) {
        return line(Block::Rule, 0);
    }
    if trimmed.starts_with('|') && !trimmed.starts_with("||") {
        return line(Block::Row, 0);
    }
    let level = trimmed.bytes().take_while(|&byte| byte == b'#').count();
    if (1..=6).contains(&level) && trimmed[level..].starts_with(' ') {
        let words = trimmed[level..].trim_start();
        return line(Block::Heading(level), trimmed.len() - words.len());
    }
    if trimmed.starts_with('>') {
        let words = trimmed.trim_start_matches(['>', ' ']);
        let depth = trimmed[..trimmed.len() - words.len()].matches('>').count();
        return line(Block::Quote(depth.min(8)), trimmed.len() - words.len());
    }
    if let Some((mark, words)) = item(trimmed) {
        return line(Block::Item(mark), words);
    }
    if indent >= 4 && lead > 0 && indent > INDENT_MAX {
        return Line {
            block: Block::Code,
            indent: 0,
            words_at: 0,
        };
    }
    line(Block::Paragraph, 0)
}

fn fence(text: &str) -> Option<Block> {
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = text.chars().take_while(|&c| c == mark).count();
    // Behind backticks no other may follow: that is code within a line.
    (length >= 3 && !(mark == '`' && text[length..].contains('`')))
        .then_some(Block::Fence(mark, length))
}

fn is_rule(text: &str) -> bool {
    let mut marks = text.chars().filter(|c| !c.is_whitespace());
    let Some(first) = marks.next().filter(|c| matches!(c, '-' | '*' | '_')) else {
        return false;
    };
    let mut count = 1;
    for c in marks {
        if c != first {
            return false;
        }
        count += 1;
    }
    count >= 3
}

/// The mark to show and where the words begin.
fn item(text: &str) -> Option<(String, usize)> {
    if let Some(rest) = text.strip_prefix(['-', '*', '+']) {
        let words = rest.trim_start_matches(' ');
        if words.len() == rest.len() && !rest.is_empty() {
            return None;
        }
        for (task, mark) in [("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")] {
            if let Some(words) = words.strip_prefix(task) {
                return Some((mark.to_owned(), text.len() - words.len()));
            }
        }
        return Some(("• ".to_owned(), text.len() - words.len()));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let rest = text[digits..].strip_prefix(['.', ')'])?;
    let words = rest.trim_start_matches(' ');
    if words.len() == rest.len() && !rest.is_empty() {
        return None;
    }
    Some((format!("{} ", &text[..=digits]), text.len() - words.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        for (text, block) in [
            ("words", Block::Paragraph),
            ("", Block::Blank),
            ("## Head", Block::Heading(2)),
            ("##no", Block::Paragraph),
            ("- a", Block::Item("• ".to_owned())),
            ("* [x] a", Block::Item("☑ ".to_owned())),
            ("12. a", Block::Item("12. ".to_owned())),
            ("*stress*", Block::Paragraph),
            ("1.5 is", Block::Paragraph),
            ("> > q", Block::Quote(2)),
            ("```rust", Block::Fence('`', 3)),
            ("```a``` is code", Block::Paragraph),
            ("~~~~", Block::Fence('~', 4)),
            ("***", Block::Rule),
            ("- - -", Block::Rule),
            ("| a | b |", Block::Row),
            ("|| a", Block::Paragraph),
        ] {
            assert_eq!(whole(text).block, block, "{text:?}");
        }
    }

    #[test]
    fn a_beginning_is_decided_only_when_nothing_can_change_it() {
        for text in [
            "", "#", "##", "- ", "*", "**", "1", "12.", "``", "> ", "- [", " ",
        ] {
            assert_eq!(partial(text), None, "{text:?}");
        }
        for text in ["a", "# H", "- x", "**b", "1. o", "12 m", "> q", "- [ ] t"] {
            let decided = partial(text).unwrap_or_else(|| panic!("{text:?}"));
            for more in ["", " and more", "* x"] {
                let all = format!("{text}{more}");
                assert_eq!(whole(&all).block, decided.block, "{all:?}");
            }
        }
    }
}
