//! A stdout that was closed before the process began (`cv review >&-`).

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks whether stdout is closed. Only before `main` does anybody still know, so this calls
/// the system and nothing of the standard library.
pub fn look() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Whether stdout was closed when somebody looked.
pub fn stdout_was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// What stands for a closed stream: it takes nothing.
pub struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("stdout is closed"))
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
    fn a_closed_stream_refuses_in_words_and_is_no_reader_that_left() {
        let error = Closed.write_all(b"x").expect_err("closed");
        let failure = Failure::output(&error);
        assert_eq!(failure.exit(), Exit::Internal);
        assert_eq!(failure.why, "stdout is closed");
    }
}
