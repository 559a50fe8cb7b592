//! The daemon as a client sees it, on what the golden transcripts don't show.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use serde_json::json;
use support::{Served, count, faulty, params};
use uuid::Uuid;

const FORBIDDEN: i64 = -32023;
const CONFLICT: i64 = -32025;
const INVALID: i64 = -32602;

#[test]
fn another_user_is_cut_off_without_a_word() {
    let served = Served::with(|_, options| options.peer_uid = Some(4_000_000));
    let mut wire = served.silent();
    // The daemon may be gone before this is written.
    assert!(wire.line().is_none());
}

#[test]
fn a_request_behind_initialize_in_one_write_is_served() {
    let served = Served::new();
    let mut wire = served.silent();
    let handshake = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocol_versions": convergio_contract::PROTOCOL_VERSIONS, "client": {"name": "t", "version": "0.0.1"}},
    });
    let run_id = Uuid::now_v7();
    let start = json!({"jsonrpc": "2.0", "id": 2, "method": "review.start", "params": params(run_id, &faulty(2), json!({}))});
    let subscribe =
        json!({"jsonrpc": "2.0", "id": 3, "method": "run.subscribe", "params": {"run_id": run_id}});
    wire.raw(&format!("{handshake}\n{start}\n{subscribe}"));
    let mut kinds = Vec::new();
    while !kinds.iter().any(|kind| kind == "completed") {
        let line = wire.line().expect("a line");
        assert!(line["error"].is_null(), "{line}");
        if let Some(kind) = line["params"]["type"].as_str() {
            kinds.push(kind.to_owned());
        }
    }
    assert_eq!(
        kinds,
        ["started", "finding", "finding", "coverage", "completed"]
    );
}

#[test]
fn the_second_review_says_what_is_new_what_stays_and_what_is_gone() {
    let served = Served::new();
    let mut wire = served.wire();
    let (_, first) = wire.review(&faulty(2), json!({}));
    let summary = &first.last().expect("events")["summary"];
    assert_eq!(
        (&summary["new"], &summary["compared"]),
        (&json!(2), &json!(false))
    );
    // f1.py is unchanged now.
    let (run_id, second) = wire.review(&faulty(1), json!({}));
    let statuses: Vec<_> = second
        .iter()
        .filter(|event| event["type"] == "finding")
        .map(|event| {
            (
                event["n"].as_u64().expect("n"),
                event["status"].as_str().expect("status").to_owned(),
            )
        })
        .collect();
    assert_eq!(
        statuses,
        [(1, "persisting".to_owned()), (0, "resolved".to_owned())]
    );
    let numbers: Vec<u64> = second
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=second.len() as u64).collect::<Vec<_>>());
    // Another selection is compared with nothing.
    let (_, other) = wire.review(&faulty(1), json!({"selection": "staged"}));
    assert_eq!(other.last().expect("events")["summary"]["compared"], false);
    let latest = wire.result("review.latest", json!({"root": "/r"}));
    assert_eq!(latest["findings"].as_array().map(Vec::len), Some(1));
    let info = wire.result("run.get", json!({"run_id": run_id}));
    assert_eq!(
        (&info["findings"], &info["state"]),
        (&json!(1), &json!("completed"))
    );
}

#[test]
fn the_same_request_is_replayed_and_another_under_its_name_refused() {
    let served = Served::new();
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    let request = params(run_id, &faulty(1), json!({"idempotency_key": "k"}));
    assert_eq!(
        wire.result("review.start", request.clone())["replayed"],
        false
    );
    assert_eq!(wire.result("review.start", request)["replayed"], true);
    let other = wire.error("review.start", params(run_id, &faulty(2), json!({})));
    assert_eq!(other["code"], CONFLICT, "{other}");
    let again = params(Uuid::now_v7(), &faulty(1), json!({"idempotency_key": "k"}));
    let answer = wire.result("review.start", again);
    assert_eq!(
        (&answer["run_id"], &answer["replayed"]),
        (&json!(run_id), &json!(true))
    );
    assert_eq!(count(&wire.events(run_id), "finding"), 1);
}

#[test]
fn a_silence_holds_from_the_next_review_on_and_goes_with_its_undo() {
    let served = Served::new();
    let mut wire = served.wire();
    let (_, events) = wire.review(&faulty(1), json!({}));
    let finding = &events[1];
    assert_eq!(finding["type"], "finding");
    let silence = json!({"root": "/r", "fingerprint": finding["fingerprint"], "rule": finding["rule"], "reason": "a test server"});
    wire.result("review.allow", silence);
    let undo_id = Uuid::now_v7();
    let entry = json!({
        "undo_id": undo_id, "label": "cv allow 1", "root": "/r", "files": [],
        "silence": {"root": "/r", "fingerprint": finding["fingerprint"]},
    });
    wire.result("undo.put", entry);
    let (_, silent) = wire.review(&faulty(1), json!({}));
    assert_eq!(count(&silent, "finding"), 0);
    let summary = &silent.last().expect("events")["summary"];
    assert_eq!(summary["silenced"][0]["by_this_change"], false);
    assert_eq!(
        wire.result("undo.apply", json!({"undo_id": undo_id, "files": []}))["done"],
        true
    );
    let (_, loud) = wire.review(&faulty(1), json!({}));
    assert_eq!(count(&loud, "finding"), 1);
}

#[test]
fn broken_silences_of_the_base_are_told_with_their_place_and_a_way_to_see_them() {
    let served = Served::new();
    let mut wire = served.wire();
    for (base, shown) in [(json!(null), "HEAD"), (json!("0123abcd"), "0123abcd")] {
        let mut start = params(Uuid::now_v7(), &faulty(1), json!({}));
        start["base_silences"] = json!("# silences\nbroken\n");
        start["base_sha"] = base;
        let error = wire.error("review.start", start);
        assert_eq!(error["code"], INVALID, "{error}");
        let why = error["data"]["why"].as_str().expect("a reason");
        assert!(why.contains("line 2, column "), "{why}");
        assert!(!why.contains('\n'), "{why}");
        let hint = format!("git show {shown}:.convergio/review.toml");
        assert_eq!(error["data"]["hint"], hint, "{error}");
    }
}

#[test]
fn silences_are_listed_ended_and_stand_again_with_the_undo_of_their_end() {
    let served = Served::new();
    let mut wire = served.wire();
    let silences = |wire: &mut support::Wire, extra: serde_json::Value| {
        let mut params = json!({"root": "/r"});
        for (key, value) in extra.as_object().expect("an object") {
            params[key] = value.clone();
        }
        wire.result("review.silences", params)
    };
    let [a, b] = ["a".repeat(64), "b".repeat(64)];
    for fingerprint in [&a, &b] {
        let silence =
            json!({"root": "/r", "fingerprint": fingerprint, "rule": "x", "reason": "why"});
        wire.result("review.allow", silence);
    }
    let listed = silences(&mut wire, json!({"limit": 1}));
    assert_eq!(listed["total"], 2, "{listed}");
    assert_eq!(listed["silences"].as_array().map(Vec::len), Some(1));
    let listed = silences(&mut wire, json!({"prefix": "aaaa"}));
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["silences"][0]["fingerprint"], json!(a));
    assert_eq!(listed["silences"][0]["reason"], "why");

    let undo_id = Uuid::now_v7();
    let silence = json!({"root": "/r", "fingerprint": a, "rule": "x", "reason": "why"});
    let entry = json!({
        "undo_id": undo_id, "label": "cv allow --remove aaaa", "root": "/r", "files": [],
        "ended_silence": silence,
    });
    wire.result("undo.put", entry);
    let ended = json!({"root": "/r", "fingerprint": a});
    let first = wire.result("review.unallow", ended.clone());
    assert_eq!(first["removed"], true);
    let again = wire.result("review.unallow", ended.clone());
    assert_eq!(again["removed"], false);
    assert_eq!(silences(&mut wire, json!({}))["total"], 1);
    let apply = json!({"undo_id": undo_id, "files": []});
    assert_eq!(wire.result("undo.apply", apply.clone())["done"], true);
    assert_eq!(silences(&mut wire, json!({}))["total"], 2);
    // Once: a repetition brings back nothing that was ended since.
    wire.result("review.unallow", ended);
    assert_eq!(wire.result("undo.apply", apply)["done"], true);
    assert_eq!(silences(&mut wire, json!({}))["total"], 1);
}

#[test]
fn an_ephemeral_review_is_shown_and_leaves_a_row() {
    let served = Served::new();
    let mut wire = served.wire();
    let (run_id, events) = wire.review(&faulty(3), json!({"ephemeral": true}));
    assert_eq!(count(&events, "finding"), 3);
    assert_eq!(
        wire.error("review.latest", json!({"root": "/r"}))["data"]["slug"],
        "not_found"
    );
    assert_eq!(
        wire.result("run.get", json!({"run_id": run_id}))["state"],
        "completed"
    );
}

#[test]
fn broken_settings_stop_what_needs_them_and_nothing_else() {
    let served = Served::with(|home, _| {
        let config = home.join("config");
        fs::create_dir_all(&config).expect("a folder");
        fs::write(config.join("config.toml"), "[review]\nstrict = 3\n").expect("a file");
    });
    let mut wire = served.wire();
    let health = wire.result("health.get", json!({}));
    assert_eq!(health["state"], "degraded");
    let refused = wire.error(
        "review.start",
        params(Uuid::now_v7(), &faulty(1), json!({})),
    );
    assert_eq!(refused["code"], INVALID, "{refused}");
    assert!(
        refused["data"]["why"]
            .as_str()
            .is_some_and(|why| why.contains("config.toml:2")),
        "{refused}"
    );
    wire.result("logs.read", json!({}));
    wire.result("run.list", json!({}));
    let doctor = wire.result("health.doctor", json!({}));
    let checks = doctor["checks"].as_array().expect("checks");
    assert!(
        checks
            .iter()
            .any(|check| check["id"] == "settings" && check["state"] == "error")
    );
    // Mended, and no restart needed.
    fs::write(
        served.home().join("config/config.toml"),
        "[review]\nstrict = true\n",
    )
    .expect("a file");
    assert_eq!(count(&wire.review(&faulty(1), json!({})).1, "finding"), 1);
}

#[test]
fn a_policy_that_others_could_have_written_stops_whatever_acts() {
    let served = Served::with(|home, options| {
        let policy = home.join("policy.toml");
        fs::write(&policy, "[review]\nstrict = true\n").expect("a file");
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o666)).expect("a mode");
        options.surroundings.settings.policy_file = policy;
        options.surroundings.settings.policy_owner_uid = options.surroundings.settings.uid;
    });
    let mut wire = served.wire();
    for (method, call) in [
        (
            "review.start",
            params(Uuid::now_v7(), &faulty(1), json!({})),
        ),
        (
            "config.set",
            json!({"key": "review.strict", "value": "true"}),
        ),
    ] {
        let refused = wire.error(method, call);
        assert_eq!(refused["code"], FORBIDDEN, "{method}: {refused}");
    }
    assert_eq!(wire.result("health.get", json!({}))["state"], "degraded");
}

#[test]
fn the_settings_of_a_client_are_its_own() {
    let served = Served::new();
    let mut plain = served.wire();
    let mut picky = served.wire_with(json!({"CONVERGIO_REVIEW_STRICT": "true"}));
    let strict = |wire: &mut support::Wire| {
        let got = wire.result("config.get", json!({"key": "review.strict"}));
        (
            got["values"][0]["value"].clone(),
            got["values"][0]["layer"].clone(),
        )
    };
    assert_eq!(strict(&mut plain), (json!(false), json!("default")));
    assert_eq!(strict(&mut picky), (json!(true), json!("environment")));
}

#[test]
fn a_wait_for_the_log_ends_with_the_next_line() {
    let served = Served::new();
    let mut wire = served.wire();
    let page = wire.result("logs.read", json!({}));
    // Nothing comes: the wait is over after its time.
    let empty = wire.result(
        "logs.read",
        json!({"cursor": page["cursor"], "wait_ms": 20}),
    );
    assert_eq!(empty["lines"], json!([]));
    let waiting = wire.send(
        "logs.read",
        json!({"cursor": page["cursor"], "wait_ms": 30_000}),
    );
    fs::create_dir_all(served.home().join("state")).expect("a folder");
    // A cancelled wait has one response too.
    wire.raw(
        &json!({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": waiting}}).to_string(),
    );
    let cancelled = wire.response(waiting);
    assert_eq!(cancelled["error"]["code"], -32800);
    assert_eq!(wire.call("health.get", json!({}))["error"], json!(null));
}

#[test]
fn the_end_waits_for_what_is_being_told_and_leaves_no_socket() {
    let served = Served::new();
    let socket = served.daemon.socket().to_owned();
    let mut wire = served.wire();
    let run_id = Uuid::now_v7();
    wire.result("review.start", params(run_id, &faulty(500), json!({})));
    wire.send("run.subscribe", json!({"run_id": run_id}));
    served.daemon.stop();
    let mut last = None;
    while let Some(line) = wire.line() {
        if line["method"] == "run.event" {
            last = Some(line["params"]["type"].clone());
        }
    }
    assert_eq!(last, Some(json!("completed")));
    drop(served);
    assert!(!socket.exists());
}

#[test]
fn a_subscription_beyond_the_end_is_quiet_and_harmless() {
    let served = Served::new();
    let mut wire = served.wire();
    let (run_id, events) = wire.review(&faulty(1), json!({}));
    let beyond = json!({"run_id": run_id, "after_seq": u64::MAX});
    assert_eq!(
        wire.result("run.subscribe", beyond)["last_seq"],
        events.len()
    );
    assert_eq!(wire.events(run_id).len(), events.len());
    let unknown = wire.error("run.subscribe", json!({"run_id": Uuid::now_v7()}));
    assert_eq!(unknown["data"]["slug"], "not_found");
}

#[test]
fn a_half_closed_peer_still_gets_its_answers() {
    use std::{
        io::{Read, Write},
        net::Shutdown,
        os::unix::net::UnixStream,
    };
    let served = Served::new();
    let mut stream = UnixStream::connect(served.daemon.socket()).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a timeout");
    let handshake = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocol_versions": convergio_contract::PROTOCOL_VERSIONS, "client": {"name": "t", "version": "0.0.1"}},
    });
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "run.list"});
    write!(stream, "{handshake}\n{list}\n").expect("a daemon that reads");
    stream.shutdown(Shutdown::Write).expect("half a connection");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("an end");
    assert_eq!(answers.lines().count(), 2, "{answers}");
}
