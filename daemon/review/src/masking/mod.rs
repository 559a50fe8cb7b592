//! Comments and strings told apart, byte by byte, for every language that rules know.
//!
//! The two results have the length and the newlines of the text. A lexer for a language this is
//! not: it must be right about what is comment, string and code, and recover where a hunk starts
//! in the middle of something.

mod document;
mod literal;
mod scan;
mod start;
mod syntax;

use crate::language::Language;

/// `text` in two thinner versions; see [`crate::view::Side`].
pub(crate) struct Masked {
    /// Without comments and the insides of strings.
    pub(crate) code: String,
    /// Without comments.
    pub(crate) live: String,
}

/// Masks `text`, which starts at the file's first line if `whole` is true, anywhere otherwise.
pub(crate) fn mask(language: Language, text: &str, whole: bool) -> Masked {
    let syntax = syntax::of(language);
    if syntax.plain {
        return Masked {
            code: text.to_owned(),
            live: text.to_owned(),
        };
    }
    let mut scanner = scan::Scanner::new(text, syntax);
    if whole {
        start::begin(&mut scanner);
    } else {
        start::recover(&mut scanner);
    }
    scanner.run();
    let scan::Scanner { code, live, .. } = scanner;
    Masked {
        code: into_text(code, text),
        live: into_text(live, text),
    }
}

/// Blanking replaces whole characters between ASCII borders, so this never fails; if it did,
/// showing nothing would be right and showing the wrong thing wouldn't.
fn into_text(bytes: Vec<u8>, text: &str) -> String {
    String::from_utf8(bytes).unwrap_or_else(|_| {
        text.bytes()
            .map(|b| if b == b'\n' { '\n' } else { ' ' })
            .collect()
    })
}

#[cfg(test)]
mod tests;
