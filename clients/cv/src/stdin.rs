//! What stands on stdin, and reading it.

use std::{fs::File, io::Read};

use rustix::fs::{FileType, Stat, fstat};
use tokio::sync::oneshot;

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

/// stdin while it is read on a thread of its own.
pub struct Pipe {
    /// True with the first byte, false at an end without one.
    pub first: oneshot::Receiver<bool>,
    /// Everything, at the end; none where it is more than was allowed.
    pub all: oneshot::Receiver<Result<Option<Vec<u8>>, Failure>>,
}

/// Begins to read stdin, at most `max` bytes. The thread ends with stdin or with the process.
pub fn watch(max: usize) -> Result<Pipe, Failure> {
    let unreadable = |error: &std::io::Error| {
        Failure::new(
            Kind::Io,
            "stdin could not be read",
            describe(error),
            Hint::ASK_HELP,
        )
    };
    let stdin =
        rustix::io::dup(rustix::stdio::stdin()).map_err(|error| unreadable(&error.into()))?;
    let (some, first) = oneshot::channel();
    let (done, all) = oneshot::channel();
    let read = move || {
        let mut stdin = File::from(stdin).take(max as u64 + 1);
        let mut bytes = vec![0; 64 * 1024];
        let began = loop {
            match stdin.read(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let outcome = began.and_then(|count| {
            bytes.truncate(count);
            // Nobody may wait for either any more.
            let _ = some.send(count > 0);
            if count > 0 {
                stdin.read_to_end(&mut bytes)?;
            }
            Ok((bytes.len() <= max).then_some(bytes))
        });
        let _ = done.send(outcome.map_err(|error| unreadable(&error)));
    };
    std::thread::Builder::new()
        .name("cv-stdin".to_owned())
        .spawn(read)
        .map_err(|error| unreadable(&error))?;
    Ok(Pipe { first, all })
}
