//! Launchers: GNOME's search, and the lists of rofi, dmenu, Alfred and Raycast.

mod gnome;
mod lists;
mod rofi;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::harness::home::Home;

/// A title that would be markup, a row of its own, an option of rofi's and an argument.
const HOSTILE: &str = "-x <b>Mario's</b> & \"caffè\" \u{202e}$(id)";

/// A terminal that writes down the arguments that it was opened with, a line each.
fn terminal(home: &Home) -> (PathBuf, PathBuf) {
    let folder = home.folder("terminal");
    let (program, opened) = (folder.join("term"), folder.join("opened"));
    // Written beside and moved: who waits for it sees all of it.
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > '{0}.new'\nmv '{0}.new' '{0}'\n",
        opened.display()
    );
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    (program, opened)
}

/// What the terminal was opened with.
fn opened(file: &std::path::Path) -> Vec<String> {
    let begun = std::time::Instant::now();
    loop {
        match fs::read_to_string(file) {
            Ok(text) => return text.lines().map(str::to_owned).collect(),
            Err(_) => assert!(
                begun.elapsed() < crate::harness::process::LIMIT,
                "no terminal was opened"
            ),
        }
        std::thread::yield_now();
    }
}
