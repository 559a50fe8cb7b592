//! A model that does not answer, and who stands in for it.

use convergio_fake_provider::{Dialect, Reply, Script};

use super::{DAILY, Other, house};
use crate::ask::{json_of, lines_of, three_lines};

/// Fails at once and for good: no retry makes it better, and nothing is waited for.
fn overloaded() -> Script {
    Script::always(Reply::error(503, "overloaded", "try later").retry_after(30))
}

#[test]
fn another_model_stands_in_and_that_is_said_where_people_and_programs_look() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"spare/m\"]\n";
    let spare = Other::answering("spare", "m");
    let (house, fakes) = house(overloaded(), "", models, DAILY, vec![spare]);
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim(), "spare answers.");
    let said = "mock/gpt-test: overloaded; asking spare/m instead";
    assert_eq!(ran.err.matches(said).count(), 1, "{ran:?}");
    assert_eq!(fakes[0].calls().len(), 1);
    let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
    let lines = lines_of(&ran);
    let plan = lines
        .iter()
        .rfind(|line| line["type"] == "plan")
        .expect("a plan");
    assert_eq!(plan["instead_of"]["model"], "mock/gpt-test", "{plan}");
    assert_eq!(plan["instead_of"]["why"], "overloaded");
    assert_eq!(plan["provider"], "spare");
}

#[test]
fn a_stale_name_in_a_chain_stops_nobody() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"gone/m\"]\n\
                  [models.fallback_on]\nserver = [\"gone/n\"]\n";
    let (house, _) = house(
        Script::always(Reply::text("Here.")),
        "",
        models,
        DAILY,
        vec![],
    );
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim(), "Here.");
    let explained = json_of(&house.cv(&["route", "explain", "hi", "--format", "json"]));
    let left = explained["left_out"].to_string();
    assert!(
        left.contains("gone/m") && left.contains("gone/n"),
        "{explained}"
    );
}

#[test]
fn each_kind_of_failure_has_the_stand_ins_that_the_settings_give_it() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"spare/m\"]\n\
                  [models.fallback_on]\nrate_limit = [\"limits/m\"]\nauth = []\n";
    let script = Script::replies([
        Reply::error(429, "rate_limit_exceeded", "slow down").retry_after(30),
        Reply::error(401, "invalid_api_key", "no"),
        Reply::error(404, "model_not_found", "no such model").code("model_not_found"),
        Reply::error(400, "invalid_request_error", "bad"),
    ]);
    let others = vec![
        Other::answering("spare", "m"),
        Other::answering("limits", "m"),
    ];
    let (house, _fakes) = house(script, "", models, DAILY, others);
    let limited = house.cv(&["ask", "hi"]);
    assert_eq!(limited.out.trim(), "limits answers.", "{limited:?}");
    // A key that is not accepted is told: nobody stands in for it here.
    three_lines(&house.cv(&["ask", "hi"]), 3);
    let unknown = house.cv(&["ask", "hi"]);
    assert_eq!(unknown.out.trim(), "spare answers.", "{unknown:?}");
    // A request that is wrong is wrong everywhere.
    three_lines(&house.cv(&["ask", "hi"]), 3);
    assert_eq!(house.provider.calls().len(), 4);
}

/// While it is left alone for a failure for which nobody stands in, nobody stands in for it either;
/// how long that is, is said at once.
#[test]
fn nobody_stands_in_later_for_a_failure_that_has_no_stand_ins() {
    for own in ["[models.fallback_on]\nrate_limit = []\n", ""] {
        let models =
            format!("[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"spare/m\"]\n{own}");
        let limited = Reply::error(429, "rate_limit_exceeded", "slow down");
        let script = Script::always(limited.retry_after(300));
        let spare = Other::answering("spare", "m");
        let (house, fakes) = house(script, "", &models, DAILY, vec![spare]);
        for asked in 1..=2 {
            let ran = house.cv(&["ask", "hi"]);
            if own.is_empty() {
                assert_eq!(ran.out.trim(), "spare answers.", "{asked}: {ran:?}");
                continue;
            }
            three_lines(&ran, 3);
            let said = "wants to be left alone for 5 min";
            assert!(ran.err.contains(said), "{asked}: {ran:?}");
        }
        assert_eq!(house.provider.calls().len(), 1);
        let stood_in = if own.is_empty() { 2 } else { 0 };
        assert_eq!(fakes[0].calls().len(), stood_in, "{own}");
    }
}

#[test]
fn who_is_left_alone_amid_its_retries_is_passed_over_for_what_it_did() {
    // Nobody listens there, and one failure is enough.
    let gone = "[provider.gone]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                key_env = \"MOCK_KEY\"\n[provider.gone.model.\"m\"]\n\
                price = { input = \"3.00\", output = \"15.00\" }\n";
    let models = "[models]\ndefault = \"gone/m\"\nfallback = [\"spare/m\"]\ncooldown_after = 1\n";
    let spare = Other::answering("spare", "m");
    let top = format!("{DAILY}{gone}");
    let (house, _fakes) = house(Script::new(), "", models, &top, vec![spare]);
    let lines = lines_of(&house.cv(&["ask", "hi", "--format", "ndjson"]));
    let plans: Vec<_> = lines.iter().filter(|line| line["type"] == "plan").collect();
    let of_gone = plans.iter().filter(|plan| plan["provider"] == "gone");
    assert_eq!(of_gone.count(), 1, "it is not tried again: {lines:?}");
    let instead = &plans.last().expect("a plan")["instead_of"];
    assert_eq!(instead["model"], "gone/m");
    assert_eq!(instead["why"], "no connection");
}

#[test]
fn a_word_for_models_finds_what_is_configured_and_passes_over_who_is_not_there() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\n\
                  [models.alias]\nwork = [\"mock/gpt-test\", \"nope/x\"]\nlost = [\"nope/x\"]\n";
    let script = Script::always(Reply::text("Here."));
    let (house, _) = house(script, "", models, DAILY, Vec::new());
    for word in ["cheap", "work"] {
        let ran = house.cv(&["ask", "--model", word, "hi"]);
        assert_eq!(ran.code, Some(0), "{word}: {ran:?}");
        assert_eq!(ran.out.trim(), "Here.");
    }
    // A provider is configured, and its key is there.
    for (word, way) in [
        ("fast", "cv config set models.alias.fast mock/gpt-test"),
        ("private", "cv setup"),
    ] {
        let ran = house.cv(&["ask", "--model", word, "hi"]);
        three_lines(&ran, 3);
        assert!(!ran.err.contains("none is configured"), "{ran:?}");
        assert!(!ran.err.contains("no key is there"), "{ran:?}");
        assert!(ran.err.contains(way), "{ran:?}");
    }
    let ran = house.cv(&["ask", "--model", "lost", "hi"]);
    three_lines(&ran, 3);
    assert!(ran.err.contains("nope"), "{ran:?}");
}

#[test]
fn a_word_for_models_is_the_default_and_the_fallback_stands_behind_it() {
    let models = "[models]\ndefault = \"work\"\nfallback = [\"spare/m\"]\n\
                  [models.alias]\nwork = [\"nope/x\", \"mock/gpt-test\"]\n";
    let script = Script::replies([Reply::text("Here.")]).otherwise(Reply::error(503, "no", "no"));
    let spare = Other::answering("spare", "m");
    let (house, fakes) = house(script, "", models, DAILY, vec![spare]);
    let explained = json_of(&house.cv(&["route", "explain", "hi", "--format", "json"]));
    let routes = &explained["routes"];
    assert_eq!(routes[0]["model"], "mock/gpt-test", "{explained}");
    assert_eq!(routes[0]["reason"], "configured as work");
    assert_eq!(routes[1]["model"], "spare/m", "{explained}");
    assert!(explained["left_out"].to_string().contains("nope/x"));
    assert_eq!(house.cv(&["ask", "hi"]).out.trim(), "Here.");
    assert_eq!(house.cv(&["ask", "hi"]).out.trim(), "spare answers.");
    assert_eq!(fakes[0].calls().len(), 1);
    let listed = json_of(&house.cv(&["models", "--format", "json"]));
    let default = listed["models"].as_array().expect("models");
    let default = default.iter().find(|model| model["default"] == true);
    assert_eq!(default.expect("a default")["name"], "mock/gpt-test");
    // A word that stands for nothing is told with the way out.
    assert_eq!(
        house.cv(&["config", "set", "models.default", "wrok"]).code,
        Some(0)
    );
    let lost = house.cv(&["ask", "hi"]);
    three_lines(&lost, 2);
    assert!(lost.err.contains("models.default is wrok"), "{lost:?}");
}

#[test]
fn where_money_is_short_a_cheaper_model_or_this_machine_answers_and_that_is_said() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\nfallback = [\"cheap/m\"]\n";
    let budget = "[budget]\ndaily_usd = \"0.002\"\n";
    let cheap = Other::answering("cheap", "m");
    let (house, _fakes) = house(Script::new(), "", models, budget, vec![cheap]);
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim(), "cheap answers.");
    assert!(ran.err.contains("asking cheap/m instead"), "{ran:?}");
    assert!(house.provider.calls().is_empty(), "nothing was sent there");
    let shown = house.cv(&["ask", "hi", "--format", "ndjson"]);
    let lines = lines_of(&shown);
    let less = lines.iter().find(|line| line["type"] == "downgraded");
    let less = less.unwrap_or_else(|| panic!("{shown:?}"));
    assert_eq!(less["from"], "mock/gpt-test");
    assert_eq!(less["to"], "cheap/m");
}

#[test]
fn what_runs_here_goes_on_where_nothing_else_can_be_reached() {
    // Nobody listens there.
    let gone = "[provider.gone]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                key_env = \"MOCK_KEY\"\n[provider.gone.model.\"m\"]\n\
                price = { input = \"3.00\", output = \"15.00\" }\n";
    let here = || Other {
        name: "here",
        dialect: Dialect::Ollama,
        script: Script::always(Reply::text("this machine answers.")),
        more: "local = true",
        model: "llama",
    };
    let models = "[models]\ndefault = \"gone/m\"\n";
    let top = format!("{DAILY}{gone}");
    let (house, fakes) = house(Script::new(), "", models, &top, vec![here()]);
    for said in [
        "gone/m: no connection; asking here/llama instead",
        // By now it is left alone: this machine answers at once.
        "it is asked again in",
    ] {
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.out.trim(), "this machine answers.");
        assert!(ran.err.contains(said), "{ran:?}");
    }
    assert_eq!(fakes[0].calls().len(), 2);
    // Who names a model gets that one or an error.
    three_lines(&house.cv(&["ask", "--model", "gone/m", "hi"]), 3);
}

#[test]
fn who_fails_again_and_again_is_left_alone_and_asked_again_once_it_was_seen() {
    let models = "[models]\ndefault = \"mock/gpt-test\"\ncooldown_after = 2\n";
    let script = Script::replies([Reply::error(503, "overloaded", "try later").retry_after(70)])
        .otherwise(Reply::text("Back."));
    let (house, _) = house(script, "", models, DAILY, Vec::new());
    three_lines(&house.cv(&["ask", "hi"]), 3);
    // It asked for more patience than anybody has: nothing is sent meanwhile.
    let told = house.cv(&["ask", "hi"]);
    three_lines(&told, 3);
    assert!(told.err.contains("nothing was sent"), "{told:?}");
    assert!(told.err.contains("wants to be left alone for"), "{told:?}");
    assert_eq!(house.provider.calls().len(), 1);
    let listed = house.cv(&["provider", "list"]);
    assert!(listed.out.contains("wants to be left alone"), "{listed:?}");
    // The way out works.
    assert_eq!(house.cv(&["provider", "test", "mock"]).code, Some(0));
    assert_eq!(house.cv(&["ask", "hi"]).out.trim(), "Back.");
    let usage = json_of(&house.cv(&["usage", "--format", "json"]));
    assert_eq!(usage["total"]["attempts"], 2, "{usage}");
}

/// A provider whose key is in a variable that no program sends unasked.
fn keyed(name: &'static str, more: &'static str, key: &str) -> Other {
    let script = Script::always(Reply::text(&format!("{name} answers."))).require_key(key);
    Other {
        more,
        script,
        ..Other::answering(name, "m")
    }
}

#[test]
fn the_keys_of_all_who_may_stand_in_are_asked_for_at_once_and_each_step_is_said() {
    let models = "[models]\ndefault = \"gone/m\"\nfallback = [\"bare/m\", \"other/m\"]\n";
    let gone = "[provider.gone]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                key_env = \"GONE_KEY\"\n[provider.gone.model.\"m\"]\n\
                price = { input = \"3.00\", output = \"15.00\" }\n";
    let others = vec![
        keyed("bare", "key_env = \"BARE_KEY\"", "sk-bare"),
        keyed("other", "key_env = \"OTHER_KEY\"", "sk-other"),
    ];
    let top = format!("{DAILY}{gone}");
    let (house, fakes) = house(Script::new(), "", models, &top, others);
    let ask = |keys: &[(&str, &str)]| {
        let mut command = house.command(&["ask", "hi"]);
        command
            .env("GONE_KEY", "sk-gone")
            .envs(keys.iter().copied());
        crate::harness::process::run(&mut command, b"")
    };
    let both = [("BARE_KEY", "sk-bare"), ("OTHER_KEY", "sk-other")];
    let ran = ask(&both);
    assert_eq!(ran.out.trim(), "bare answers.", "{ran:?}");
    let said = "gone/m: no connection; asking bare/m instead";
    assert_eq!(ran.err.matches(said).count(), 1, "{ran:?}");
    let ran = ask(&both[1..]);
    assert_eq!(ran.out.trim(), "other answers.", "{ran:?}");
    let said = "gone/m: no connection; bare/m: no key; asking other/m instead";
    assert_eq!(ran.err.matches(said).count(), 1, "{ran:?}");
    assert_eq!(fakes[0].calls().len(), 1);
}
