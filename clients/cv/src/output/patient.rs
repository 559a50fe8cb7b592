//! Writing to a reader that may never read: Ctrl-C and `--timeout` hold there too.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::AsFd,
    io::Errno,
};

/// What a pipe takes without blocking once it says that it can be written.
const PART_BYTES: usize = 4096;

/// Why a write was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// A signal came while the reader did not read.
    #[error("interrupted while writing")]
    Interrupted,
    /// The time was up while the reader did not read.
    #[error("nobody read for {limit_ms} ms")]
    TimedOut {
        /// `--timeout`.
        limit_ms: u64,
    },
}

/// A stream that is written only when it takes bytes. Blocking in write(2) instead would be
/// deaf: the handler of a signal makes it start over.
pub struct Patient<F> {
    stream: F,
    limit: Option<(Instant, u64)>,
    stuck: Option<Stuck>,
}

impl<F: AsFd> Patient<F> {
    /// Gives up `limit_ms` from now.
    pub fn new(stream: F, limit_ms: Option<u64>) -> Self {
        let limit = limit_ms.and_then(|ms| {
            let at = Instant::now().checked_add(Duration::from_millis(ms))?;
            Some((at, ms))
        });
        Self {
            stream,
            limit,
            stuck: None,
        }
    }

    fn ready(&mut self) -> io::Result<()> {
        if self.stuck.is_none() {
            let left = self.limit.map(|(at, _)| {
                let left = at.saturating_duration_since(Instant::now());
                Timespec::try_from(left).unwrap_or_default()
            });
            let mut streams = [PollFd::new(&self.stream, PollFlags::OUT)];
            match poll(&mut streams, left.as_ref()) {
                Ok(0) => {
                    let limit_ms = self.limit.map_or(0, |(_, ms)| ms);
                    self.stuck = Some(Stuck::TimedOut { limit_ms });
                }
                // Whatever is wrong with the stream, the write says it.
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => self.stuck = Some(Stuck::Interrupted),
                Err(errno) => return Err(errno.into()),
            }
        }
        match self.stuck {
            Some(stuck) => Err(io::Error::other(stuck)),
            None => Ok(()),
        }
    }
}

impl<F: AsFd> Write for Patient<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.ready()?;
        let part = &bytes[..bytes.len().min(PART_BYTES)];
        Ok(rustix::io::write(&self.stream, part)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Failure, exit::Exit};

    #[test]
    fn a_reader_that_never_reads_ends_with_the_time() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let mut patient = Patient::new(writer, Some(50));
        let much = vec![b'x'; 1 << 20];
        let error = patient.write_all(&much).expect_err("nobody reads");
        assert_eq!(Failure::output(&error).exit(), Exit::Timeout);
        // And stays so: what tells the failure must not wait again.
        let error = patient.write_all(b"x").expect_err("nobody reads");
        assert_eq!(Failure::output(&error).exit(), Exit::Timeout);
        drop(reader);
    }

    #[test]
    fn a_reader_that_went_is_noticed() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let error = Patient::new(writer, None)
            .write_all(b"x")
            .expect_err("nobody reads");
        assert_eq!(Failure::output(&error).exit(), Exit::Ok);
    }
}
