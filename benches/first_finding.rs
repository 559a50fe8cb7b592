//! From the start of `cv review < diff` to the first byte of its answer, with a cold and with a
//! warm daemon in an existing home. Commits cannot be faster than the disk, so the syncs that
//! the daemon makes are counted (strace) and their time in this very run is taken off.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot measure fails by panicking, and prints its table"
)]

use std::{
    fs::File,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use convergio_benches::{Home, binaries, diff, median, row, sync_median, time};

const ROUNDS: usize = 40;

fn main() {
    let binaries = binaries();
    let home = Home::new(&binaries);
    let input = home.path().join("input.diff");
    std::fs::write(&input, diff::one_finding_each(3)).unwrap();
    home.start();
    let mut sync = Vec::new();
    let (mut cold, mut warm, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    first_byte(&home, &input);
    for _ in 0..ROUNDS {
        sync.push(sync_median(home.path(), 5));
        floor.push(time(|| {
            assert!(
                Command::new("/bin/true")
                    .status()
                    .expect("true runs")
                    .success()
            );
        }));
        warm.push(first_byte(&home, &input));
        home.stop();
        cold.push(first_byte(&home, &input));
    }
    let sync = median(&mut sync);
    let floor = median(&mut floor);
    println!("first_finding: {ROUNDS} rounds, medians; one sync takes {sync:.1?} here");
    for (what, samples, limit_ms, is_cold) in [
        ("cold daemon", &mut cold, 50, true),
        ("warm daemon", &mut warm, 10, false),
    ] {
        let took = median(samples);
        let syncs = count_syncs(&binaries, &home, &input, is_cold);
        let beyond = syncs.map_or(took, |syncs| took.saturating_sub(sync * syncs));
        let syncs = syncs.map_or("not counted: no strace".to_owned(), |syncs| {
            syncs.to_string()
        });
        let limit = Duration::from_millis(limit_ms);
        let verdict = if beyond <= limit { "ok" } else { "MISSED" };
        row(
            &format!("first byte, {what}"),
            took,
            "/bin/true",
            floor,
            None,
        );
        println!(
            "  syncs before it: {syncs}; beyond them {beyond:.1?}, at most {limit:?}: {verdict}"
        );
    }
}

fn first_byte(home: &Home, input: &Path) -> Duration {
    let mut command = home.cv(&["review"]);
    command
        .stdin(File::open(input).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().expect("cv runs");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut byte = [0];
    stdout.read_exact(&mut byte).expect("an answer");
    let took = start.elapsed();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    took
}

/// Counts the daemon's fsync and fdatasync calls up to the write that carries the first finding.
fn count_syncs(binaries: &Path, home: &Home, input: &Path, cold: bool) -> Option<u32> {
    let trace = home.path().join("trace");
    home.stop();
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-s",
        "65536",
        "-e",
        "trace=fsync,fdatasync,write,sendto,sendmsg,writev",
    ]);
    strace
        .arg("-o")
        .arg(&trace)
        .arg(binaries.join("convergiod"))
        .args(["serve", "--spawned"]);
    strace
        .env_clear()
        .env("HOME", home.path())
        .env("CONVERGIO_HOME", home.path());
    strace
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = strace.spawn().ok()?;
    let mut ready = [0; 5];
    child.stdout.take()?.read_exact(&mut ready).ok()?;
    if !cold {
        // The first write after a start also opens the write-ahead log.
        first_byte(home, input);
    }
    let lines_before = std::fs::read_to_string(&trace).ok()?.lines().count();
    first_byte(home, input);
    home.stop();
    let _ = child.wait();
    let text = std::fs::read_to_string(&trace).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    let from = if cold { 0 } else { lines_before };
    let is_finding = |line: &&str| line.contains(r#"\"type\":\"finding\""#);
    let shown = from + lines.get(from..)?.iter().position(is_finding)?;
    let is_sync = |line: &&&str| line.contains("sync(") && !line.contains("resumed");
    let count = lines.get(from..shown)?.iter().filter(is_sync).count();
    u32::try_from(count).ok()
}
