//! From bytes to text: colour codes out, invalid UTF-8 replaced and said so.

use std::borrow::Cow;

use memchr::memchr;

/// A diff's bytes as text.
#[derive(Clone, Debug)]
pub struct DiffText<'d> {
    /// The text, borrowed where nothing had to be changed.
    pub text: Cow<'d, str>,
    /// True where bytes that are no UTF-8 were replaced by U+FFFD.
    pub lossy: bool,
}

const ESC: u8 = 0x1b;
const COLOURED_HEADERS: [&[u8]; 7] = [
    b"diff ", b"@@", b"--- ", b"+++ ", b"index ", b"commit ", b"Index: ",
];
const SNIFFED_LINES: usize = 4_000;

/// Decodes `bytes`, without the colour codes of `git -c color.ui=always`.
///
/// Codes are only taken out where a header line is coloured: escapes that are content of a file
/// under review stay.
pub fn decode(bytes: &[u8]) -> DiffText<'_> {
    let plain = if is_coloured(bytes) {
        Cow::Owned(without_colour(bytes))
    } else {
        Cow::Borrowed(bytes)
    };
    match plain {
        Cow::Borrowed(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let lossy = matches!(text, Cow::Owned(_));
            DiffText { text, lossy }
        }
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => DiffText {
                text: Cow::Owned(text),
                lossy: false,
            },
            Err(error) => DiffText {
                text: Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
                lossy: true,
            },
        },
    }
}

fn is_coloured(bytes: &[u8]) -> bool {
    if memchr(ESC, bytes).is_none() {
        return false;
    }
    bytes
        .split(|&b| b == b'\n')
        .take(SNIFFED_LINES)
        .any(|line| {
            line.first() == Some(&ESC) && {
                let mut rest = line;
                while let Some(length) = colour_code_length(rest) {
                    rest = &rest[length..];
                }
                COLOURED_HEADERS
                    .iter()
                    .any(|header| rest.starts_with(header))
            }
        })
}

fn without_colour(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr(ESC, rest) {
        plain.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let skip = match colour_code_length(rest) {
            Some(length) => length,
            None => {
                plain.push(ESC);
                1
            }
        };
        rest = &rest[skip..];
    }
    plain.extend_from_slice(rest);
    plain
}

/// Length of the `ESC [ … m` or `ESC [ … K` at the start of `bytes`.
fn colour_code_length(bytes: &[u8]) -> Option<usize> {
    let body = bytes.strip_prefix(b"\x1b[")?;
    let end = body
        .iter()
        .position(|b| !(b.is_ascii_digit() || *b == b';'))?;
    matches!(body[end], b'm' | b'K').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_taken_out_of_a_coloured_diff() {
        let coloured = b"\x1b[1mdiff --git a/x b/x\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n\x1b[32m+\x1b[m\x1b[32mnew\x1b[m\n";
        assert_eq!(
            decode(coloured).text,
            "diff --git a/x b/x\n@@ -1 +1 @@\n+new\n"
        );
    }

    #[test]
    fn escapes_that_are_content_stay() {
        let plain = b"diff --git a/x b/x\n@@ -1 +1 @@\n+\x1b[31mred\x1b[m\n";
        assert_eq!(decode(plain).text.as_bytes(), plain);
        assert!(matches!(decode(plain).text, Cow::Borrowed(_)));
    }

    #[test]
    fn invalid_utf8_is_replaced_and_said() {
        let decoded = decode(b"+caf\xe9\n");
        assert!(decoded.lossy);
        assert_eq!(decoded.text, "+caf\u{fffd}\n");
    }
}
