//! What is said of models.

use convergio_fake_provider::{Dialect, Reply, Script};
use serde_json::Value;

use crate::ask::{House, json_of, lines_of, three_lines};

fn names(models: &Value) -> Vec<String> {
    let models = models["models"].as_array().expect("models");
    let name = |model: &Value| model["name"].as_str().expect("a name").to_owned();
    models.iter().map(name).collect()
}

#[test]
fn models_are_listed_with_what_they_can_do_and_who_says_what_they_cost() {
    let house = House::new(Script::new());
    let ran = house.cv(&["models", "list", "--provider", "gemini", "--format", "json"]);
    let listed = json_of(&ran);
    let flash = listed["models"]
        .as_array()
        .expect("models")
        .iter()
        .find(|model| model["name"] == "gemini/gemini-2.5-pro")
        .expect("it is known");
    assert_eq!(flash["context"], 1_048_576);
    assert!(
        flash["capabilities"]
            .as_array()
            .expect("words")
            .contains(&"vision".into())
    );
    assert_eq!(flash["priced_by"]["list"], "catalog");
    assert!(flash["priced_by"]["as_of"].is_string());
    assert_eq!(flash["price_tiers"][0]["from_prompt_tokens"], 200_001);
    let lines = lines_of(&house.cv(&["models", "--provider", "gemini", "--format", "ndjson"]));
    let count = listed["models"].as_array().expect("models").len();
    assert_eq!(lines.len(), count + 1);
}

#[test]
fn filters_take_what_is_known_and_settings_have_the_last_word() {
    let house = House::with(Dialect::OpenAi, Script::new(), "");
    let base = house.provider.base_url(Dialect::OpenAi);
    house.configure(&format!(
        "[provider.mock]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\"\n\
         [provider.mock.model.seeing]\nvision = true\ntools = true\ncontext = 1000\n\
         price = {{ input = \"1.00\", output = \"2.00\", cache_read = \"0.10\", cache_write_1h = \"4.00\" }}\n\
         [provider.mock.model.blind]\nvision = false\n\
         [provider.groq]\nkind = \"openai\"\n\
         [provider.groq.model.\"openai/gpt-oss-20b\"]\ntools = false\n"
    ));
    let of = |arguments: &[&str]| {
        let mut all = vec!["models", "--provider", "mock", "--format", "json"];
        all.extend(arguments);
        names(&json_of(&house.cv(&all)))
    };
    assert_eq!(of(&[]).len(), 2);
    assert_eq!(of(&["--vision"]), ["mock/seeing"]);
    assert_eq!(of(&["--priced"]), ["mock/seeing"]);
    assert!(of(&["--local"]).is_empty());
    let tools = json_of(&house.cv(&["models", "--tools", "--format", "json"]));
    let names = names(&tools);
    assert!(names.contains(&"groq/openai/gpt-oss-120b".to_owned()));
    assert!(!names.contains(&"groq/openai/gpt-oss-20b".to_owned()));

    let card = house.cv(&["models", "show", "mock/seeing"]);
    assert_eq!(card.code, Some(0), "{card:?}");
    for words in ["$1.00 per million", "$4.00 per million", "config", "vision"] {
        assert!(card.out.contains(words), "{words}: {card:?}");
    }
    three_lines(&house.cv(&["models", "show", "mock/nope"]), 2);
    three_lines(&house.cv(&["models", "show", "nope"]), 2);
}

#[test]
fn a_server_here_is_asked_what_its_models_can_do_once() {
    let script = Script::always(Reply::text("here")).models(["llama3.2:3b"]);
    let house = House::with(Dialect::Ollama, script, "local = true");
    let base = house.provider.base_url(Dialect::Ollama);
    house.configure(&format!(
        "[provider.mock]\nkind = \"ollama\"\nbase_url = \"{base}\"\nlocal = true\n"
    ));
    for _ in 0..2 {
        let listed = json_of(&house.cv(&["models", "--tools", "--local", "--format", "json"]));
        assert_eq!(names(&listed), ["mock/llama3.2:3b"]);
        assert_eq!(listed["models"][0]["context"], 131_072);
    }
    let asked = house.provider.requests();
    let shown = asked.iter().filter(|request| request.path == "/api/show");
    assert_eq!(shown.count(), 1);
}

#[test]
fn azure_has_no_address_until_somebody_says_one() {
    let house = House::new(Script::new());
    let mut command = house.command(&["ask", "hi", "--model", "azure/gpt-5-mini"]);
    command.env("AZURE_OPENAI_API_KEY", "azure-key");
    let ran = crate::harness::process::run(&mut command, b"");
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("base_url"), "{ran:?}");
    assert!(!ran.err.contains("resource.invalid"), "{ran:?}");
}
