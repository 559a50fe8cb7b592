//! Server-sent events: what the HTML standard's event stream says, as far as providers use it,
//! bounded. A crate would give the parsing and not the bounds.

use crate::{
    decode::DecodeError,
    lines::{Ending, Lines, MAX_LINE_BYTES},
};

/// One dispatched event. Its type is not kept: every dialect here repeats it in the data.
#[derive(Debug, Default)]
struct Pending {
    data: Vec<u8>,
    has_data: bool,
}

/// Reads an event stream piece by piece.
#[derive(Debug)]
pub struct EventStream {
    lines: Lines,
    pending: Pending,
    first_line: bool,
}

impl EventStream {
    /// Before the first byte.
    pub fn new() -> Self {
        Self {
            lines: Lines::new(Ending::CrOrLf),
            pending: Pending::default(),
            first_line: true,
        }
    }

    /// Hands the data of every event that `bytes` completes to `take`, until it fails or says
    /// `Ok(false)`: that it has enough.
    ///
    /// # Errors
    /// Those of `take`, and lines, events and streams beyond their bounds: 1, 1 and 32 MiB.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let Self {
            lines,
            pending,
            first_line,
        } = self;
        lines.feed(bytes, |line| {
            let line = if std::mem::take(first_line) {
                line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
            } else {
                line
            };
            pending.line(line, &mut take)
        })
    }

    /// The stream is over. The standard drops an event that no empty line ended; servers that
    /// leave it out behind their end marker are common enough to be listened to.
    ///
    /// # Errors
    /// As [`Self::feed`].
    pub fn finish(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let rest = self.lines.rest();
        if !rest.is_empty() && !self.pending.line(&rest, &mut take)? {
            return Ok(());
        }
        self.pending.dispatch(&mut take).map(|_| ())
    }
}

impl Default for EventStream {
    fn default() -> Self {
        Self::new()
    }
}

impl Pending {
    fn line(
        &mut self,
        line: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<bool, DecodeError>,
    ) -> Result<bool, DecodeError> {
        if line.is_empty() {
            return self.dispatch(take);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = colon.map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
        // llama.cpp has a field of its own for errors.
        if name != b"data" && name != b"error" {
            return Ok(true);
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if self.data.len() + value.len() + 1 > MAX_LINE_BYTES {
            return Err(DecodeError::LineTooLong {
                limit_bytes: MAX_LINE_BYTES as u64,
            });
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.has_data = true;
        Ok(true)
    }

    fn dispatch(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<bool, DecodeError>,
    ) -> Result<bool, DecodeError> {
        if !std::mem::take(&mut self.has_data) {
            return Ok(true);
        }
        let more = take(&self.data);
        self.data.clear();
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut stream = EventStream::new();
        let mut seen = Vec::new();
        let mut take = |data: &[u8]| {
            seen.push(String::from_utf8(data.to_vec()).unwrap());
            Ok(true)
        };
        for piece in pieces {
            stream.feed(piece, &mut take).unwrap();
        }
        stream.finish(&mut take).unwrap();
        seen
    }

    #[test]
    fn events_split_anywhere_are_the_same() {
        let text = "\u{feff}: hello\nevent: x\ndata: {\"a\":\ndata:\"ü\"}\nid: 4\n\n\n\
                    data\n\nretry: 3\r\n\r\ndata:  two\r\rdata: [DONE]"
            .as_bytes();
        let whole = events(&[text]);
        assert_eq!(whole, ["{\"a\":\n\"ü\"}", "", " two", "[DONE]"]);
        for at in 0..=text.len() {
            assert_eq!(events(&[&text[..at], &text[at..]]), whole, "{at}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes), whole);
    }

    #[test]
    fn an_event_of_many_lines_is_bounded_too() {
        let mut stream = EventStream::new();
        let line = format!("data: {}\n", "x".repeat(100_000));
        let error = (0..100)
            .find_map(|_| stream.feed(line.as_bytes(), |_| Ok(true)).err())
            .unwrap();
        assert!(matches!(error, DecodeError::LineTooLong { .. }));
    }
}
