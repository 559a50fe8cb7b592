//! Whatever was acknowledged survives: kills, failing disks, full disks, lost connections.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use convergio_fake_provider::{Dialect, FakeProvider, Reply, Script};
use serde_json::{Value, json};

use crate::{
    frames::Dice,
    harness::{
        binaries,
        daemon::Daemon,
        diffs,
        home::Home,
        skip,
        wire::{Wire, is_terminal, new_id, review_params},
    },
};

fn seqs(events: &[Value]) -> Vec<u64> {
    events
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect()
}

/// What a client was told about one run.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) run_id: String,
    pub(crate) accepted: bool,
    pub(crate) events: Vec<Value>,
}

/// The run as the daemon has it now: gap-free, ended exactly once, nothing told is missing.
pub(crate) fn holds_what_was_told(wire: &mut Wire, told: &Told) -> Vec<Value> {
    let answer = wire.call(
        "run.subscribe",
        json!({"run_id": told.run_id, "after_seq": 0}),
    );
    if !answer["error"].is_null() {
        assert_eq!(answer["error"]["code"], -32024, "{answer}");
        assert!(
            !told.accepted && told.events.is_empty(),
            "an accepted run is gone"
        );
        return Vec::new();
    }
    let mut events = wire.events_to_end();
    // An answer's text, told again, has no number.
    events.retain(|event| event["type"] != "delta");
    let numbers = seqs(&events);
    let expected: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(numbers, expected, "gaps or duplicates");
    assert_eq!(events.iter().filter(|event| is_terminal(event)).count(), 1);
    for event in told.events.iter().filter(|event| !event["seq"].is_null()) {
        let at = event["seq"].as_u64().expect("a number") as usize - 1;
        assert_eq!(
            events.get(at),
            Some(event),
            "an acknowledged event was lost"
        );
    }
    events
}

/// `CONVERGIO_CYCLES=1000` is the campaign.
#[test]
fn nothing_acknowledged_is_lost_when_the_daemon_is_killed() {
    let cycles = std::env::var("CONVERGIO_CYCLES").map_or(6, |text| {
        text.parse().expect("CONVERGIO_CYCLES is a number")
    });
    let home = Home::new();
    let folder = home.folder("w");
    let mut dice = Dice::seeded();
    let mut before: Option<Told> = None;
    let (mut interrupted, mut whole) = (0, 0);
    for cycle in 0..cycles {
        let daemon = Daemon::start(&home);
        let mut wire = Wire::open(&home);
        if let Some(told) = before.take() {
            let events = holds_what_was_told(&mut wire, &told);
            match events.last().and_then(|event| event["type"].as_str()) {
                Some("failed") => interrupted += 1,
                Some(_) => whole += 1,
                None => {}
            }
        }
        let findings = 1 + dice.roll(200) as usize;
        let read = dice.roll(findings as u64 * 5 / 4 + 4);
        let mut told = Told {
            run_id: new_id(),
            ..Told::default()
        };
        let diff = diffs::with_findings(findings);
        let started = wire.request("review.start", review_params(&told.run_id, &folder, &diff));
        wire.request(
            "run.subscribe",
            json!({"run_id": told.run_id, "after_seq": 0}),
        );
        if read > 0 {
            let answer = wire.response(started);
            assert!(answer["error"].is_null(), "cycle {cycle}: {answer}");
            told.accepted = true;
        }
        while (told.events.len() as u64) + 1 < read {
            let event = wire.try_event().expect("the daemon keeps the connection");
            let last = is_terminal(&event);
            told.events.push(event);
            if last {
                break;
            }
        }
        daemon.kill();
        before = Some(told);
    }
    eprintln!("{cycles} cycles: {interrupted} runs interrupted, {whole} whole");
}

#[test]
fn a_client_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let folder = home.folder("w");
    let mut wire = Wire::open(&home);
    let run_id = wire.start_review(&folder, &diffs::with_findings(300));
    drop(wire);
    let mut seen: Vec<Value> = Vec::new();
    let mut dice = Dice::seeded();
    while !seen.last().is_some_and(is_terminal) {
        let mut wire = Wire::open(&home);
        let after = seqs(&seen).last().copied().unwrap_or(0);
        wire.result(
            "run.subscribe",
            json!({"run_id": run_id, "after_seq": after}),
        );
        for _ in 0..=dice.roll(60) {
            let event = wire.try_event().expect("the daemon keeps the connection");
            let last = is_terminal(&event);
            seen.push(event);
            if last {
                break;
            }
        }
    }
    let expected: Vec<u64> = (1..=seen.len() as u64).collect();
    assert_eq!(seqs(&seen), expected);
    assert!(seen.len() > 300);
}

/// A review as far as it gets, and what was told about it.
fn review_as_far_as_it_gets(wire: &mut Wire, folder: &Path) -> Told {
    let mut told = Told {
        run_id: new_id(),
        ..Told::default()
    };
    let diff = diffs::with_findings(40);
    let params = review_params(&told.run_id, folder, &diff);
    let started = wire.request("review.start", params);
    let answer = wire.response(started);
    if !answer["error"].is_null() {
        says_that_the_disk_failed(&answer["error"]);
        return told;
    }
    told.accepted = answer["result"]["saved"] == true;
    let opened = wire.call(
        "run.subscribe",
        json!({"run_id": told.run_id, "after_seq": 0}),
    );
    if !opened["error"].is_null() {
        says_that_the_disk_failed(&opened["error"]);
        return told;
    }
    told.events = wire.events_to_end();
    let last = told.events.last().expect("an end");
    if last["type"] == "failed" {
        says_that_the_disk_failed(&last["error"]);
    }
    told
}

fn says_that_the_disk_failed(error: &Value) {
    assert_eq!(error["code"], -32045, "{error}");
    assert!(!error["message"].as_str().unwrap_or_default().is_empty());
}

/// Calls that change something, and how to see whether they did.
const CHANGES: usize = 3;

/// Makes change number `index`; whether it was acknowledged.
fn change(wire: &mut Wire, folder: &Path, undo_id: &str, index: usize) -> bool {
    let answer = match index {
        0 => wire.call(
            "undo.put",
            json!({
                "undo_id": undo_id, "label": "cv fix 1: a.py", "root": folder,
                "files": [{
                    "path": folder.join("a.py"),
                    "before": {"encoding": "utf8", "data": "x = 1\n"},
                    "after_sha256": "0".repeat(64),
                }],
            }),
        ),
        1 => wire.call(
            "config.set",
            json!({"key": "review.max_findings", "value": "7"}),
        ),
        _ => wire.call(
            "review.allow",
            json!({
                "root": folder, "rule": "tls-verification-off", "reason": "a test",
                "fingerprint": "78b92552383a441bf2a2c605400a3484d178674407152a343b1afb762eee8d00",
            }),
        ),
    };
    if !answer["error"].is_null() {
        says_that_the_disk_failed(&answer["error"]);
    }
    answer["error"].is_null()
}

/// Whether change number `index` is there.
fn is_changed(wire: &mut Wire, folder: &Path, undo_id: &str, index: usize) -> bool {
    match index {
        0 => {
            let list = wire.result("undo.list", json!({}));
            let entries = list["entries"].as_array().expect("entries");
            entries.iter().any(|entry| entry["undo_id"] == undo_id)
        }
        1 => {
            let key = json!({"key": "review.max_findings"});
            wire.result("config.get", key)["values"][0]["value"] == 7
        }
        _ => {
            let events = wire.review(folder, diffs::SMALL);
            events.last().expect("an end")["summary"]["critical"] == 0
        }
    }
}

/// Lets the N-th sync fail, for every N that there is.
#[test]
fn a_failing_sync_is_an_error_and_never_a_loss() {
    if !skip::has_program("strace") {
        skip::loudly("the injection of failing syncs", "strace");
        return;
    }
    const SYNCS_MAX: usize = 60;
    let mut failed_starts = 0;
    for failing in 1..=SYNCS_MAX {
        let home = Home::new();
        let folder = home.folder("w");
        let trace = home.everything().join("trace");
        let mut command = home.command("strace");
        command
            .args(["-f", "-qq", "-e", "trace=fdatasync,fsync", "-e"])
            .arg(format!("inject=fdatasync,fsync:error=EIO:when={failing}"))
            .arg("-o")
            .arg(&trace)
            .arg(binaries().join("convergiod"))
            .args(["serve", "--spawned"]);
        let mut told = Vec::new();
        let mut changed = [false; CHANGES];
        let undo_id = new_id();
        match Daemon::try_start_by(&home, command) {
            Ok(daemon) => {
                let mut wire = Wire::open(&home);
                for _ in 0..2 {
                    told.push(review_as_far_as_it_gets(&mut wire, &folder));
                }
                for (index, changed) in changed.iter_mut().enumerate() {
                    *changed = change(&mut wire, &folder, &undo_id, index);
                }
                daemon.kill();
            }
            Err(said) => {
                failed_starts += 1;
                let error: Value = serde_json::from_str(&said)
                    .unwrap_or_else(|_| panic!("sync {failing}: the daemon ended with {said:?}"));
                says_that_the_disk_failed(&error);
            }
        }
        let injected = fs::read_to_string(&trace)
            .expect("a trace")
            .contains("INJECTED");
        let _daemon = Daemon::start(&home);
        let mut wire = Wire::open(&home);
        for run in &told {
            holds_what_was_told(&mut wire, run);
        }
        for (index, changed) in changed.iter().enumerate() {
            let there = is_changed(&mut wire, &folder, &undo_id, index);
            assert!(there || !changed, "sync {failing}: change {index} was lost");
        }
        if !injected {
            eprintln!(
                "{} syncs failed one by one, {failed_starts} of them at start",
                failing - 1
            );
            assert!(failing > 3, "the daemon hardly syncs");
            return;
        }
    }
    panic!("more than {SYNCS_MAX} syncs for two small reviews");
}

/// Starts a daemon whose data folder is a file system of its own that holds 2 MiB, on which
/// `prepare`, a shell command, ran in the data folder.
fn on_a_small_disk(home: &Home, prepare: &str) -> Daemon {
    let data = home.convergio().join("data");
    fs::create_dir_all(&data).expect("a folder");
    let mut command = home.command("unshare");
    command
        .args(["-m", "sh", "-c"])
        .arg(format!(
            "set -e; mount -t tmpfs -o size=2m,mode=700 tmpfs \"$1\"; cd \"$1\"; {prepare}; cd /; \
             exec \"$0\" serve --spawned"
        ))
        .arg(binaries().join("convergiod"))
        .arg(&data);
    Daemon::start_by(home, command)
}

const FILL: &str = "dd if=/dev/zero of=fill bs=4k 2>/dev/null || true";

fn can_mount() -> bool {
    let mount = "mount -t tmpfs tmpfs /mnt";
    let tried = Command::new("unshare")
        .args(["-m", "sh", "-c", mount])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

fn inside(daemon: &Daemon, home: &Home) -> PathBuf {
    let data = home.convergio().join("data");
    let data = data.strip_prefix("/").expect("absolute").to_owned();
    PathBuf::from(format!("/proc/{}/root", daemon.pid)).join(data)
}

fn answers_without_saving(home: &Home) {
    let folder = home.folder("w");
    let mut wire = Wire::open(home);
    let events = wire.review(&folder, diffs::SMALL);
    let last = events.last().expect("an end");
    assert_eq!(last["type"], "completed", "{last}");
    assert_eq!(last["summary"]["saved"], false, "{last}");
    assert_eq!(last["summary"]["findings"], 2);
    wire.result("run.list", json!({}));
    let health = wire.result("health.get", json!({}));
    assert_eq!(
        (&health["state"], &health["saving"]),
        (&json!("degraded"), &json!(false)),
        "{health}"
    );

    let shown = home.cv_with_input(&folder, &["review", "--no-model"], diffs::SMALL.as_bytes());
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.out.contains("not saved"), "{shown:?}");
    let listed = home.cv(&folder, &["runs"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
}

/// A local model and a cloud one, at one provider each.
fn models(home: &Home) -> (FakeProvider, FakeProvider) {
    let here = FakeProvider::start(Script::always(Reply::text("from here")));
    let there = FakeProvider::start(Script::always(Reply::text("from there")));
    let folder = home.convergio().join("config");
    fs::create_dir_all(&folder).expect("a folder");
    let settings = format!(
        "[provider.here]\nkind = \"ollama\"\nbase_url = \"{}\"\n\
         [provider.there]\nkind = \"openai\"\nbase_url = \"{}\"\n\
         [provider.there.model.\"gpt-test\"]\nprice = {{ input = \"1\", output = \"1\" }}\n",
        here.base_url(Dialect::Ollama),
        there.base_url(Dialect::OpenAi),
    );
    fs::write(folder.join("config.toml"), settings).expect("a file");
    (here, there)
}

/// Without its books no money is spent; a local model answers, and is not saved.
fn asks_without_saving(home: &Home, here: &FakeProvider, there: &FakeProvider) {
    let mut wire = Wire::open(home);
    let question = |model: &str, run_id: &str| {
        json!({
            "run_id": run_id,
            "input": [{"kind": "prompt", "text": "hi"}],
            "root": "/r",
            "model": model,
        })
    };
    let refused = wire.error_code("run.start", question("there/gpt-test", &new_id()));
    assert_eq!(refused, -32045);
    assert_eq!(there.connections(), 0);
    // Reviews have asked it before.
    let before = here.calls().len();
    let run_id = new_id();
    let accepted = wire.result("run.start", question("here/gpt-test", &run_id));
    assert_eq!(accepted["saved"], false, "{accepted}");
    wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    let events = wire.events_to_end();
    let last = events.last().expect("an end");
    assert_eq!(last["answer"]["saved"], false, "{last}");
    let said = events.iter().any(|event| event["text"] == "from here");
    assert!(said, "{events:?}");
    assert_eq!(here.calls().len(), before + 1);
}

#[test]
fn a_disk_that_is_full_at_start_costs_only_the_saving() {
    if !can_mount() {
        skip::loudly("the full disk", "mount namespaces");
        return;
    }
    let home = Home::new();
    let (here, there) = models(&home);
    let _daemon = on_a_small_disk(&home, FILL);
    answers_without_saving(&home);
    asks_without_saving(&home, &here, &there);
}

#[test]
fn a_disk_that_is_full_when_a_database_exists_costs_only_the_saving() {
    if !can_mount() {
        skip::loudly("the full disk", "mount namespaces");
        return;
    }
    let home = Home::new();
    let (here, there) = models(&home);
    let folder = home.folder("w");
    let data = home.convergio().join("data");
    let daemon = Daemon::start(&home);
    let mut wire = Wire::open(&home);
    let run_id = wire.start_review(&folder, diffs::SMALL);
    wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    wire.events_to_end();
    daemon.kill();
    let kept = home.everything().join("kept");
    fs::rename(&data, &kept).expect("the data moves");
    let copy = format!("cp -p '{}'/*.db* .; {FILL}", kept.display());
    let _daemon = on_a_small_disk(&home, &copy);
    answers_without_saving(&home);
    asks_without_saving(&home, &here, &there);
    let mut wire = Wire::open(&home);
    let run = wire.result("run.get", json!({"run_id": run_id}));
    assert_eq!(run["state"], "completed", "{run}");
}

#[test]
fn a_disk_that_fills_up_and_is_freed_is_noticed_both_times() {
    if !can_mount() {
        skip::loudly("the full disk", "mount namespaces");
        return;
    }
    let home = Home::new();
    let folder = home.folder("w");
    let daemon = on_a_small_disk(&home, "true");
    let mut wire = Wire::open(&home);
    let saved = wire.review(&folder, diffs::SMALL);
    assert_eq!(saved.last().expect("an end")["summary"]["saved"], true);
    let fill = inside(&daemon, &home).join("fill");
    let mut file = fs::File::create(&fill).expect("a file");
    let block = [0; 512];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    drop(file);
    // Room inside the database's own files may still take a few rows.
    let mut unsaved = Vec::new();
    for _ in 0..50 {
        unsaved = wire.review(&folder, &diffs::with_findings(60));
        if unsaved.last().expect("an end")["summary"]["saved"] == false {
            break;
        }
    }
    let last = unsaved.last().expect("an end");
    assert_eq!(last["type"], "completed", "{last}");
    assert_eq!(last["summary"]["saved"], false, "{last}");
    fs::remove_file(&fill).expect("room again");
    let mut saved = false;
    for _ in 0..3 {
        let events = wire.review(&folder, diffs::SMALL);
        saved |= events.last().expect("an end")["summary"]["saved"] == true;
    }
    assert!(saved, "there is room again, and nothing is saved");
}
