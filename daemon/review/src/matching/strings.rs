//! Strings: is an expression a constant text, what does it say, is anything spliced into it.

use std::ops::Range;

use crate::{language::Language, matching::pattern, view::Side};

pattern!(DOLLAR, r"\$(?:[A-Za-z_{(]|\w+\()");
pattern!(DOLLAR_BRACE, r"\$\{[^}]*\w");
pattern!(HASH_BRACE, r"#\{[^}]*\w");
pattern!(BRACE, r"\{[^{}\n]*[A-Za-z_][^{}\n]*\}");
pattern!(BACKSLASH, r"\\\([^)\n]*\w");

/// True if the expression is made of string literals (and numbers) alone, joined in any way,
/// with nothing spliced in.
pub fn is_constant(side: &Side, language: Language, range: Range<usize>) -> bool {
    let code = side.code[range.clone()].trim();
    code.contains(['"', '\'', '`']) && !has_names(code) && !splices(side, language, range)
}

/// True if the range holds an identifier outside of string literals (prefixes such as `r"` and
/// numbers don't count).
fn has_names(code: &str) -> bool {
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 {
            let len = bytes[at..]
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || **b >= 0x80)
                .count();
            let next = bytes.get(at + len);
            let is_prefix = len <= 3 && matches!(next, Some(b'"' | b'\'' | b'`' | b'#'));
            let follows_digit = at > 0 && bytes[at - 1].is_ascii_digit();
            if !is_prefix && !follows_digit {
                return true;
            }
            at += len;
        } else {
            at += 1;
        }
    }
    false
}

/// True if a string literal in the range has something spliced into it.
pub fn splices(side: &Side, language: Language, range: Range<usize>) -> bool {
    use Language::*;
    let live = &side.live[range.clone()];
    match language {
        Php | Perl | Shell | PowerShell | Kotlin | Scala | Dart | Makefile => {
            DOLLAR.is_match(live) && (language == Dart || !only_single_quoted(&side.code[range]))
        }
        JavaScript | TypeScript | Vue | Html => live.contains('`') && DOLLAR_BRACE.is_match(live),
        Ruby | Elixir => HASH_BRACE.is_match(live) && !only_single_quoted(&side.code[range]),
        Swift => BACKSLASH.is_match(live),
        CSharp => live.contains("$\"") && BRACE.is_match(live),
        Python => has_f_prefix(live) && BRACE.is_match(live),
        _ => false,
    }
}

fn only_single_quoted(code: &str) -> bool {
    code.contains('\'') && !code.contains(['"', '`'])
}

fn has_f_prefix(live: &str) -> bool {
    let bytes = live.as_bytes();
    (1..bytes.len()).any(|at| {
        matches!(bytes[at], b'"' | b'\'')
            && (matches!(bytes[at - 1], b'f' | b'F' | b't')
                || (at > 1
                    && matches!(bytes[at - 1], b'r' | b'R')
                    && matches!(bytes[at - 2], b'f' | b'F')))
    })
}

/// True if the expression builds a text at run time: a string literal with something spliced in,
/// joined with a name, or formatted.
pub fn is_built(side: &Side, language: Language, range: Range<usize>) -> bool {
    pattern!(
        JOINED,
        r#"["'`]\s*\)?\s*(?:\+|%|\.\.|&|<>|\|\|)\s*[\w($@]|[\w)\]]\s*(?:\+|\.\.|&|<>)\s*[A-Za-z]{0,2}["'`]"#
    );
    pattern!(DOTTED, r#"["']\s*\.\s*[$\w(]|[\w)\]]\s*\.\s*["']"#);
    pattern!(
        FORMATTED,
        r#"["'`]\s*\)?\s*\.\s*(?:format|formatted|concat)\s*\(|\b(?:String\.format|string\.Format|fmt\.Sprintf|Sprintf|sprintf|snprintf|format!|printf|string\.Concat|String\.Format|MessageFormat\.format|std::format|absl::StrCat|fmt::format|\.join)\s*\("#
    );
    if splices(side, language, range.clone()) {
        return true;
    }
    let code = &side.code[range];
    if !code.contains(['"', '\'', '`']) {
        return false;
    }
    let is_dotted = matches!(language, Language::Php | Language::Perl);
    (JOINED.is_match(code) && has_names(code))
        || FORMATTED.is_match(code)
        || (is_dotted && DOTTED.is_match(code))
}

/// The insides of the first string literal in the range, as bytes of the side.
pub fn first_literal(side: &Side, range: Range<usize>) -> Option<Range<usize>> {
    let code = side.code[range.clone()].as_bytes();
    let open = code.iter().position(|b| matches!(b, b'"' | b'\'' | b'`'))?;
    let quote = code[open];
    let len = code[open + 1..].iter().position(|b| *b == quote)?;
    let start = range.start + open + 1;
    Some(start..start + len)
}
