//! Calls: the extent of arguments, their parts, and what stands before the name.

use std::ops::Range;

/// How far behind a bracket its partner is looked for.
const REACH_BYTES: usize = 8 * 1024;
/// How many arguments are told apart.
const ARGUMENTS_MAX: usize = 64;

/// What stands between the bracket at `open` and its partner, in a text whose strings are
/// blanked ([`crate::view::Side::code`]). Ends with the hunk (or after 8 KiB) where the partner
/// is not in sight.
pub fn inside(code: &str, open: usize) -> Range<usize> {
    let limit = reach(code, open + 1);
    let mut depth = 0_u32;
    for (at, byte) in code.as_bytes()[open..limit].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return open + 1..open + at;
                }
            }
            _ => {}
        }
    }
    (open + 1).min(limit)..limit
}

/// How far a search from `start` goes: the end of the text, or a place some 8 KiB on that is a
/// character border in every view of the side, because what stands before it is not blanked.
fn reach(code: &str, start: usize) -> usize {
    if code.len() - start <= REACH_BYTES {
        return code.len();
    }
    let bytes = code.as_bytes();
    (start + 1..=start + REACH_BYTES)
        .rev()
        .find(|at| bytes[at - 1].is_ascii() && bytes[at - 1] != b' ')
        .unwrap_or(start)
}

/// The parts of `range` between top-level commas, trimmed; empty parts are left out.
pub fn split(code: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let bytes = code.as_bytes();
    let mut parts = Vec::new();
    let mut depth = 0_i32;
    let mut start = range.start;
    for at in range.clone() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth <= 0 => {
                push_trimmed(code, start..at, &mut parts);
                start = at + 1;
                if parts.len() == ARGUMENTS_MAX {
                    return parts;
                }
            }
            _ => {}
        }
    }
    push_trimmed(code, start..range.end, &mut parts);
    parts
}

fn push_trimmed(code: &str, part: Range<usize>, parts: &mut Vec<Range<usize>>) {
    let part = trim(code, part);
    if !part.is_empty() {
        parts.push(part);
    }
}

/// `range` without white space at its ends.
pub fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// The arguments of the call whose bracket opens at `open`.
pub fn arguments(code: &str, open: usize) -> Vec<Range<usize>> {
    split(code, inside(code, open))
}

/// Name and value of a named argument (`name=value`, `name: value`), where `part` is one.
pub fn named<'t>(code: &'t str, part: &Range<usize>) -> Option<(&'t str, Range<usize>)> {
    let text = &code[part.clone()];
    let name_len = text.bytes().take_while(|b| is_word(*b)).count();
    if name_len == 0 {
        return None;
    }
    let rest = text[name_len..].trim_start();
    let sign = rest.as_bytes().first()?;
    let doubled = rest
        .as_bytes()
        .get(1)
        .is_some_and(|b| matches!(b, b'=' | b':' | b'>'));
    if !matches!(sign, b'=' | b':') || doubled {
        return None;
    }
    let value = part.end - rest.len() + 1..part.end;
    Some((&text[..name_len], trim(code, value)))
}

/// True for a byte of an ASCII identifier, `$` excluded.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What a name is qualified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier<'t> {
    /// Nothing: a bare name.
    None,
    /// The word before `.`, `?.`, `->` or `::`.
    Word(&'t str),
    /// Something else than a word before it: `call().`, `list[0].`.
    Other,
}

impl Qualifier<'_> {
    /// True if bare or qualified with one of `words`.
    pub fn is_none_or(&self, words: &[&str]) -> bool {
        match self {
            Qualifier::None => true,
            Qualifier::Word(word) => words.contains(word),
            Qualifier::Other => false,
        }
    }
}

/// What the name that starts at `at` is qualified with.
pub fn qualifier(code: &str, at: usize) -> Qualifier<'_> {
    let before = code[..at].trim_end();
    let stem = before
        .strip_suffix("?.")
        .or_else(|| before.strip_suffix("->"))
        .or_else(|| before.strip_suffix("::"))
        .or_else(|| before.strip_suffix('.').filter(|s| !s.ends_with('.')));
    let Some(stem) = stem else {
        return Qualifier::None;
    };
    let stem = stem.trim_end();
    let word = last_word(stem);
    if word.is_empty() {
        Qualifier::Other
    } else {
        Qualifier::Word(word)
    }
}

/// The identifier that ends the text, or an empty text.
pub fn last_word(text: &str) -> &str {
    let len = text.bytes().rev().take_while(|b| is_word(*b)).count();
    &text[text.len() - len..]
}

/// The word before the name that starts at `at` on the same line (`def`, `function`, `new` …),
/// or an empty text.
pub fn word_before(code: &str, at: usize) -> &str {
    last_word(code[..at].trim_end_matches([' ', '\t']))
}

/// True where the name at `at`, whose bracket opens at `open`, is being declared, not called.
pub fn is_declaration(code: &str, at: usize, open: usize) -> bool {
    const KEYWORDS: [&str; 12] = [
        "def",
        "function",
        "fn",
        "func",
        "fun",
        "sub",
        "void",
        "class",
        "defp",
        "defmacro",
        "procedure",
        "static",
    ];
    let before = word_before(code, at);
    if KEYWORDS.contains(&before) {
        return true;
    }
    let inside = inside(code, open);
    let starts_line = code[..at].rsplit('\n').next().is_none_or(|head| {
        head.split_whitespace().all(|word| {
            word.bytes()
                .all(|b| is_word(b) || matches!(b, b'<' | b'>' | b'[' | b']'))
        })
    });
    let is_statement_word = matches!(
        before,
        "return" | "await" | "else" | "yield" | "throw" | "do"
    );
    let after = code.get(inside.end + 1..).unwrap_or("").trim_start();
    let typed = after.starts_with([':', '-']) || after.starts_with("throws");
    let line = after.split('\n').next().unwrap_or("").trim_end();
    starts_line
        && !is_statement_word
        && (after.starts_with('{') || after.starts_with(':') || (typed && line.ends_with('{')))
}

/// Where the expression that starts at `start` ends: at a `;`, at a bracket or comma that is not
/// its own, or at the end of a line that nothing continues.
pub fn expression_end(code: &str, start: usize) -> usize {
    let bytes = code.as_bytes();
    let limit = reach(code, start);
    let mut depth = 0_i32;
    let mut quote = None;
    for at in start..limit {
        let byte = bytes[at];
        if let Some(open) = quote {
            if byte == open || (byte == b'\n' && open == b'\'') {
                quote = None;
            }
            continue;
        }
        match byte {
            b'"' | b'\'' | b'`' => quote = Some(byte),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth < 0 {
                    return at;
                }
            }
            b';' | b',' if depth == 0 => return at,
            b'\n' if depth == 0 && !continues(&code[start..at], &code[at..limit]) => return at,
            _ => {}
        }
    }
    limit
}

/// True if a line break between these texts doesn't end the expression.
fn continues(before: &str, after: &str) -> bool {
    let before = before.trim_end();
    let after = after.trim_start();
    before.is_empty()
        || before.ends_with(['+', '(', '=', '?', ':', '&', '|', '.', '%', '\\', '<'])
        || after.starts_with(['+', '.', '?', ':', '&', '|', '%', ')', ']'])
        || (before.ends_with(['"', '\'']) && adjoins(after))
}

/// True if the text begins with a string literal, perhaps with a prefix.
fn adjoins(text: &str) -> bool {
    let stem = text.trim_start_matches(['f', 'r', 'b', 'u', 'F', 'R', 'B']);
    text.len() - stem.len() <= 2 && stem.starts_with(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_balance_over_lines() {
        let code = "f(a, g(b, c),\n  k = [1, 2],\n)";
        let parts: Vec<_> = arguments(code, 1).into_iter().map(|r| &code[r]).collect();
        assert_eq!(parts, ["a", "g(b, c)", "k = [1, 2]"]);
        let part = arguments(code, 1)[2].clone();
        let (name, value) = named(code, &part).expect("named");
        assert_eq!((name, &code[value]), ("k", "[1, 2]"));
    }

    #[test]
    fn a_long_search_ends_on_a_border_of_every_view() {
        let code = format!("f({}{}", "x".repeat(REACH_BYTES - 10), " ".repeat(64));
        assert_eq!(inside(&code, 1).end, 2 + REACH_BYTES - 10);
    }

    #[test]
    fn an_open_call_ends_with_the_hunk() {
        assert_eq!(inside("f(a,\nb", 1), 2..6);
        assert_eq!(inside("f(", 1), 2..2);
    }

    #[test]
    fn qualifiers_are_told_apart() {
        assert_eq!(qualifier("model.eval()", 6), Qualifier::Word("model"));
        assert_eq!(qualifier("eval()", 0), Qualifier::None);
        assert_eq!(qualifier("f().eval()", 4), Qualifier::Other);
        assert_eq!(qualifier("...eval()", 3), Qualifier::None);
    }

    #[test]
    fn declarations_are_no_calls() {
        assert!(is_declaration("def eval(x): pass", 4, 8));
        assert!(is_declaration("  async eval(x) {\n", 8, 12));
        assert!(!is_declaration("  return eval(x)\n", 9, 13));
        assert!(!is_declaration("if (eval(x)) {\n", 4, 8));
    }

    #[test]
    fn an_expression_runs_over_continued_lines() {
        let code = "a +\n b\nc";
        assert_eq!(expression_end(code, 0), 6);
        let code = "`\n\n` + x\ny";
        assert_eq!(expression_end(code, 0), 8);
    }
}
