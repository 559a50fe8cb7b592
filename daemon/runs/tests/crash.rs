//! The daemon's part of the store in a child process that is killed, and one whose syncs fail.
//!
//! `CONVERGIO_CYCLES=1000` makes the long campaign of kills; `CONVERGIO_SEED` runs one cycle again.
//! The failing syncs need `strace`; without it that test says so and skips, unless
//! `CONVERGIO_REQUIRE_SERVICES=1`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use convergio_runs::{Retention, Runs, RunsError};
use convergio_store::{Store, StoreOptions};
use support::{Acknowledged, check, json, one_run};

const CHILD_DIR: &str = "CONVERGIO_TEST_CRASH_DIR";
const CHILD_RUNS: &str = "CONVERGIO_TEST_CRASH_RUNS";

/// Kills that one database lives through.
const GENERATIONS: u64 = 25;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

async fn open(dir: &Path) -> Runs {
    let store = Store::open(&StoreOptions::new(dir)).unwrap();
    Runs::new(store, Retention::default()).await.unwrap()
}

fn child_command(program: Option<&mut Command>, dir: &Path, runs: &str) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new(&exe);
    if let Some(program) = program {
        program.arg(&exe);
        command = Command::new(program.get_program());
        command.args(program.get_args());
    }
    command
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_RUNS, runs)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A line that the parent reads, written at once: what is in the pipe outlives a kill.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Runs in the child: acknowledges on stdout, in `CHILD_RUNS` runs one after the other, or in
/// three tasks until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the tests below"]
async fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR).map(PathBuf::from) else {
        return;
    };
    let store = match Store::open(&StoreOptions::new(&dir)) {
        Ok(store) => store,
        Err(error) => return say(&format!("refused open: {error}")),
    };
    let runs = match Runs::new(store.clone(), Retention::default()).await {
        Ok(runs) => runs,
        Err(error) => return say(&format!("refused look-up: {error}")),
    };
    say("open");
    let tell = |id, seq, ended| say(&format!("ack {id} {seq} {ended}"));
    match number(CHILD_RUNS) {
        Some(count) => {
            for _ in 0..count {
                if let Err(error) = one_run(&runs, 3, tell).await {
                    say(&format!("refused run: {error}"));
                }
            }
        }
        None => {
            let forever = async || -> Result<(), RunsError> {
                loop {
                    one_run(&runs, 5, tell).await?;
                }
            };
            let (one, two, three) = tokio::join!(forever(), forever(), forever());
            for outcome in [one, two, three] {
                say(&format!("refused run: {outcome:?}"));
            }
        }
    }
    drop(runs);
    if let Err(error) = store.close().await {
        say(&format!("refused close: {error}"));
    }
    say("closed");
}

fn note(line: &str, acknowledged: &mut Acknowledged) {
    if let Some(rest) = line.strip_prefix("ack ") {
        let parts: Vec<_> = rest.split(' ').collect();
        acknowledged.tell(
            parts[0].parse().unwrap(),
            parts[1].parse().unwrap(),
            parts[2].parse().unwrap(),
        );
    } else if let Some(rest) = line.strip_prefix("refused ") {
        acknowledged.refused.push(rest.into());
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_kill_9() {
    let seeds: Vec<u64> = match number("CONVERGIO_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("CONVERGIO_CYCLES").unwrap_or(20)).collect(),
    };
    let mut home = tempfile::tempdir().unwrap();
    let mut dir = home.path().join("data");
    let (mut all, mut kept) = (Acknowledged::default(), 0);
    for seed in seeds {
        if seed % GENERATIONS == 0 {
            home = tempfile::tempdir().unwrap();
            dir = home.path().join("data");
            kept += std::mem::take(&mut all).runs.len();
        }
        // 0 kills while the child opens, else after so many acknowledgements.
        let kill_after = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        let mut process = child_command(None, &dir, "").spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut some = Acknowledged::default();
        let mut heard = 0;
        if kill_after == 0 {
            process.kill().unwrap();
        }
        for line in lines {
            note(&line.unwrap(), &mut some);
            heard += 1;
            if heard == kill_after {
                process.kill().unwrap();
            }
        }
        assert!(
            !process.wait().unwrap().success(),
            "seed {seed}: it ended by itself"
        );
        assert_eq!(some.refused, [""; 0], "seed {seed}");

        let runs = open(&dir).await;
        let what = format!("seed {seed}, killed after {kill_after} lines");
        all.absorb(some.clone());
        check(&runs, &all, &what).await;
        runs.recover(json(r#"{"slug":"interrupted"}"#))
            .await
            .unwrap();
        check(&runs, &Acknowledged::default(), &what).await;
        runs.store().clone().close().await.unwrap();
    }
    let runs = open(&dir).await;
    check(&runs, &all, "at the end").await;
    kept += all.runs.len();
    println!("{kept} acknowledged runs are there");
    assert!(kept > 0);
}

/// Runs the child under strace with `inject`; answers what was heard and strace's lines.
fn traced(dir: &Path, inject: Option<&str>) -> (Acknowledged, Vec<String>) {
    let home = dir.parent().unwrap();
    let log = home.join("strace.log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-e", "trace=fsync,fdatasync"]);
    if let Some(inject) = inject {
        strace.args(["-e", inject]);
    }
    strace.arg("-o").arg(&log);
    let out = child_command(Some(&mut strace), dir, "2").output().unwrap();
    let mut heard = Acknowledged::default();
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .for_each(|line| note(line, &mut heard));
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    assert!(
        out.status.success(),
        "{}\n{}\n{text}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    let syncs = text
        .lines()
        .filter(|line| line.contains("sync("))
        .map(String::from);
    (heard, syncs.collect())
}

#[tokio::test]
async fn failing_syncs_are_errors_and_lose_nothing() {
    let works = Command::new("strace").args(["-f", "true"]).output();
    if !works.is_ok_and(|out| out.status.success()) {
        let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|set| set == "1");
        assert!(!required, "strace does not work here");
        // Not `eprintln!`, which is kept from sight where a test passes.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED failing syncs: strace does not work here\n",
        );
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (clean, syncs) = traced(&home.path().join("clean"), None);
    assert_eq!(clean.refused, [""; 0]);
    assert_eq!(clean.runs.len(), 2);
    assert!(syncs.len() > 10, "{syncs:?}");
    let failures = Arc::new(Mutex::new(0));
    for nth in 1..=syncs.len() {
        // Once, and from there on. strace counts per thread: the opener's and the writer's apart.
        for forever in ["", "+"] {
            let what = format!("sync {nth}{forever}");
            let home = tempfile::tempdir().unwrap();
            let dir = home.path().join("data");
            let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}{forever}");
            let (heard, syncs) = traced(&dir, Some(&inject));
            // SQLite syncs the folder of a new log on its own and reports no failure of that.
            let failed = syncs
                .iter()
                .filter(|line| line.contains("INJECTED"))
                .filter(|line| line.contains("core.db") || !heard.refused.is_empty())
                .count();
            *failures.lock().unwrap() += failed;
            assert_eq!(
                failed > 0,
                !heard.refused.is_empty(),
                "{what}: {heard:?} {syncs:#?}"
            );
            for message in &heard.refused {
                let clear = message.contains(dir.to_str().unwrap());
                assert!(clear, "{what}: {message}");
            }
            if heard.runs.is_empty() && !dir.join("core.db").exists() {
                continue;
            }
            let runs = open(&dir).await;
            check(&runs, &heard, &what).await;
            runs.store().clone().close().await.unwrap();
        }
    }
    println!(
        "{} syncs in a clean run, {} failures injected",
        syncs.len(),
        failures.lock().unwrap()
    );
    assert!(*failures.lock().unwrap() > 0);
}
