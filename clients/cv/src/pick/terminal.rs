//! A terminal of the user's, for what is to be read. Each word is an argument of its own.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Terminals in the order in which they are looked for, and what stands between them and the
/// command. The first is what desktops agree on (xdg-terminal-exec), the second Debian's choice.
const TERMINALS: &[(&str, &[&str])] = &[
    ("xdg-terminal-exec", &[]),
    ("x-terminal-emulator", &["-e"]),
    ("kgx", &["--"]),
    ("gnome-terminal", &["--"]),
    ("konsole", &["-e"]),
    ("xfce4-terminal", &["-x"]),
    ("kitty", &["--"]),
    ("alacritty", &["-e"]),
    ("foot", &[]),
    ("wezterm", &["start", "--"]),
    ("xterm", &["-e"]),
];

/// The command line that opens a terminal with `command` in it; none where there is no terminal.
/// `chosen` is `TERMINAL`: a program that takes `-e`.
#[must_use]
pub fn opening(
    chosen: Option<&OsStr>,
    folders: &OsStr,
    is_program: impl Fn(&Path) -> bool,
    command: &[OsString],
) -> Option<Vec<OsString>> {
    let find = |name: &OsStr| -> Option<PathBuf> {
        if name.as_encoded_bytes().contains(&b'/') {
            let path = PathBuf::from(name);
            return is_program(&path).then_some(path);
        }
        std::env::split_paths(folders)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|path| is_program(path))
    };
    let chosen = chosen
        .filter(|name| !name.is_empty())
        .map(|name| (name, ["-e"].as_slice()));
    let others = TERMINALS
        .iter()
        .map(|(name, between)| (OsStr::new(*name), *between));
    let (program, between) = chosen
        .into_iter()
        .chain(others)
        .find_map(|(name, between)| {
            let known = TERMINALS.iter().find(|(known, _)| *known == name);
            Some((find(name)?, known.map_or(between, |(_, between)| *between)))
        })?;
    let mut line = vec![program.into_os_string()];
    line.extend(between.iter().map(OsString::from));
    line.extend(command.iter().cloned());
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_terminal_comes_first_and_every_word_stays_one() {
        let command = ["cv", "ask", "--", "a b; rm"].map(OsString::from);
        let there = |names: &'static [&str]| {
            move |path: &Path| names.contains(&path.to_str().unwrap_or_default())
        };
        let all = there(&["/b/xterm", "/b/kgx", "/b/mine"]);
        let line = opening(Some(OsStr::new("mine")), OsStr::new("/b"), all, &command).unwrap();
        assert_eq!(line, ["/b/mine", "-e", "cv", "ask", "--", "a b; rm"]);
        // One that is known wants its own word between.
        let line = opening(Some(OsStr::new("kgx")), OsStr::new("/b"), all, &command).unwrap();
        assert_eq!(line[..2], ["/b/kgx", "--"]);
        let line = opening(None, OsStr::new("/b"), there(&["/b/xterm"]), &command).unwrap();
        assert_eq!(line[..2], ["/b/xterm", "-e"]);
        // One that is not there is passed over, and a relative folder is not looked into.
        let line = opening(
            Some(OsStr::new("gone")),
            OsStr::new(".:/b"),
            there(&["/b/xterm", "./xterm"]),
            &command,
        )
        .unwrap();
        assert_eq!(line[0], "/b/xterm");
        assert_eq!(
            opening(None, OsStr::new("/b"), |_: &Path| false, &command),
            None
        );
    }
}
