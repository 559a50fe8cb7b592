//! A terminal of a given width, and what a person sees on it.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::process::{LIMIT, ended_within, readable_within};

/// What was on the terminal, and how the program ended.
pub struct Shown {
    /// As it came, control sequences and all.
    pub raw: String,
    /// What is left to see.
    pub seen: String,
    /// Exit code.
    pub code: Option<i32>,
}

/// Runs a command with a terminal of `columns` columns as its stdin, stdout and stderr, until it
/// has ended and nobody holds the terminal any more.
pub fn run(command: Command, columns: u16) -> Shown {
    run_typing(command, columns, &[])
}

/// The same, and somebody types: each answer once its question is on the terminal.
pub fn run_typing(mut command: Command, columns: u16, talk: &[(&str, &str)]) -> Shown {
    let main = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&main).expect("a terminal of ours");
    unlockpt(&main).expect("an open terminal");
    let name = ptsname(&main, Vec::new()).expect("a terminal has a name");
    let name = name.to_str().expect("a plain name").to_owned();
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&main, size).expect("a size");
    let open = || -> Stdio {
        let opened = rustix::fs::open(
            name.as_str(),
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
            rustix::fs::Mode::empty(),
        );
        Stdio::from(opened.expect("the terminal opens"))
    };
    command
        .env("TERM", "xterm-256color")
        .stdin(open())
        .stdout(open())
        .stderr(open());
    let mut child = command.spawn().expect("the command starts");
    // The command holds the terminal open until it is dropped.
    drop(command);
    let mut reader = File::from(main);
    let mut raw = Vec::new();
    let mut chunk = [0; 4096];
    let (mut talk, mut heard) = (talk.iter(), 0);
    let mut next = talk.next();
    loop {
        if let Some((question, answer)) = next
            && let Some(at) = find(&raw[heard..], question.as_bytes())
        {
            heard += at + question.len();
            reader
                .write_all(answer.as_bytes())
                .expect("the terminal takes it");
            next = talk.next();
            continue;
        }
        assert!(
            readable_within(&reader, LIMIT),
            "the terminal is still held: {}",
            String::from_utf8_lossy(&raw)
        );
        match reader.read(&mut chunk) {
            // EIO is how Linux says that nobody holds the other side.
            Ok(0) | Err(_) => break,
            Ok(count) => raw.extend_from_slice(&chunk[..count]),
        }
    }
    assert!(ended_within(child.id(), Duration::from_secs(5)));
    let code = child.wait().expect("it ended").code();
    let raw = String::from_utf8(raw).expect("UTF-8");
    let seen = seen(&raw);
    Shown { raw, seen, code }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len())
        .position(|window| window == needle)
}

/// What a terminal that is wide enough shows after these bytes: carriage returns overwrite,
/// erasures erase, colours don't count.
pub fn seen(raw: &str) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut letters = raw.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\r' => column = 0,
            '\u{1b}' if letters.peek() == Some(&'[') => {
                letters.next();
                let mut argument = String::new();
                let command = loop {
                    match letters.next() {
                        Some(end @ '@'..='~') => break end,
                        Some(other) => argument.push(other),
                        None => panic!("an unfinished control sequence"),
                    }
                };
                let number = argument.parse().unwrap_or(0);
                let line = &mut lines[row];
                match (command, number) {
                    ('K', 0) => line.truncate(column),
                    ('K', _) => line.clear(),
                    ('A', up) => row = row.saturating_sub(up.max(1)),
                    ('G', to) => column = to.max(1) - 1,
                    ('J', 0) => {
                        line.truncate(column);
                        lines.truncate(row + 1);
                    }
                    ('m' | 'h' | 'l', _) => {}
                    other => panic!("an unexpected control sequence {other:?} in {raw:?}"),
                }
            }
            '\u{1b}' => panic!("a bare escape in {raw:?}"),
            other => {
                let line = &mut lines[row];
                while line.len() < column {
                    line.push(' ');
                }
                if column < line.len() {
                    line[column] = other;
                } else {
                    line.push(other);
                }
                column += 1;
            }
        }
    }
    let text: Vec<String> = lines
        .iter()
        .map(|line| line.iter().collect::<String>().trim_end().to_owned())
        .collect();
    text.join("\n")
}

#[test]
fn a_terminal_shows_what_is_left() {
    assert_eq!(
        seen("working\r\u{1b}[Kdone\r\n\u{1b}[31mred\u{1b}[0m"),
        "done\nred"
    );
}
