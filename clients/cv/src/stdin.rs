//! What stands on stdin, and reading it.

use std::{fs::File, io::Read};

use rustix::fs::{FileType, Stat, fstat};

use crate::{
    error::{Failure, Kind, describe},
    hint::Hint,
};

/// What stdin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A terminal or /dev/null: nothing is meant to be read.
    Nothing,
    /// A pipe, a socket or a file.
    Bytes,
}

/// Looks at stdin without reading from it.
pub fn source() -> Source {
    use std::io::IsTerminal;
    if std::io::stdin().is_terminal() {
        return Source::Nothing;
    }
    match fstat(rustix::stdio::stdin()) {
        Ok(stat) if is_null(&stat) => Source::Nothing,
        Ok(_) => Source::Bytes,
        // No descriptor at all: nothing to read.
        Err(_) => Source::Nothing,
    }
}

fn is_null(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && rustix::fs::stat("/dev/null").is_ok_and(|null| null.st_rdev == stat.st_rdev)
}

/// Reads all of stdin, at most `max` bytes. Blocks.
pub fn read_all(max: usize) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: &std::io::Error| {
        Failure::new(
            Kind::Io,
            "stdin could not be read",
            describe(error),
            Hint::REVIEW_HELP,
        )
    };
    let stdin =
        rustix::io::dup(rustix::stdio::stdin()).map_err(|error| unreadable(&error.into()))?;
    let mut bytes = Vec::new();
    File::from(stdin)
        .take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() > max {
        return Err(too_large(max));
    }
    Ok(bytes)
}

/// A diff beyond the limit.
pub fn too_large(max: usize) -> Failure {
    Failure::new(
        Kind::TooLarge,
        "The diff is too large",
        format!("a review takes {} MiB at most", max / 1024 / 1024),
        Hint::NARROWER,
    )
}
