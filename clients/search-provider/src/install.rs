//! Files by which D-Bus and GNOME find the provider.
//!
//! D-Bus looks into the user's data folder, GNOME Shell for providers into the system's only
//! (`loadRemoteSearchProviders` of its `remoteSearch.js` walks the system's data folders). So the
//! last file is root's to copy, and is said.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::serve::{BUS_NAME, OBJECT_PATH};

/// Where GNOME Shell looks.
const SYSTEM_FOLDER: &str = "/usr/share/gnome-shell/search-providers";

/// Why it could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Neither is set to an absolute path.
    #[error("neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
    /// A path that a file of D-Bus cannot name.
    #[error("{0}: a path with spaces, quotes or line breaks cannot be named there")]
    Path(PathBuf),
    /// A file could not be written or removed.
    #[error("{activity} {path}: {source}")]
    Io {
        /// What was done.
        activity: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file of ours: where it belongs and what stands in it.
#[derive(Debug, PartialEq, Eq)]
struct File {
    path: PathBuf,
    text: String,
}

fn data_folder(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, InstallError> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|p| p.is_absolute());
    absolute(xdg)
        .or_else(|| absolute(home).map(|home| home.join(".local/share")))
        .ok_or(InstallError::NoHome)
}

/// The three files for a provider at `own`.
fn files(data: &Path, own: &Path) -> Result<[File; 3], InstallError> {
    let named = |path: &Path| {
        path.to_str()
            .filter(|text| !text.contains(|c: char| c.is_whitespace() || "\"'\\$`%".contains(c)))
            .map(str::to_owned)
            .ok_or_else(|| InstallError::Path(path.to_owned()))
    };
    let program = named(own)?;
    let cv = named(&own.with_file_name("cv"))?;
    Ok([
        File {
            path: data.join(format!("dbus-1/services/{BUS_NAME}.service")),
            text: format!("[D-BUS Service]\nName={BUS_NAME}\nExec={program}\n"),
        },
        File {
            path: data.join(format!("applications/{BUS_NAME}.desktop")),
            text: format!(
                "[Desktop Entry]\nType=Application\nName=Convergio\n\
                 Comment=Ask, review and be reminded, on this machine\nExec={cv}\nTerminal=true\n\
                 Icon=utilities-terminal\nCategories=Utility;\n"
            ),
        },
        File {
            path: data.join(format!("gnome-shell/search-providers/{BUS_NAME}.ini")),
            text: format!(
                "[Shell Search Provider]\nDesktopId={BUS_NAME}.desktop\nBusName={BUS_NAME}\n\
                 ObjectPath={OBJECT_PATH}\nVersion=2\n"
            ),
        },
    ])
}

fn ours() -> Result<[File; 3], InstallError> {
    let data = data_folder(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))?;
    let own = std::env::current_exe().map_err(|source| InstallError::Io {
        activity: "find",
        path: PathBuf::from("this program"),
        source,
    })?;
    files(&data, &own)
}

/// Writes the files; what to tell of it.
///
/// # Errors
/// [`InstallError`]; what was written before stays, and the next call writes it again.
pub fn install() -> Result<Vec<String>, InstallError> {
    let mut told = Vec::new();
    let files = ours()?;
    for file in &files {
        let at = |activity, source| InstallError::Io {
            activity,
            path: file.path.clone(),
            source,
        };
        if let Some(folder) = file.path.parent() {
            fs::create_dir_all(folder).map_err(|source| at("make the folder of", source))?;
        }
        fs::write(&file.path, &file.text).map_err(|source| at("write", source))?;
        told.push(format!("Wrote {}", file.path.display()));
    }
    told.push(format!(
        "GNOME looks for providers in the system's folders only. Once, as root:\n  \
         sudo install -Dm644 {} {SYSTEM_FOLDER}/{BUS_NAME}.ini\n\
         Then log out and in. Back: cv-search-provider --remove",
        files[2].path.display()
    ));
    Ok(told)
}

/// Removes the files; what to tell of it.
///
/// # Errors
/// [`InstallError`] where one cannot be removed.
pub fn remove() -> Result<Vec<String>, InstallError> {
    let mut told = Vec::new();
    for file in ours()? {
        match fs::remove_file(&file.path) {
            Ok(()) => told.push(format!("Removed {}", file.path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(InstallError::Io {
                    activity: "remove",
                    path: file.path,
                    source,
                });
            }
        }
    }
    let system = Path::new(SYSTEM_FOLDER).join(format!("{BUS_NAME}.ini"));
    if system.exists() {
        told.push(format!(
            "GNOME's own copy is root's:\n  sudo rm {}",
            system.display()
        ));
    }
    if told.is_empty() {
        told.push("Nothing was installed".to_owned());
    }
    Ok(told)
}

/// Prints lines; a closed stdout is no failure.
#[must_use]
pub fn say(told: &[String]) -> ExitCode {
    let mut out = std::io::stdout();
    for line in told {
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Prints what went wrong.
#[must_use]
pub fn fail(error: &InstallError) -> ExitCode {
    let _ = writeln!(
        std::io::stderr(),
        "error: It could not be installed or removed\n  why: {error}\n  try: cv-search-provider --help"
    );
    ExitCode::from(70)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_name_the_programs_and_nothing_that_a_shell_would_read() {
        let files = files(Path::new("/d"), Path::new("/opt/c/cv-search-provider")).unwrap();
        assert!(files[0].text.contains("\nExec=/opt/c/cv-search-provider\n"));
        assert!(files[1].text.contains("\nExec=/opt/c/cv\n"));
        assert!(files[2].text.contains("\nVersion=2\n"));
        for bad in ["/opt/a b/x", "/opt/$(id)/x", "/opt/%f/x", "/opt/a\nb/x"] {
            assert!(
                super::files(Path::new("/d"), Path::new(bad)).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_data_folder_is_the_users_own() {
        let os = |text: &str| Some(OsString::from(text));
        assert_eq!(data_folder(os("/x"), os("/h")).unwrap(), Path::new("/x"));
        assert_eq!(
            data_folder(os("relative"), os("/h")).unwrap(),
            Path::new("/h/.local/share")
        );
        assert!(data_folder(None, None).is_err());
    }
}
