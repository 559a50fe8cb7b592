//! Lines out of bytes that come in any pieces, bounded.

use crate::decode::DecodeError;

/// Bytes that one line, or one event of several lines, may have.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// Bytes that a whole answer may have.
pub(crate) const MAX_ANSWER_BYTES: u64 = 32 << 20;

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// LF, or CR LF.
    Lf,
    /// LF, CR LF or CR, as event streams have it.
    CrOrLf,
}

/// Holds the unfinished line between two pieces. What waits here is at most [`MAX_LINE_BYTES`].
#[derive(Debug)]
pub(crate) struct Lines {
    ending: Ending,
    partial: Vec<u8>,
    /// The last byte was a CR that ended a line: an LF behind it belongs to the same ending.
    after_cr: bool,
    answer_bytes: u64,
}

impl Lines {
    pub(crate) fn new(ending: Ending) -> Self {
        Self {
            ending,
            partial: Vec::new(),
            after_cr: false,
            answer_bytes: 0,
        }
    }

    /// Hands every line that `bytes` completes to `take`, without its ending, until `take` fails
    /// or says that it has enough.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        self.answer_bytes = self.answer_bytes.saturating_add(bytes.len() as u64);
        if self.answer_bytes > MAX_ANSWER_BYTES {
            return Err(DecodeError::AnswerTooLong {
                limit_bytes: MAX_ANSWER_BYTES,
            });
        }
        while !bytes.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if bytes[0] == b'\n' {
                    bytes = &bytes[1..];
                    continue;
                }
            }
            let end = bytes.iter().position(|&byte| {
                byte == b'\n' || (byte == b'\r' && self.ending == Ending::CrOrLf)
            });
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            if self.partial.len() + piece.len() > MAX_LINE_BYTES {
                self.partial = Vec::new();
                return Err(DecodeError::LineTooLong {
                    limit_bytes: MAX_LINE_BYTES as u64,
                });
            }
            let Some(end) = end else {
                self.partial.extend_from_slice(piece);
                return Ok(());
            };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let more = if self.partial.is_empty() {
                take(without_cr(piece))
            } else {
                self.partial.extend_from_slice(piece);
                let line = std::mem::take(&mut self.partial);
                take(without_cr(&line))
            }?;
            if !more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The last line, which nothing ended.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(ending: Ending, pieces: &[&[u8]]) -> (Vec<String>, String) {
        let mut lines = Lines::new(ending);
        let mut seen = Vec::new();
        for piece in pieces {
            lines
                .feed(piece, |line| {
                    seen.push(String::from_utf8(line.to_vec()).unwrap());
                    Ok(true)
                })
                .unwrap();
        }
        (seen, String::from_utf8(lines.rest()).unwrap())
    }

    #[test]
    fn endings_split_anywhere_make_the_same_lines() {
        let text: &[u8] = b"a\r\n\r\nbc\nd\re\n\rrest";
        let whole = lines(Ending::CrOrLf, &[text]);
        assert_eq!(whole.0, ["a", "", "bc", "d", "e", ""]);
        assert_eq!(whole.1, "rest");
        for at in 0..=text.len() {
            assert_eq!(
                lines(Ending::CrOrLf, &[&text[..at], &text[at..]]),
                whole,
                "{at}"
            );
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(Ending::CrOrLf, &bytes), whole);
    }

    #[test]
    fn a_cr_is_no_ending_where_only_lf_is() {
        let (seen, rest) = lines(Ending::Lf, &[b"{\r}\r", b"\nx"]);
        assert_eq!(seen, ["{\r}"]);
        assert_eq!(rest, "x");
    }

    #[test]
    fn a_line_and_an_answer_are_bounded() {
        let mut long = Lines::new(Ending::Lf);
        let piece = vec![b'x'; 64 << 10];
        let mut fed = 0;
        let error = loop {
            match long.feed(&piece, |_| Ok(true)) {
                Ok(()) => fed += piece.len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DecodeError::LineTooLong { .. }));
        assert_eq!(fed, MAX_LINE_BYTES);

        let mut many = Lines::new(Ending::Lf);
        let mut piece = vec![b'x'; 64 << 10];
        *piece.last_mut().unwrap() = b'\n';
        let mut fed = 0;
        let error = loop {
            match many.feed(&piece, |_| Ok(true)) {
                Ok(()) => fed += piece.len() as u64,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DecodeError::AnswerTooLong { .. }));
        assert_eq!(fed, MAX_ANSWER_BYTES);
    }
}
