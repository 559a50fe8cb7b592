//! Aids for rules: call arguments, constant strings, import aliases, entropy, placeholders.

pub mod calls;
pub mod decode;
pub mod habitat;
pub mod imports;
pub mod key_formats;
pub mod manifests;
pub mod product;
pub mod quality;
pub mod rows;
pub mod scope;
pub mod secret_names;
pub mod strings;
pub mod test_shape;

use std::sync::LazyLock;

use regex::Regex;

use crate::{language::Role, view::FileView};

/// A pattern compiled on first use.
pub type Pattern = LazyLock<Regex>;

/// Compiles a pattern of a rule. `\s`, `\w`, `\d` and `\b` mean ASCII, which is several times as
/// fast on whole hunks. Patterns are constants; the fixtures of each rule run them.
#[expect(
    clippy::expect_used,
    reason = "patterns are constants, each one is run by its fixtures"
)]
pub fn compile(pattern: &str) -> Regex {
    let mut ascii = String::with_capacity(pattern.len() * 2);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            ascii.push(c);
            continue;
        }
        match chars.next() {
            Some('s') => ascii.push_str(r"[\t\n\f\r\x20]"),
            Some('w') => ascii.push_str("[0-9A-Za-z_]"),
            Some('d') => ascii.push_str("[0-9]"),
            Some('b') => ascii.push_str(r"(?-u:\b)"),
            Some(other) => {
                ascii.push('\\');
                ascii.push(other);
            }
            None => ascii.push('\\'),
        }
    }
    Regex::new(&ascii).expect("a constant pattern")
}

/// True for files whose code ships or deploys: product code and build scripts.
pub fn ships(file: &FileView<'_>) -> bool {
    matches!(file.role, Role::Source | Role::Build)
}

/// Declares a static [`Pattern`].
macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident, $re:expr) => {
        $(#[$doc])*
        static $name: $crate::matching::Pattern =
            std::sync::LazyLock::new(|| $crate::matching::compile($re));
    };
}
pub(crate) use pattern;
