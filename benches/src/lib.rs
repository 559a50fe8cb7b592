//! What the benches share: release binaries on a temporary home, medians, a diff of any size.
//!
//! Every figure is a ratio to a floor or a peer that ran in the same run, alternating with ours,
//! so that a slow or noisy machine changes both sides alike.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

pub mod ask;
pub mod diff;
pub mod gateway;
pub mod http;
pub mod load;
pub mod memory;
pub mod upstream;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("benches/ lies in the root")
}

/// Builds the release binaries and names their folder. `CONVERGIO_BINARIES` names a folder with
/// others, for instance installed ones.
pub fn binaries() -> PathBuf {
    if let Some(folder) = std::env::var_os("CONVERGIO_BINARIES") {
        return folder.into();
    }
    let bench = std::env::current_exe().expect("the bench knows where it is");
    let folder = bench
        .ancestors()
        .nth(2)
        .expect("target/PROFILE/deps/bench")
        .to_owned();
    let mut build = Command::new(env!("CARGO"));
    build
        .current_dir(root())
        .args(["build", "--quiet", "--workspace", "--bins"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo runs").success());
    folder
}

/// A home of its own; its daemon is stopped when it is dropped.
pub struct Home {
    folder: TempDir,
    binaries: PathBuf,
}

impl Home {
    /// An empty home for these binaries.
    pub fn new(binaries: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("cv")
            .tempdir()
            .expect("a temporary folder");
        Self {
            folder,
            binaries: binaries.to_owned(),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The socket of its daemon.
    pub fn socket(&self) -> PathBuf {
        self.path().join("run/cv.sock")
    }

    /// `cv` with arguments, in this home, nothing on stdin.
    pub fn cv(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.binaries.join("cv"));
        command
            .env_clear()
            .env("HOME", self.path())
            .env("CONVERGIO_HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .current_dir(self.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Starts the daemon, if it does not run.
    pub fn start(&self) {
        let status = self
            .cv(&["status", "--format", "json"])
            .output()
            .expect("cv runs")
            .status;
        assert!(status.success(), "the daemon does not start");
    }

    /// Stops the daemon and waits until it is gone.
    pub fn stop(&self) {
        let _ = self.cv(&["stop"]).output();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How long one call takes.
pub fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The median.
pub fn median(samples: &mut [Duration]) -> Duration {
    percentile(samples, 50)
}

/// The given percentile.
pub fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    samples[(samples.len() - 1) * percent / 100]
}

/// One row: what, ours, the other, the ratio and what it may be.
pub fn row(what: &str, ours: Duration, other: &str, floor: Duration, limit: Option<f64>) {
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    let verdict = match limit {
        Some(limit) if ratio <= limit => format!("≤ {limit} ok"),
        Some(limit) => format!("> {limit} MISSED"),
        None => String::new(),
    };
    println!("{what:<44} {ours:>11.1?}  {other:<26} {floor:>11.1?}  ratio {ratio:>7.2}  {verdict}");
}

/// The median time of a durable append of one page on the file system under `folder`: what one
/// commit cannot be faster than.
pub fn sync_median(folder: &Path, rounds: usize) -> Duration {
    sync_of(folder, rounds, 4096)
}

/// The same for an append of so many bytes.
pub fn sync_of(folder: &Path, rounds: usize, bytes: usize) -> Duration {
    use std::io::Write;
    let page = vec![0; bytes];
    let mut file = std::fs::File::create(folder.join("sync-probe")).unwrap();
    let mut samples: Vec<Duration> = (0..rounds)
        .map(|_| {
            file.write_all(&page).unwrap();
            time(|| file.sync_data().unwrap())
        })
        .collect();
    median(&mut samples)
}
