//! The person's terminal itself, whatever stdin and stdout are.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// A line that a person types is shorter; keys are too.
const LINE_MAX_BYTES: usize = 16 * 1024;

/// Opens it; fails where the process has none.
pub fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Whether somebody can be asked something: a terminal is there, and nobody said that this is
/// automation.
pub fn can_ask() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("CI") && !set("CONVERGIO_NO_PROMPT") && open().is_ok()
}

/// One line without its end; none where the terminal ended first.
pub fn line(terminal: &mut File) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        if terminal.read(&mut byte)? == 0 {
            if bytes.is_empty() {
                return Ok(None);
            }
            break;
        }
        if byte[0] == b'\n' {
            break;
        }
        if bytes.len() == LINE_MAX_BYTES {
            return Err(io::Error::other("the line is too long"));
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| io::Error::other("the line is not UTF-8"))
}

/// A question that waits for its answer. Dropped without one, for instance by Ctrl-C, it leaves
/// the terminal at the beginning of a line.
#[derive(Debug, Default)]
pub struct Question {
    answered: bool,
}

impl Question {
    /// The person ended the line.
    pub fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.answered
            && let Ok(mut terminal) = open()
        {
            // Only looks depend on it.
            let _ = writeln!(terminal);
        }
    }
}

/// The terminal while what is typed does not appear. Dropping it, also when the wait for the line
/// is given up, lets the person see what they type again.
pub struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    /// Asks and falls silent.
    pub fn new(prompt: &str) -> io::Result<Self> {
        let mut terminal = open()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        let silent = Self {
            terminal: terminal.try_clone()?,
            before,
        };
        write!(terminal, "{prompt}")?;
        Ok(silent)
    }

    /// The same terminal, to read from on another thread.
    pub fn reader(&self) -> io::Result<File> {
        self.terminal.try_clone()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing more can be done for a terminal that refuses.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
        let _ = writeln!(self.terminal);
    }
}
