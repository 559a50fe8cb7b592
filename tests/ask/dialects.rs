//! A question goes out and an answer comes back in every dialect, with its key, limit and usage.

use convergio_fake_provider::{Dialect, Reply, Script};
use serde_json::json;

use super::{House, KEY, file, json_of};

#[test]
fn every_dialect_answers_and_is_paid_by_its_own_count() {
    for dialect in [
        Dialect::OpenAi,
        Dialect::Responses,
        Dialect::Anthropic,
        Dialect::Gemini,
        Dialect::Ollama,
    ] {
        let reply = Reply::text("Hello there.").usage(1_000, 100);
        let house = House::speaking(dialect, Script::always(reply));
        let ran = house.cv(&["ask", "hi", "--system", "Be brief."]);
        assert_eq!(ran.code, Some(0), "{dialect:?}: {ran:?}");
        assert_eq!(ran.out.trim_end(), "Hello there.", "{dialect:?}");
        let call = &house.provider.calls()[0];
        assert!(call.is_stream(), "{dialect:?}");
        assert!(call.prompt().contains("Be brief.") && call.prompt().contains("hi"));
        assert!(
            call.max_output().is_some_and(|tokens| tokens > 0),
            "{dialect:?}: no limit"
        );
        assert_eq!(call.model().as_deref(), Some("gpt-test"), "{dialect:?}");
        let total = house.settled();
        assert_eq!(total["input_tokens"], 1_000, "{dialect:?}: {total}");
        assert_eq!(total["output_tokens"], 100, "{dialect:?}: {total}");
        if dialect != Dialect::Ollama {
            assert_eq!(call.key(), Some(KEY), "{dialect:?}");
            assert_eq!(total["amount_nano_usd"], 4_500_000, "{dialect:?}: {total}");
        }
    }
}

#[test]
fn azure_is_asked_for_a_deployment_with_either_kind_of_key() {
    let reply = Reply::text("Hello there.").usage(1_000, 100);
    let house = House::new(Script::always(reply));
    let ask = |provider: &str, model: &str| {
        let base = house.provider.url();
        house.configure(&format!(
            "[models]\ndefault = \"az/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n\
             [provider.az]\nkind = \"azure\"\nbase_url = \"{base}\"\n{provider}\n\
             [provider.az.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000\n{model}\n"
        ));
        let ran = house.cv(&["ask", "hi"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.out.trim_end(), "Hello there.");
        house.provider.calls().pop().expect("a call")
    };
    let call = ask("key_env = \"MOCK_KEY\"", "");
    assert_eq!(call.path, "/openai/v1/chat/completions");
    assert_eq!(call.header("api-key"), Some(KEY));
    assert_eq!(call.model().as_deref(), Some("gpt-test"));
    let call = ask(
        "key_cmd = \"echo tok-entra-77aa\"\nauth = \"entra\"\napi_version = \"2024-10-21\"",
        "deployment = \"mine\"",
    );
    assert_eq!(
        call.path,
        "/openai/deployments/mine/chat/completions?api-version=2024-10-21"
    );
    assert_eq!(call.header("authorization"), Some("Bearer tok-entra-77aa"));
    assert_eq!(call.header("api-key"), None);
    let call = ask("key_env = \"MOCK_KEY\"", "api = \"responses\"");
    assert_eq!(call.path, "/openai/v1/responses");
    let total = house.settled();
    assert_eq!(total["amount_nano_usd"], 3 * 4_500_000, "{total}");

    // The built-in one knows what its models cost and how they are asked; the address is one's own.
    house.configure(&format!(
        "[models]\ndefault = \"azure/gpt-6.1-sol\"\n[budget]\ndaily_usd = \"2.00\"\n\
         [provider.azure]\nbase_url = \"{}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.azure.model.\"gpt-6.1-sol\"]\ndeployment = \"mine\"\n",
        house.provider.url()
    ));
    let ran = house.cv(&["ask", "hi"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let call = house.provider.calls().pop().expect("a call");
    assert_eq!(call.path, "/openai/v1/responses");
    assert_eq!(call.model().as_deref(), Some("mine"));
    let total = house.settled();
    assert_eq!(
        total["amount_nano_usd"],
        3 * 4_500_000 + 3_000_000,
        "{total}"
    );
}

#[test]
fn cached_input_is_in_one_class_only() {
    let reply = Reply::text("x").usage(3, 550).cache(0, 12_304, 0);
    let house = House::speaking(Dialect::Anthropic, Script::always(reply));
    let ran = house.cv(&["ask", "hi", "--format", "ndjson"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines = super::lines_of(&ran);
    let usage = lines.iter().find(|line| line["type"] == "usage").unwrap();
    let resources = &usage["resources"];
    assert_eq!(resources["in_uncached"], 3, "{usage}");
    assert_eq!(resources["in_cache_write_5m"], 12_304, "{usage}");
    assert_eq!(resources["out_text"], 550, "{usage}");
    house.settled();
}

#[test]
fn a_conversation_that_goes_on_is_kept_by_a_provider_that_keeps_when_asked() {
    let reply = || Reply::text("Noted.").usage(3, 5);
    let script = Script::new()
        .then(reply())
        .then(reply().cache(0, 2_000, 0))
        .then(reply().cache(2_000, 40, 0))
        .then(reply());
    let house = House::speaking(Dialect::Anthropic, script);
    let configure = |cache: bool| {
        house.configure(&format!(
            "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"2.00\"\n\
             [provider.mock]\nkind = \"anthropic\"\nbase_url = \"{}\"\nkey_env = \"MOCK_KEY\"\n\
             [provider.mock.model.\"gpt-test\"]\ncontext = 128000\ncache = {cache}\n\
             price = {{ input = \"3.00\", output = \"15.00\", cache_read = \"0.30\", \
             cache_write = \"3.75\" }}\n",
            house.provider.base_url(Dialect::Anthropic)
        ));
    };
    configure(true);
    let long = "a fact about Ada. ".repeat(500);
    let ask = |arguments: &[&str]| {
        let ran = house.cv(&[&["ask", "--format", "ndjson"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        super::lines_of(&ran)
    };
    let marked = || {
        let body = house.provider.calls().pop().expect("a call").json();
        let mut at: Vec<String> = Vec::new();
        if body["system"][0]["cache_control"]["type"] == "ephemeral" {
            at.push("system".to_owned());
        }
        let messages = body["messages"].as_array().expect("messages");
        for (index, message) in messages.iter().enumerate() {
            for part in message["content"].as_array().into_iter().flatten() {
                if part["cache_control"]["type"] == "ephemeral" {
                    at.push(index.to_string());
                }
            }
        }
        at
    };
    // What is asked once is not kept: that would cost more than sending it.
    ask(&["--system", "Be brief.", &long]);
    assert_eq!(marked(), Vec::<String>::new());
    let lines = ask(&["-c", "Who is she?"]);
    assert_eq!(marked(), ["system", "1"]);
    let (plan, usage) = (of(&lines, "plan"), of(&lines, "usage"));
    let bytes = i64::try_from(long.len()).expect("a length");
    let output = plan["max_output"].as_i64().expect("tokens");
    // Held as if all of the input were written into the cache.
    assert!(
        plan["hold_nano_usd"].as_i64() > Some(bytes * 3_750 + output * 15_000),
        "{plan}"
    );
    assert_eq!(usage["resources"]["in_cache_write_5m"], 2_000, "{usage}");
    assert_eq!(
        usage["amount_nano_usd"],
        3 * 3_000 + 2_000 * 3_750 + 5 * 15_000
    );
    let lines = ask(&["-c", "And now?"]);
    assert_eq!(marked(), ["system", "3"]);
    let usage = of(&lines, "usage");
    assert_eq!(usage["resources"]["in_cache_read"], 2_000, "{usage}");
    assert_eq!(
        usage["amount_nano_usd"],
        3 * 3_000 + 2_000 * 300 + 40 * 3_750 + 5 * 15_000
    );
    // Nor where nobody says that the provider keeps anything.
    configure(false);
    ask(&["-c", "Once more?"]);
    assert_eq!(marked(), Vec::<String>::new());
    house.settled();
}

fn of<'a>(lines: &'a [serde_json::Value], kind: &str) -> &'a serde_json::Value {
    let mut found = lines.iter().filter(|line| line["type"] == kind);
    found
        .next()
        .unwrap_or_else(|| panic!("no {kind}: {lines:#?}"))
}

#[test]
fn an_answer_can_have_a_schema() {
    let schema = json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
        "additionalProperties": false,
    });
    let answer = json!({ "city": "Zürich" });
    for dialect in [Dialect::OpenAi, Dialect::Responses, Dialect::Ollama] {
        let script = Script::always(Reply::json(&answer));
        let house = House::speaking(dialect, script);
        let path = file(&house, "schema.json", &schema.to_string());
        let path = path.to_str().expect("a plain path");
        let ran = house.cv(&["ask", "Where?", "--schema", path]);
        assert_eq!(ran.code, Some(0), "{dialect:?}: {ran:?}");
        assert_eq!(json_of(&ran), answer, "{dialect:?}");
        let sent = house.provider.calls()[0].json().to_string();
        assert!(
            sent.contains("\"city\""),
            "{dialect:?}: the schema goes along: {sent}"
        );
        house.settled();
    }
}

#[test]
fn keys_in_the_environment_are_found_without_a_configuration() {
    // The built-in providers live elsewhere: what is looked at is what would be sent.
    let house = House::new(Script::new());
    house.configure("");
    for (variable, provider) in [
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("OPENAI_API_KEY", "openai"),
    ] {
        let mut command = house
            .home
            .cv_command(&house.folder, &["ask", "hi", "--dry-run"]);
        command.env(variable, KEY);
        let ran = crate::harness::process::run(&mut command, b"");
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(said.contains(&format!("{provider}/")), "{ran:?}");
        assert!(!said.contains(KEY), "{ran:?}");
    }
}

#[test]
fn an_ollama_that_runs_is_found_and_costs_nothing() {
    let script = Script::always(Reply::text("Hello from here.")).models(["llama3.2:3b"]);
    let house = House::speaking(Dialect::Ollama, script);
    // The built-in provider, where a test may reach it; no model is named anywhere.
    let base = house.provider.base_url(Dialect::Ollama);
    house.configure(&format!("[provider.ollama]\nbase_url = \"{base}\"\n"));
    let mut command = house.command(&["ask", "hi", "--local-only"]);
    command
        .env("OPENAI_API_KEY", KEY)
        .env("ANTHROPIC_API_KEY", KEY);
    let ran = crate::harness::process::run(&mut command, b"");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out.trim_end(), "Hello from here.");
    assert!(ran.err.contains("free"), "{ran:?}");
    let call = &house.provider.calls()[0];
    assert_eq!(call.model().as_deref(), Some("llama3.2:3b"));
    let told = format!("{:?} {}", call.headers, call.json());
    assert!(!told.contains(KEY), "no key of another provider goes along");
    let total = house.settled();
    assert_eq!(total["amount_nano_usd"], 0, "{total}");
}

#[test]
fn without_a_model_both_ways_out_are_named() {
    if std::net::TcpStream::connect(("127.0.0.1", 11_434)).is_ok() {
        crate::harness::skip::loudly("no model at all", "free port 11434");
        return;
    }
    let house = House::new(Script::new());
    house.configure("");
    let ran = house.cv(&["ask", "hi"]);
    super::three_lines(&ran, 3);
    assert!(
        ran.err.contains("cv setup") && ran.err.contains("export ANTHROPIC_API_KEY"),
        "{ran:?}"
    );
    assert_eq!(ran.out, "");
}
