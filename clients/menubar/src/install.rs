//! `--install` and `--remove`: started at each login, by the desktop's own autostart folder.

use std::{
    ffi::OsStr,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::failed;

/// The entry, without the line that says what is run.
const ENTRY: &str = include_str!("../data/convergio-menubar.desktop");
const PICTURE: &str = include_str!("../data/convergio.svg");

/// Where the two files go.
struct Places {
    entry: PathBuf,
    picture: PathBuf,
}

fn places() -> Option<Places> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = absolute("HOME");
    let under =
        |name: &str, default: &str| absolute(name).or_else(|| Some(home.as_ref()?.join(default)));
    Some(Places {
        entry: under("XDG_CONFIG_HOME", ".config")?.join("autostart/convergio-menubar.desktop"),
        picture: under("XDG_DATA_HOME", ".local/share")?
            .join("icons/hicolor/scalable/apps/convergio.svg"),
    })
}

/// A program's path as the value of `Exec`, quoted as the desktop entry specification has it.
fn quoted(program: &str) -> String {
    let mut value = "\"".to_owned();
    for one in program.chars() {
        match one {
            // Escaped for the quotes, and the backslash once more for the value.
            '"' | '`' | '$' => value.push_str("\\\\"),
            '\\' => value.push_str("\\\\\\"),
            '%' => value.push('%'),
            _ => {}
        }
        value.push(one);
    }
    value.push('"');
    value
}

fn entry(program: &str) -> String {
    format!("{ENTRY}Exec={}\n", quoted(program))
}

/// Beside, then renamed: nobody reads half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(OsStr::new(".new"));
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}

fn said(line: &str) -> ExitCode {
    match writeln!(io::stdout(), "{line}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

const NO_HOME: &str = "HOME is not set to an absolute path";

/// Writes the autostart entry and the picture it names.
pub(crate) fn install() -> ExitCode {
    let what = "The menu bar cannot be started at login";
    if cfg!(target_os = "macos") {
        let why = "macOS starts signed applications only, and this is a plain program";
        return failed(
            what,
            &why,
            "open \"x-apple.systempreferences:com.apple.LoginItems-Settings.extension\"",
        );
    }
    let Some(places) = places() else {
        return failed(what, &NO_HOME, "HOME=/home/you cv-menubar --install");
    };
    let own = std::env::current_exe();
    let own = own.as_deref().map(Path::to_str);
    let written = match own {
        Ok(Some(program)) if !program.contains(char::is_control) => {
            write(&places.picture, PICTURE).and_then(|()| write(&places.entry, &entry(program)))
        }
        Ok(_) => Err(io::Error::other(
            "this program's path cannot stand in a desktop entry",
        )),
        Err(error) => Err(io::Error::other(error.to_string())),
    };
    match written {
        Ok(()) => said(&format!(
            "It starts at your next login ({}); cv-menubar starts it now.",
            places.entry.display()
        )),
        Err(error) => failed(what, &error, "cv-menubar"),
    }
}

/// Removes them again.
pub(crate) fn remove() -> ExitCode {
    let what = "The menu bar's entry cannot be removed";
    let Some(places) = places() else {
        return failed(what, &NO_HOME, "HOME=/home/you cv-menubar --remove");
    };
    for path in [&places.entry, &places.picture] {
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                return failed(what, &why, "cv-menubar --remove");
            }
        }
    }
    said("It does not start at login any more; one that runs goes on until you quit it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_in_the_entry_whatever_stands_in_it() {
        assert_eq!(quoted("/usr/bin/cv-menubar"), "\"/usr/bin/cv-menubar\"");
        assert_eq!(quoted("/a b/50%"), "\"/a b/50%%\"");
        assert_eq!(quoted("/a\"$`\\"), r#""/a\\"\\$\\`\\\\""#);
    }

    #[test]
    fn the_entry_has_one_line_that_runs_something() {
        let entry = entry("/x");
        assert!(entry.starts_with("[Desktop Entry]\n"));
        assert_eq!(entry.matches("Exec=").count(), 1);
        assert!(entry.ends_with("\nExec=\"/x\"\n"));
    }
}
