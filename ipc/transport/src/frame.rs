//! One line is one frame: a bounded reader, and the checks that come before any parsing.

use bytes::{Bytes, BytesMut};
use convergio_contract::limits::{LINE_MAX_BYTES, NESTING_MAX};
use memchr::{memchr, memchr2};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is read at once.
const READ_BYTES: usize = 16 * 1024;

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its newline.
    Complete(Bytes),
    /// A line over the limit; it was skipped to its newline, and the next one can be read.
    TooLong,
}

/// Reads lines of at most [`LINE_MAX_BYTES`] and never holds more than that.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    buffer: BytesMut,
    searched: usize,
    skipping: bool,
    max_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader with the contract's limit.
    pub fn new(reader: R) -> Self {
        Self::with_limit(reader, LINE_MAX_BYTES)
    }

    /// A reader with a limit of its own, in bytes, the newline included.
    pub fn with_limit(reader: R, max_bytes: usize) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            searched: 0,
            skipping: false,
            max_bytes,
        }
    }

    /// The next line; `None` at the end. An unfinished last line is dropped: it was never sent
    /// whole. Safe to cancel: what was read stays for the next call.
    pub async fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            self.buffer.reserve(READ_BYTES);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// A line that is already here, if there is one.
    pub fn take_line(&mut self) -> Option<Line> {
        let found = memchr(b'\n', &self.buffer[self.searched..]).map(|at| at + self.searched);
        let Some(end) = found else {
            if self.skipping || self.buffer.len() >= self.max_bytes {
                self.skipping = true;
                // A fresh buffer, so that the memory of the long line goes back now.
                self.buffer = BytesMut::new();
            }
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        let mut line = self.buffer.split_to(end + 1);
        if self.skipping || line.len() > self.max_bytes {
            self.skipping = false;
            return Some(Line::TooLong);
        }
        line.truncate(end);
        if line.last() == Some(&b'\r') {
            line.truncate(end - 1);
        }
        Some(Line::Complete(line.freeze()))
    }
}

/// Why a line is no message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameFault {
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// Arrays or objects nested too deep.
    #[error("the line nests deeper than {NESTING_MAX} levels")]
    TooDeep,
    /// A JSON array: batches are not taken.
    #[error("batches are not taken; send one request a line")]
    Batch,
}

/// The checks before parsing: encoding, nesting, no batch. Linear, without allocation or
/// recursion, whatever the line holds.
pub fn check(line: &[u8]) -> Result<&str, FrameFault> {
    if line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(FrameFault::Batch);
    }
    if nests_deeper(line, NESTING_MAX) {
        return Err(FrameFault::TooDeep);
    }
    std::str::from_utf8(line).map_err(|_| FrameFault::NotUtf8)
}

fn nests_deeper(line: &[u8], max: usize) -> bool {
    let mut depth = 0usize;
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b'{' | b'[' => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                at += 1;
                while let Some(found) = memchr2(b'"', b'\\', line.get(at..).unwrap_or_default()) {
                    at += found;
                    if line[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
                if at >= line.len() || line[at] != b'"' {
                    return false;
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn lines(input: &[u8], max_bytes: usize) -> Vec<Line> {
        let mut reader = FrameReader::with_limit(input, max_bytes);
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await.unwrap() {
            lines.push(line);
        }
        lines
    }

    fn complete(text: &str) -> Line {
        Line::Complete(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[tokio::test]
    async fn a_long_line_is_skipped_and_the_next_one_read() {
        let long = "x".repeat(100_000);
        let input = format!("a\n{long}\nb\r\nunfinished");
        let found = lines(input.as_bytes(), 1000).await;
        assert_eq!(found, [complete("a"), Line::TooLong, complete("b")]);
    }

    #[tokio::test]
    async fn the_limit_counts_the_newline() {
        assert_eq!(lines(b"123\n", 4).await, [complete("123")]);
        assert_eq!(lines(b"1234\n", 4).await, [Line::TooLong]);
    }

    #[tokio::test]
    async fn memory_stays_at_the_limit_while_a_line_is_skipped() {
        let (mut writer, reader) = tokio::io::duplex(1 << 16);
        let task = tokio::spawn(async move {
            let mut reader = FrameReader::with_limit(reader, 1 << 16);
            let line = reader.next().await.unwrap();
            (line, reader.buffer.capacity())
        });
        let chunk = vec![b'x'; 1 << 16];
        for _ in 0..64 {
            tokio::io::AsyncWriteExt::write_all(&mut writer, &chunk)
                .await
                .unwrap();
        }
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"\n")
            .await
            .unwrap();
        let (line, capacity) = task.await.unwrap();
        assert_eq!(line, Some(Line::TooLong));
        assert!(capacity <= 1 << 18, "{capacity}");
    }

    #[test]
    fn faults_are_told_apart() {
        assert_eq!(check(b"  [1,2]"), Err(FrameFault::Batch));
        assert_eq!(check(b"{\"a\":\"\xff\"}"), Err(FrameFault::NotUtf8));
        let deep = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        assert!(check(deep(NESTING_MAX).as_bytes()).is_ok());
        assert_eq!(
            check(deep(NESTING_MAX + 1).as_bytes()),
            Err(FrameFault::TooDeep)
        );
        assert_eq!(
            check(&b"{\"a\":[".repeat(100_000)),
            Err(FrameFault::TooDeep)
        );
        let braces_in_text = format!("{{\"a\":\"{}\\\"{}\"}}", "[".repeat(500), "{".repeat(500));
        assert!(check(braces_in_text.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            texts in prop::collection::vec("[a-z\"{}\\[\\]]{0,40}", 0..8),
            cut in 1usize..20,
        ) {
            let input: String = texts.iter().map(|text| format!("{text}\n")).collect();
            let whole = futures_block(lines(input.as_bytes(), 1 << 20));
            let pieces = futures_block(async {
                let (mut writer, reader) = tokio::io::duplex(cut);
                let input = input.clone();
                let write = async move {
                    tokio::io::AsyncWriteExt::write_all(&mut writer, input.as_bytes()).await.unwrap();
                };
                let read = async {
                    let mut reader = FrameReader::new(reader);
                    let mut lines = Vec::new();
                    while let Some(line) = reader.next().await.unwrap() {
                        lines.push(line);
                    }
                    lines
                };
                tokio::join!(write, read).1
            });
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn no_bytes_make_the_checks_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = check(&bytes);
        }
    }

    fn futures_block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }
}
