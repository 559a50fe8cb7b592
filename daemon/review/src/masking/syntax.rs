//! What comments and strings look like, one row per language.

use crate::language::Language;

/// Where a `#` starts a comment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    No,
    Anywhere,
    /// At the start of a line or behind a blank, `;`, `(`, `{`, `|`, `&`.
    AfterBlank,
    /// Only as the first character of a line's content.
    LineStart,
}

/// How a quote behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// It is no quote.
    No,
    /// A string that ends on its line.
    Line,
    /// A string that may span lines.
    Multi,
    /// As `Multi`, without escapes (a doubled quote simply starts another string).
    Raw,
    /// A character literal, or something else where none fits (lifetimes, primes).
    Char,
    /// A JavaScript template.
    Template,
    /// A string only where a value starts (YAML).
    Value,
}

/// How code is written inside of a string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpolation {
    No,
    /// `${code}`
    Dollar,
    /// `#{code}`
    Hash,
    /// `\(code)`
    Backslash,
    /// `$(code)` and `` `code` ``
    Shell,
    /// `{code}`, where the string's prefix says so.
    Brace,
}

/// The traits of a language that have code of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Other,
    Rust,
    Python,
    Script,
    Ruby,
    Php,
    Shell,
    Perl,
    Elixir,
    CSharp,
    Cpp,
    Lua,
    PowerShell,
    Markup,
    Swift,
    Sql,
    Terraform,
}

pub(super) struct Syntax {
    /// Nothing to mask.
    pub(super) plain: bool,
    pub(super) family: Family,
    /// `//` comments.
    pub(super) slashes: bool,
    /// `/* */` comments.
    pub(super) block: bool,
    /// Block comments nest.
    pub(super) nested: bool,
    pub(super) hash: Hash,
    /// `--` comments.
    pub(super) dashes: bool,
    /// `;` comments at the start of a line.
    pub(super) semicolon: bool,
    pub(super) double: Quote,
    pub(super) single: Quote,
    pub(super) backtick: Quote,
    /// `"""` (and `'''` where single quotes make strings).
    pub(super) triple: bool,
    pub(super) interpolation: Interpolation,
}

const NONE: Syntax = Syntax {
    plain: false,
    family: Family::Other,
    slashes: false,
    block: false,
    nested: false,
    hash: Hash::No,
    dashes: false,
    semicolon: false,
    double: Quote::Line,
    single: Quote::Line,
    backtick: Quote::No,
    triple: false,
    interpolation: Interpolation::No,
};
const C: Syntax = Syntax {
    slashes: true,
    block: true,
    ..NONE
};

static PLAIN: Syntax = Syntax {
    plain: true,
    ..NONE
};
static CPP: Syntax = Syntax {
    family: Family::Cpp,
    ..C
};
static JAVA: Syntax = Syntax { triple: true, ..C };
static RUST: Syntax = Syntax {
    family: Family::Rust,
    nested: true,
    double: Quote::Multi,
    single: Quote::Char,
    ..C
};
static PYTHON: Syntax = Syntax {
    family: Family::Python,
    hash: Hash::Anywhere,
    triple: true,
    interpolation: Interpolation::Brace,
    ..NONE
};
static SCRIPT: Syntax = Syntax {
    family: Family::Script,
    backtick: Quote::Template,
    interpolation: Interpolation::Dollar,
    ..C
};
static GO: Syntax = Syntax {
    backtick: Quote::Raw,
    ..C
};
static KOTLIN: Syntax = Syntax {
    nested: true,
    triple: true,
    interpolation: Interpolation::Dollar,
    ..C
};
static SCALA: Syntax = Syntax {
    single: Quote::Char,
    nested: true,
    triple: true,
    interpolation: Interpolation::Dollar,
    ..C
};
static CSHARP: Syntax = Syntax {
    family: Family::CSharp,
    triple: true,
    interpolation: Interpolation::Brace,
    ..C
};
static SWIFT: Syntax = Syntax {
    family: Family::Swift,
    nested: true,
    triple: true,
    single: Quote::No,
    interpolation: Interpolation::Backslash,
    ..C
};
static RUBY: Syntax = Syntax {
    family: Family::Ruby,
    hash: Hash::AfterBlank,
    double: Quote::Multi,
    single: Quote::Multi,
    backtick: Quote::Multi,
    interpolation: Interpolation::Hash,
    ..NONE
};
static PHP: Syntax = Syntax {
    family: Family::Php,
    hash: Hash::Anywhere,
    double: Quote::Multi,
    single: Quote::Multi,
    backtick: Quote::Multi,
    ..C
};
static PERL: Syntax = Syntax {
    family: Family::Perl,
    hash: Hash::AfterBlank,
    double: Quote::Multi,
    single: Quote::Multi,
    backtick: Quote::Line,
    ..NONE
};
static LUA: Syntax = Syntax {
    family: Family::Lua,
    dashes: true,
    ..NONE
};
static DART: Syntax = Syntax {
    nested: true,
    triple: true,
    interpolation: Interpolation::Dollar,
    ..C
};
static ELIXIR: Syntax = Syntax {
    family: Family::Elixir,
    hash: Hash::AfterBlank,
    double: Quote::Multi,
    triple: true,
    interpolation: Interpolation::Hash,
    ..NONE
};
static SHELL: Syntax = Syntax {
    family: Family::Shell,
    hash: Hash::AfterBlank,
    double: Quote::Multi,
    single: Quote::Raw,
    interpolation: Interpolation::Shell,
    ..NONE
};
static POWERSHELL: Syntax = Syntax {
    family: Family::PowerShell,
    hash: Hash::AfterBlank,
    double: Quote::Multi,
    single: Quote::Raw,
    ..NONE
};
static SQL: Syntax = Syntax {
    family: Family::Sql,
    block: true,
    dashes: true,
    hash: Hash::LineStart,
    double: Quote::Line,
    single: Quote::Raw,
    backtick: Quote::Line,
    ..NONE
};
static MARKUP: Syntax = Syntax {
    family: Family::Markup,
    double: Quote::No,
    single: Quote::No,
    ..NONE
};
static CSS: Syntax = C;
static JSON: Syntax = Syntax {
    single: Quote::No,
    ..C
};
static YAML: Syntax = Syntax {
    hash: Hash::AfterBlank,
    double: Quote::Value,
    single: Quote::Value,
    ..NONE
};
static TOML: Syntax = Syntax {
    hash: Hash::Anywhere,
    triple: true,
    ..NONE
};
static INI: Syntax = Syntax {
    hash: Hash::LineStart,
    semicolon: true,
    double: Quote::No,
    single: Quote::No,
    ..NONE
};
static MAKEFILE: Syntax = Syntax {
    hash: Hash::AfterBlank,
    ..NONE
};
static TERRAFORM: Syntax = Syntax {
    family: Family::Terraform,
    hash: Hash::Anywhere,
    single: Quote::No,
    interpolation: Interpolation::Dollar,
    ..C
};

pub(super) fn script() -> &'static Syntax {
    &SCRIPT
}

pub(super) fn of(language: Language) -> &'static Syntax {
    use Language::*;
    match language {
        Rust => &RUST,
        Python => &PYTHON,
        JavaScript | TypeScript => &SCRIPT,
        Go => &GO,
        Java => &JAVA,
        Kotlin => &KOTLIN,
        Scala => &SCALA,
        CSharp => &CSHARP,
        C | Cpp | ObjectiveC => &CPP,
        Swift => &SWIFT,
        Ruby => &RUBY,
        Php => &PHP,
        Perl => &PERL,
        Lua => &LUA,
        Dart => &DART,
        Elixir => &ELIXIR,
        Shell => &SHELL,
        PowerShell => &POWERSHELL,
        Sql => &SQL,
        Html | Vue | Xml | Markdown => &MARKUP,
        Css => &CSS,
        Json => &JSON,
        Yaml => &YAML,
        Toml => &TOML,
        Ini => &INI,
        Dockerfile | Makefile => &MAKEFILE,
        Terraform => &TERRAFORM,
        Text | Unknown => &PLAIN,
    }
}
