//! Errors that say what was being done, where, why it failed, and the way out.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::value::Origin;

/// What sort of thing went wrong; the edge maps it to a wire error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The operating system refused a file operation.
    Io,
    /// The file is not TOML, or not UTF-8.
    Syntax,
    /// No setting has this name.
    UnknownKey,
    /// The value has another type than the key.
    WrongType,
    /// The value has the right type but is not allowed.
    OutOfRange,
    /// The file is larger than this program reads.
    TooLarge,
    /// `config_version` is newer than this program.
    NewerVersion,
    /// The file changed since it was read, or another edit is under way.
    Conflict,
    /// The managed policy fixes this key.
    FixedByPolicy,
    /// The managed policy file could be changed by somebody else than its owner.
    PolicyUntrusted,
    /// The file or its folder belongs to another user.
    ForeignOwner,
    /// Something is in the file's place that is not a regular file.
    NotAFile,
    /// A folder can't be derived from the environment.
    NoFolder,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What sort of fault this is.
    pub kind: ErrorKind,
    /// What was being done, for instance `read the settings`.
    pub activity: &'static str,
    /// Where it is: a file with line and column, a variable, a flag.
    pub origin: Option<Origin>,
    /// Why it is wrong, in one sentence without a full stop.
    pub reason: String,
    /// The way out: a command or an action.
    pub hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "can't {}", self.activity)?;
        if let Some(origin) = &self.origin {
            write!(out, ": {origin}")?;
        }
        write!(out, ": {}", self.reason)
    }
}

/// One or more faults that stop an operation; there is always a first one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{first}{}", more(.rest))]
pub struct ConfigError {
    first: Box<Fault>,
    rest: Vec<Fault>,
}

fn more(rest: &[Fault]) -> String {
    match rest.len() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    }
}

impl ConfigError {
    /// An error from faults that were found; `None` when there are none.
    pub(crate) fn from_faults(faults: Vec<Fault>) -> Option<Self> {
        let mut faults = faults.into_iter();
        let first = Box::new(faults.next()?);
        Some(Self {
            first,
            rest: faults.collect(),
        })
    }

    /// The first fault.
    pub fn first(&self) -> &Fault {
        &self.first
    }

    /// Every fault, the first one included, in the order of the file.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        std::iter::once(&*self.first).chain(&self.rest)
    }

    /// The sort of the first fault.
    pub fn kind(&self) -> ErrorKind {
        self.first.kind
    }

    /// The file of the first fault, where it is in a file.
    pub fn path(&self) -> Option<&Path> {
        self.first.origin.as_ref().and_then(Origin::path)
    }

    /// The line of the first fault, counted from 1.
    pub fn line(&self) -> Option<u32> {
        self.first.origin.as_ref().and_then(Origin::line)
    }

    /// The column of the first fault in characters, counted from 1.
    pub fn column(&self) -> Option<u32> {
        self.first.origin.as_ref().and_then(Origin::column)
    }

    /// The way out of the first fault.
    pub fn hint(&self) -> &str {
        &self.first.hint
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self {
            first: Box::new(fault),
            rest: Vec::new(),
        }
    }
}

/// Text from a file or variable, made safe to print: escaped, and cut at 60
/// characters with a visible mark.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    format!("{shown:?}")
}
