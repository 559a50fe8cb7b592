//! Text of others (diffs, paths, titles) must not drive the terminal that shows it.

use std::{borrow::Cow, fmt::Write as _};

/// Whether a terminal or a reader would act on the character instead of showing it: controls,
/// bidirectional and invisible ones, line separators, tags.
pub const fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The visible form of one character that [`is_unsafe`].
pub fn visible(c: char) -> String {
    match c {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{{{:x}}}", u32::from(other)),
    }
}

/// One line: every unsafe character, tab and newline included, becomes visible.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// Several lines: newlines stay, every other unsafe character becomes visible.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_unsafe(c))
}

fn escape(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) {
            escaped.push_str(&visible(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// JSON in one line in which every unsafe character is a `\u` escape: the same value, harmless
/// on a terminal.
pub fn json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|compact| harmless(compact, is_unsafe))
}

/// JSON as a person reads it, with the control characters that serde_json leaves alone escaped.
pub fn pretty_json(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    let control = |c: char| matches!(c, '\u{7f}'..='\u{9f}');
    serde_json::to_string_pretty(value).map(|text| harmless(text, control))
}

fn harmless(text: String, bad: impl Fn(char) -> bool) -> String {
    if !text.chars().any(&bad) {
        return text;
    }
    // Outside of strings serde_json writes ASCII punctuation only, so each of these characters
    // stands inside a string, where the escape means the same.
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut units = [0; 2];
    for c in text.chars() {
        if bad(c) {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Several lines of a model's for a terminal: newlines and tabs stay, and the joiners that
/// scripts and emoji are written with; every other unsafe character becomes visible.
pub fn shown(text: &str) -> Cow<'_, str> {
    escape(text, |c| {
        !matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}') && is_unsafe(c)
    })
}

/// A model's text on its way into a pipe, piece by piece: as it came, but for control characters,
/// which would drive a terminal behind the pipe. Those become visible; newlines and tabs stay.
#[derive(Clone, Debug, Default)]
pub struct Piped {
    /// A carriage return that waits for its newline.
    held: bool,
}

impl Piped {
    /// What the next piece of text puts out.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 2);
        for c in text.chars() {
            if self.held {
                self.held = false;
                out.push_str(if c == '\n' { "\r" } else { "\\r" });
            }
            match c {
                '\r' => self.held = true,
                '\n' | '\t' => out.push(c),
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => out.push_str(&visible(c)),
                c => out.push(c),
            }
        }
        out
    }

    /// What is left at the end.
    pub fn end(&mut self) -> String {
        if std::mem::take(&mut self.held) {
            "\\r".to_owned()
        } else {
            String::new()
        }
    }
}

/// A whole text of a model's as [`Piped`] lets it into a pipe or a file.
pub fn piped(text: &str) -> String {
    let mut piped = Piped::default();
    let mut out = piped.push(text);
    out.push_str(&piped.end());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_no_control_characters_and_json_stays_json() {
        assert_eq!(
            piped("a\u{1b}]0;t\u{7}\tb\r\nc\r"),
            "a\\u{1b}]0;t\\u{7}\tb\r\nc\\r"
        );
        let value = serde_json::json!({"a": "x\u{9b}31m\u{1b}\u{200d}"});
        let text = pretty_json(&value).expect("JSON");
        assert_eq!(piped(&text), text);
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn nothing_that_drives_a_terminal_passes() {
        let hostile = "a\u{1b}]0;title\u{7}\u{202e}b\nc\u{9b}31m\u{200b}\u{e0041}";
        let shown = line(hostile);
        assert!(!shown.chars().any(is_unsafe), "{shown}");
        assert_eq!(line("p\nq"), "p\\nq");
        assert_eq!(lines("p\nq\r"), "p\nq\\r");
        assert_eq!(line("caffè 漢字 🙂"), "caffè 漢字 🙂");
    }

    #[test]
    fn json_is_harmless_and_means_the_same() {
        let hostile = "a\u{202e}b\u{7f}\u{e0041}\n\"";
        let text = json(&hostile).expect("serializes");
        assert!(!text.chars().any(is_unsafe), "{text}");
        let back: String = serde_json::from_str(&text).expect("parses");
        assert_eq!(back, hostile);
    }

    #[test]
    fn a_models_text_passes_a_pipe_as_it_is_but_for_controls() {
        let mut piped = Piped::default();
        let mut out = piped.push("a\tb \u{202e}👩‍👩‍👧\r");
        out.push_str(&piped.push("\nc\rd\u{1b}[2J\u{9b}\r"));
        out.push_str(&piped.end());
        assert_eq!(out, "a\tb \u{202e}👩‍👩‍👧\r\nc\\rd\\u{1b}[2J\\u{9b}\\r");
        assert_eq!(shown("👩‍👩‍👧\t\u{202e}\u{1b}"), "👩‍👩‍👧\t\\u{202e}\\u{1b}");
    }
}
