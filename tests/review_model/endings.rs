//! How a review ends whose model dies, is refused, is cancelled, or is not asked.

use convergio_fake_provider::{At, Dialect, Event, Reply, Script};
use serde_json::{Value, json};

use super::{CART, Desk, across, argues, both, fault, model, of_type, settled, titles, verdicts};
use crate::harness::{daemon::Daemon, wire::Wire};

/// A change of so many files, none of which a rule minds.
pub(super) fn files(count: usize) -> String {
    (0..count)
        .map(|index| {
            let lines: String = (0..20)
                .map(|line| {
                    format!("+    value_{index}_{line} = compute({line}, factor={index})\n")
                })
                .collect();
            format!(
                "diff --git a/src/m{index}.py b/src/m{index}.py\n--- a/src/m{index}.py\n\
                 +++ b/src/m{index}.py\n@@ -1 +1,21 @@\n def f{index}():\n{lines}"
            )
        })
        .collect()
}

#[test]
fn two_hundred_files_are_cut_to_fit_and_all_of_them_are_read() {
    const CONTEXT: usize = 16_000;
    let script = Script::answer(|_| Reply::json(&json!({"findings": []})));
    let context = format!("context = {CONTEXT}");
    let desk = Desk::with(Dialect::OpenAi, script, "", &context);
    desk.configure(Dialect::OpenAi, "20.00", "", "", &context);
    let (ran, document) = desk.json(&[], &files(200));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let coverage = &document["coverage"];
    assert_eq!(
        (&coverage["files_total"], &coverage["files_reviewed"]),
        (&json!(200), &json!(200))
    );
    assert_eq!(document["complete"], true, "{document}");
    let layer = &document["summary"]["model"];
    assert!(
        layer["chunks"].as_u64().is_some_and(|chunks| chunks > 1),
        "{layer}"
    );
    assert_eq!(layer["chunks"], layer["chunks_done"]);
    let calls = desk.provider.calls();
    let prompts: Vec<String> = calls.iter().map(|call| call.prompt()).collect();
    for index in 0..200 {
        let last = format!("value_{index}_19 = ");
        assert!(
            prompts.iter().any(|prompt| prompt.contains(&last)),
            "{last} was not sent"
        );
    }
    for (call, prompt) in calls.iter().zip(&prompts) {
        let room = call.max_output().expect("a limit") as usize;
        assert!(prompt.len() / 2 + room <= CONTEXT, "{} bytes", prompt.len());
    }
}

#[test]
fn a_budget_that_ends_midway_leaves_the_rest_unread_and_says_so() {
    let script = Script::answer(|_| Reply::json(&json!({"findings": []})).usage(4_000, 600));
    let desk = Desk::with(Dialect::OpenAi, script, "", "context = 16000");
    let mut diff = files(200);
    diff.push_str(&both());
    let (ran, document) = desk.json(&["--max-cost", "0.14"], &diff);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(document["complete"], false);
    assert_eq!(titles(&document["findings"]).len(), 2, "the rules' stay");
    let layer = &document["summary"]["model"];
    assert_eq!(layer["complete"], false, "{layer}");
    assert_eq!(layer["error"]["code"], -32030, "{layer}");
    let (done, all) = (layer["chunks_done"].as_u64(), layer["chunks"].as_u64());
    assert!(done > Some(0) && done < all, "{layer}");
    assert!(
        layer["amount_nano_usd"]
            .as_i64()
            .is_some_and(|nano| nano <= 140_000_000),
        "{layer}"
    );
    let unread = document["coverage"]["unreviewed"]
        .as_array()
        .expect("sentences");
    assert!(unread.iter().any(|one| {
        one.as_str()
            .is_some_and(|one| one.contains("not read by the model"))
    }));
}

#[test]
fn a_provider_that_dies_midway_leaves_what_was_found() {
    // The first chunk is looked at twice; then nobody answers any more.
    let script = Script::answer(|request| {
        if argues(request) {
            return verdicts(request, true);
        }
        if request.prompt().contains("average = sum(items) / count") {
            return Reply::json(&json!({"findings": [fault()]}));
        }
        Reply::error(401, "authentication_error", "the account was closed")
    });
    let desk = Desk::with(Dialect::OpenAi, script, "", "context = 16000");
    desk.configure(Dialect::OpenAi, "20.00", "", "", "context = 16000");
    let diff = format!("{}{}", both(), files(200));
    let (ran, document) = desk.json(&[], &diff);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(document["complete"], false, "{document}");
    let titles = titles(&document["findings"]);
    assert_eq!(titles.len(), 3, "{titles:?}");
    assert_eq!(document["summary"]["model"]["error"]["code"], -32040);
    // What was found is the latest result, numbered as it was shown.
    let replayed = desk.cv(&["review", "--replay"], "");
    assert!(replayed.out.contains("Division by zero"), "{replayed:?}");
}

#[test]
fn connections_that_break_are_tried_again_and_then_the_rest_is_left() {
    let script = Script::answer(|request| {
        if argues(request) {
            return verdicts(request, true);
        }
        if request.prompt().contains("average = sum(items) / count") {
            return Reply::json(&json!({"findings": [fault()]}));
        }
        Reply::text("lost").reset_after(At::Wire(0))
    });
    let desk = Desk::with(Dialect::OpenAi, script, "", "context = 16000");
    desk.configure(Dialect::OpenAi, "20.00", "", "", "context = 16000");
    let diff = format!("{}{}", both(), files(200));
    let (ran, document) = desk.json(&[], &diff);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert_eq!(document["complete"], false, "{document}");
    assert_eq!(titles(&document["findings"]).len(), 3, "{document}");
    let layer = &document["summary"]["model"];
    let chunks = layer["chunks"].as_u64().expect("a number");
    // Four at a time, each tried three times: a dead provider is not asked for every chunk.
    let calls = desk.provider.calls().len() as u64;
    assert!(calls < 3 * chunks, "{calls} calls for {chunks} chunks");
    let unread = document["coverage"]["unreviewed"]
        .as_array()
        .expect("sentences");
    assert!(unread.len() as u64 >= chunks - layer["chunks_done"].as_u64().expect("a number"));
}

#[test]
fn nothing_leaves_where_nothing_may() {
    let desk = Desk::new(model(vec![fault()], true));
    let (ran, document) = desk.json(&["--local-only"], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(document["summary"]["bytes_sent"], 0);
    let reviewer = document["summary"]["reviewer"]
        .as_str()
        .expect("a reviewer");
    assert!(reviewer.starts_with("rules only"), "{reviewer}");
    let ran = desk.cv(
        &["review", "--local-only", "--model", "mock/gpt-test"],
        CART,
    );
    assert_eq!(ran.code, Some(8), "{ran:?}");
    desk.configure(
        Dialect::OpenAi,
        "2.00",
        "policy = \"local-only\"",
        "",
        "context = 128000",
    );
    let (ran, _) = desk.json(&[], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = desk.cv(&["review", "--model", "mock/gpt-test"], CART);
    assert_eq!(ran.code, Some(8), "{ran:?}");
    assert_eq!(desk.provider.connections(), 0);
}

#[test]
fn a_key_that_is_nowhere_costs_the_model_and_not_the_rules() {
    let desk = Desk::new(model(vec![fault()], true));
    let mut command = desk.command(&["review", "--format", "json"]);
    command.env_remove("MOCK_KEY");
    let ran = crate::harness::process::run(&mut command, both().as_bytes());
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    assert_eq!(titles(&document["findings"]).len(), 2, "{document}");
    assert_eq!(
        document["summary"]["model"]["error"]["code"], -32043,
        "{document}"
    );
    assert_eq!(desk.provider.connections(), 0);
}

#[test]
fn a_cancelled_review_settles_every_open_call() {
    let desk = Desk::with(
        Dialect::OpenAi,
        Script::always(Reply::silence()),
        "",
        "context = 16000",
    );
    desk.configure(Dialect::OpenAi, "20.00", "", "", "context = 16000");
    assert_eq!(desk.cv(&["status"], "").code, Some(0));
    let (mut wire, run_id) = desk.start(&files(200), json!({}));
    desk.provider
        .wait(Event::Requests(4))
        .expect("four at once");
    wire.result("run.cancel", json!({"run_id": run_id}));
    let events = wire.events_to_end();
    settled(&events);
    assert_eq!(
        of_type(&events, "plan").len(),
        4,
        "no more than four at once"
    );
    assert_eq!(events.last().expect("an end")["type"], "cancelled");
    let usage = desk.cv(&["usage", "--format", "json"], "");
    let usage: Value = serde_json::from_str(&usage.out).unwrap_or_else(|_| panic!("{usage:?}"));
    assert_eq!(usage["total"]["open"], 0, "{usage}");
    for budget in usage["budgets"].as_array().expect("budgets") {
        assert_eq!(budget["pending_nano_usd"], 0, "{usage}");
    }
}

#[test]
fn a_killed_daemon_asks_nobody_again() {
    let desk = Desk::new(Script::always(Reply::silence()));
    let daemon = Daemon::start(&desk.home);
    let (mut wire, run_id) = desk.start(&both(), json!({}));
    desk.provider.wait(Event::Requests(1)).expect("a call");
    daemon.kill();
    while wire.try_line().is_some() {}
    let listed = desk.cv(&["runs"], "");
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let mut wire = Wire::open(&desk.home);
    let run = wire.result("run.get", json!({"run_id": run_id}));
    assert_eq!(run["state"], "failed", "{run}");
    wire.result("run.subscribe", json!({"run_id": run_id, "after_seq": 0}));
    let events = wire.events_to_end();
    assert_eq!(of_type(&events, "finding").len(), 2, "{events:#?}");
    assert_eq!(desk.provider.calls().len(), 1, "a call is never sent again");
    let usage = desk.cv(&["usage", "--format", "json"], "");
    let usage: Value = serde_json::from_str(&usage.out).unwrap_or_else(|_| panic!("{usage:?}"));
    assert_eq!(usage["total"]["open"], 0, "{usage}");
}

#[test]
fn a_look_across_files_that_fails_is_said() {
    let script = Script::answer(|request| match across(request) {
        true => Reply::error(400, "invalid_request_error", "no"),
        false => Reply::json(&json!({"findings": []})),
    });
    let desk = Desk::with(Dialect::OpenAi, script, "", "context = 16000");
    desk.configure(Dialect::OpenAi, "20.00", "", "", "context = 16000");
    let declared = files(60).replace("@@ -1 +1,21 @@\n def", "@@ -0,0 +1,21 @@\n+def");
    let (ran, document) = desk.json(&[], &declared);
    assert!(desk.provider.calls().iter().any(across), "{ran:?}");
    assert_eq!(document["complete"], false, "{ran:?}");
    assert_eq!(ran.code, Some(3), "{ran:?}");
}

#[test]
fn a_model_that_was_found_here_looks_unasked_and_whoever_wants_rules_has_rules() {
    let desk = Desk::new(model(vec![fault()], true));
    let base = desk.provider.base_url(Dialect::Ollama);
    let text =
        format!("[provider.ollama]\nkind = \"ollama\"\nbase_url = \"{base}\"\nlocal = true\n");
    let settings = desk.home.convergio().join("config/config.toml");
    std::fs::write(settings, text).expect("a file");
    let (ran, document) = desk.json(&["--no-model"], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (_, document_of_a_rule) = desk.json(&["--rules", "secret"], CART);
    assert_eq!(document["summary"]["reviewer"], "rules only");
    assert_eq!(document_of_a_rule["summary"]["reviewer"], "rules only");
    assert_eq!(desk.provider.connections(), 0);
    let (ran, document) = desk.json(&[], CART);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        document["summary"]["reviewer"], "ollama/gpt-test",
        "{document}"
    );
    assert_eq!(document["summary"]["bytes_sent"], 0);
    assert_eq!(titles(&document["findings"]).len(), 1, "{document}");
}

#[test]
fn an_exported_key_alone_sends_no_code() {
    let desk = Desk::new(model(vec![fault()], true));
    let file = desk.home.convergio().join("config/config.toml");
    std::fs::write(&file, "").expect("a file");
    let mut command = desk.command(&["review"]);
    command.env("ANTHROPIC_API_KEY", super::KEY);
    let ran = crate::harness::process::run(&mut command, CART.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let why = "rules only: a key is exported, and nobody chose to send code";
    assert!(ran.out.contains(why), "{ran:?}");
    assert!(ran.out.contains("0 bytes left this machine"), "{ran:?}");
    let left = desk.command(&["privacy", "egress"]).output().expect("cv");
    let left =
        String::from_utf8_lossy(&left.stderr).into_owned() + &String::from_utf8_lossy(&left.stdout);
    assert!(!left.contains("anthropic"), "{left}");
}

#[test]
fn a_key_of_a_provider_of_the_settings_lets_its_model_look_and_it_is_said_to_whom() {
    let desk = Desk::new(model(vec![fault()], true));
    let base = desk.provider.base_url(Dialect::OpenAi);
    let text = format!(
        "[provider.openai]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"OPENAI_API_KEY\"\n"
    );
    std::fs::write(desk.home.convergio().join("config/config.toml"), text).expect("a file");
    let mut command = desk.command(&["review"]);
    command.env("OPENAI_API_KEY", super::KEY);
    let ran = crate::harness::process::run(&mut command, CART.as_bytes());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("Division by zero"), "{ran:?}");
    assert!(ran.err.contains(&desk.provider.url()), "{ran:?}");
    // As `cv privacy egress` says of the same request.
    assert!(ran.out.contains(" · 0 bytes left this machine"), "{ran:?}");
    let left = desk.cv(&["privacy", "egress"], "");
    assert!(
        left.err.contains("none of it to another machine"),
        "{left:?}"
    );
    assert!(ran.err.contains("cv budget set daily"), "{ran:?}");
}
