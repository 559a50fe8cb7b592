//! Values, layers and where a value came from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number; its unit is the last word of the key's name.
    Integer(i64),
    /// One of the key's allowed words, or text of the key's form.
    Word(String),
    /// Several texts of the key's form.
    List(Vec<String>),
    /// Nothing: no layer sets it and there is no built-in value.
    Unset,
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(out),
            Self::Integer(value) => value.fmt(out),
            Self::Word(value) => value.fmt(out),
            Self::List(values) => values.join(",").fmt(out),
            Self::Unset => out.write_str("(not set)"),
        }
    }
}

/// A layer of settings, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// What the program ships with.
    Default,
    /// The user's `config.toml`.
    User,
    /// `CONVERGIO_<SECTION>_<KEY>` variables.
    Environment,
    /// Flags of one command.
    Flag,
    /// The organization's `policy.toml`.
    Policy,
}

impl Layer {
    /// Every layer, weakest first.
    pub const ALL: [Self; 5] = [
        Self::Default,
        Self::User,
        Self::Environment,
        Self::Flag,
        Self::Policy,
    ];

    /// The layer as people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::User => "user file",
            Self::Environment => "environment",
            Self::Flag => "flag",
            Self::Policy => "managed policy",
        }
    }
}

/// Where a value or a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    /// Built into the program.
    Default,
    /// A file, and the place in it where one is known.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: Option<u32>,
        /// In characters, counted from 1.
        column: Option<u32>,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
    },
    /// A flag of the command.
    Flag {
        /// The flag as typed, for instance `--fail-on`.
        name: String,
    },
}

impl Origin {
    /// A whole file.
    pub(crate) fn file(path: &Path) -> Self {
        Self::File {
            path: path.to_owned(),
            line: None,
            column: None,
        }
    }

    /// The place at byte `offset` of `text`, which is the content of `path`.
    pub(crate) fn at(path: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before[line_start..].chars().count() + 1;
        Self::File {
            path: path.to_owned(),
            line: u32::try_from(line).ok(),
            column: u32::try_from(column).ok(),
        }
    }

    /// The file, where this is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => Some(path),
            Self::Default | Self::Variable { .. } | Self::Flag { .. } => None,
        }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::File { line, .. } => *line,
            Self::Default | Self::Variable { .. } | Self::Flag { .. } => None,
        }
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> Option<u32> {
        match self {
            Self::File { column, .. } => *column,
            Self::Default | Self::Variable { .. } | Self::Flag { .. } => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("built in"),
            Self::File { path, line, column } => {
                write!(out, "{}", path.display())?;
                if let Some(line) = line {
                    write!(out, ":{line}")?;
                }
                if let Some(column) = column {
                    write!(out, ":{column}")?;
                }
                Ok(())
            }
            // Any bytes may be in a variable's name.
            Self::Variable { name } | Self::Flag { name } => name.escape_debug().fmt(out),
        }
    }
}

/// A value together with where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The value, already checked against its key.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}
