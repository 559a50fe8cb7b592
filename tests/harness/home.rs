//! A temporary home with its own daemon.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    binaries,
    process::{LIMIT, ended_within, finish, run, signal},
};

/// A home of its own under a temporary folder; its daemon is stopped when it is dropped.
pub struct Home {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Home {
    /// An empty home.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cv")
            .tempdir()
            .expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        Self { folder }
    }

    /// `CONVERGIO_HOME`.
    pub fn convergio(&self) -> PathBuf {
        self.folder.path().join("c")
    }

    /// `HOME`.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A folder for the test's own files.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.convergio().join("run/cv.sock")
    }

    /// The process id of the daemon that runs in this home, if one does: named by its lock file,
    /// and its environment names this home.
    pub fn owner(&self) -> Option<u32> {
        let places = [
            self.convergio().join("data/convergiod.lock"),
            self.path().join(".local/share/convergio/convergiod.lock"),
            self.path().join("c/data/convergiod.lock"),
        ];
        places.iter().find_map(|place| {
            let owner: Value = serde_json::from_slice(&fs::read(place).ok()?).ok()?;
            let pid = u32::try_from(owner["pid"].as_u64()?).ok()?;
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let folder = self.folder.path().as_os_str().as_bytes();
            memory_holds(&environment, folder).then_some(pid)
        })
    }

    /// The folder that holds everything of this home.
    pub fn everything(&self) -> &Path {
        self.folder.path()
    }

    /// An address at which there is no bus.
    fn no_bus(&self) -> String {
        format!("unix:path={}", self.folder.path().join("no-bus").display())
    }

    /// A command with a clean environment in this home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("CONVERGIO_HOME", self.convergio())
            .env("LANG", "C.UTF-8")
            // Neither the battery nor the screen of whoever plays the tests is theirs.
            .env("DBUS_SESSION_BUS_ADDRESS", self.no_bus())
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.no_bus())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .current_dir(self.path());
        command
    }

    /// `cv` in `folder`, not started yet.
    pub fn cv_command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(binaries().join("cv"));
        command.current_dir(folder).args(arguments);
        command
    }

    /// `cv` with arguments, in `folder`, `/dev/null` on stdin.
    pub fn cv(&self, folder: &Path, arguments: &[&str]) -> Ran {
        let mut command = self.cv_command(folder, arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().expect("cv starts");
        finish(child, &command)
    }

    /// `cv` with arguments and something on stdin.
    pub fn cv_with_input(&self, folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
        run(&mut self.cv_command(folder, arguments), input)
    }

    /// git in `folder`; panics when it fails.
    pub fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self
            .command("git")
            .current_dir(folder)
            .args(["-c", "init.defaultBranch=main"])
            .args(arguments)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A client that had nothing to ask may have left before the daemon that it started was
        // ready, so lock files don't tell of all.
        for pid in with_environment(self.folder.path()) {
            signal(pid, Signal::KILL);
            ended_within(pid, LIMIT);
        }
    }
}

/// The processes whose environment names `folder`.
fn with_environment(folder: &Path) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            memory_holds(&environment, folder.as_os_str().as_bytes())
        })
        .collect()
}

/// Whether `needle` stands in `hay`.
pub fn memory_holds(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
