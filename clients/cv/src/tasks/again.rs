//! Commands as a shell reads them back, whatever titles hold.

use std::fmt;

use crate::cmd::template::quoted;

/// A command, or the end of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    text: String,
}

impl Command {
    /// One that begins with words that need no quotes: `cv remind`.
    pub fn new(words: &str) -> Self {
        Self {
            text: words.to_owned(),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a word.
    pub fn word(&mut self, word: &str) -> &mut Self {
        self.plain(&quoted(word))
    }

    /// Adds the last words of all, which may begin with dashes.
    pub fn last(&mut self, word: &str) -> &mut Self {
        if word.starts_with('-') {
            self.plain("--");
        }
        self.word(word)
    }

    /// Adds an option and its value, which may begin with a dash.
    pub fn option(&mut self, name: &str, value: &str) -> &mut Self {
        if value.starts_with('-') {
            self.plain(&format!("{name}={}", quoted(value)))
        } else {
            self.plain(name).word(value)
        }
    }

    /// Adds what is in another one.
    pub fn and(&mut self, other: &Self) -> &mut Self {
        if other.is_empty() {
            return self;
        }
        self.plain(&other.text)
    }

    fn plain(&mut self, text: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_stays_one_word_and_no_option() {
        let mut command = Command::new("cv remind");
        command
            .option("--at", "tomorrow at 9")
            .last("-rf $(x) `y` \u{1b}");
        assert_eq!(
            command.to_string(),
            "cv remind --at 'tomorrow at 9' -- $'-rf $(x) `y` \\x1b'"
        );
    }
}
