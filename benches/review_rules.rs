//! All rules over a 50,000-line diff: beside reading its bytes once (the floor), and beside
//! detect-secrets and Semgrep where `CONVERGIO_PEERS` names the folder of their programs
//! (`just bench-peers` makes it).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use convergio_benches::{diff, median, root, row, time};
use convergio_review::{Review, ReviewOptions};

const LINES: usize = 50_000;
const ROUNDS: usize = 15;
/// The rules' time on 50,000 lines.
const LIMIT: Duration = Duration::from_millis(50);

fn main() {
    let diff = diff::generate(LINES);
    let lines = diff.lines().count();
    let review = || {
        let review = Review::new(diff.as_bytes(), ReviewOptions::default()).unwrap();
        review.collect().1.findings()
    };
    let findings = review();
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(time(|| {
            black_box(
                black_box(diff.as_str())
                    .lines()
                    .map(str::len)
                    .sum::<usize>(),
            );
        }));
        ours.push(time(|| {
            black_box(review());
        }));
    }
    let ours = median(&mut ours);
    println!(
        "review_rules: {lines} lines, {} bytes, {findings} findings, one thread",
        diff.len()
    );
    row(
        "all rules",
        ours,
        "splitting it into lines",
        median(&mut floor),
        None,
    );
    let verdict = if ours <= LIMIT { "ok" } else { "MISSED" };
    println!(
        "{:<44} {ours:>11.1?}  at most {LIMIT:?}: {verdict}",
        "all rules, against the limit"
    );
    match std::env::var_os("CONVERGIO_PEERS") {
        Some(folder) => peers(&diff, ours, &PathBuf::from(folder)),
        None => println!(
            "SKIPPED detect-secrets and Semgrep: CONVERGIO_PEERS is not set (just bench-peers)"
        ),
    }
}

/// The peers read files, not diffs: they get the new files that the diff makes.
fn peers(diff: &str, ours: Duration, programs: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let mut file: Option<(PathBuf, String)> = None;
    let save = |file: Option<(PathBuf, String)>| {
        if let Some((path, text)) = file {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    };
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ b/") {
            save(file.replace((folder.path().join(path), String::new())));
        } else if let (Some((_, text)), Some(added)) = (&mut file, line.strip_prefix('+')) {
            text.push_str(added);
            text.push('\n');
        }
    }
    save(file);
    let rules = root().join("benches/peers/semgrep.yml");
    let detect = ["scan", "--all-files", "."].map(String::from).to_vec();
    let semgrep = [
        "scan",
        "--metrics=off",
        "--disable-version-check",
        "--no-git-ignore",
        "--json",
        "--config",
    ];
    let mut semgrep: Vec<String> = semgrep.map(String::from).to_vec();
    semgrep.extend([rules.display().to_string(), ".".to_owned()]);
    for (name, arguments, count) in [
        ("detect-secrets", detect, "\"hashed_secret\""),
        ("semgrep", semgrep, "\"check_id\""),
    ] {
        let mut output = Vec::new();
        let mut samples: Vec<Duration> = (0..3)
            .map(|_| {
                let mut command = Command::new(programs.join(name));
                command
                    .args(&arguments)
                    .current_dir(folder.path())
                    .stderr(Stdio::null());
                time(|| output = command.output().unwrap().stdout)
            })
            .collect();
        let findings = String::from_utf8_lossy(&output).matches(count).count();
        let what = format!("all rules beside {name} ({findings} findings)");
        row(&what, ours, name, median(&mut samples), Some(1.0));
    }
}
