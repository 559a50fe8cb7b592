//! Providers as they are changed: key by key, whole, and against a policy.

use crate::support::Home;
use convergio_config::{ErrorKind, Layer, ModelPolicy, Value};

#[test]
fn single_keys_are_set_explained_and_unset() {
    let home = Home::new();
    for (key, value) in [
        ("provider.mock.kind", "openai"),
        ("provider.mock.base_url", "http://127.0.0.1:9000/v1"),
        ("models.default", "mock/gpt-4.1"),
        ("models.fallback", "mock/a,mock/b"),
        ("provider.mock.model.gpt-4.1.context", "1000"),
        ("provider.mock.model.\"gpt-4.1\".max_output", "10"),
    ] {
        let plan = home.editor().set(key, value, None);
        plan.unwrap_or_else(|error| panic!("{key}: {error}"))
            .apply()
            .unwrap();
    }
    // One price without the other can't hold.
    let prices = [
        ("model.\"v/x:8b\".price.input", "1.5"),
        ("model.\"v/x:8b\".price.output", "2"),
    ];
    let plan = home.editor().put_provider("mock", &prices, None, None);
    plan.unwrap().apply().unwrap();
    let settings = home
        .settings()
        .unwrap_or_else(|error| panic!("{error}\n{}", home.text()));
    let models = &settings.providers()["mock"].models;
    assert_eq!(models["gpt-4.1"].context_tokens, Some(1_000));
    assert_eq!(models["gpt-4.1"].max_output_tokens, Some(10));
    assert_eq!(models["v/x:8b"].price.unwrap().input, 1_500_000_000);
    assert!(!home.text().contains("[provider]"), "{}", home.text());
    let told = settings
        .explain("provider.mock.model.gpt-4.1.context")
        .unwrap();
    assert_eq!(told.key, "provider.mock.model.\"gpt-4.1\".context");
    assert_eq!((told.winner, told.variable), (Layer::User, None));
    let listed: Vec<String> = settings.list().into_iter().map(|row| row.key).collect();
    assert!(
        listed.contains(&"provider.mock.model.\"v/x:8b\".price.output".to_owned()),
        "{listed:?}"
    );
    for key in [
        "provider.mock.model.\"gpt-4.1\".context",
        "provider.mock.model.gpt-4.1",
        "provider.mock.model.\"v/x:8b\"",
        "provider.mock.base_url",
    ] {
        let plan = home.editor().unset(key, None).unwrap();
        assert!(plan.changes_anything(), "{key}: {}", home.text());
        plan.apply().unwrap();
    }
    let settings = home.settings().unwrap();
    assert!(settings.providers()["mock"].models.is_empty());
    assert_eq!(settings.providers()["mock"].base_url, None);
    assert_eq!(
        settings.get("provider.mock").unwrap_err().kind(),
        ErrorKind::WrongType
    );
}

#[test]
fn a_change_that_cannot_hold_is_refused_before_it_is_written() {
    let text = "[provider.mock]\nkind = 'openai'\nbase_url = 'https://a.example/v1'\n\
                [provider.mock.model.m.price]\ninput = '3'\noutput = '15'\n";
    let home = Home::new().user(text);
    let editor = home.editor();
    for (outcome, way_out) in [
        (
            editor.set("provider.mock.local", "true", None),
            "cv config unset provider.mock.local",
        ),
        (
            editor.set("provider.mock.base_url", "http://a.example/v1", None),
            "cv provider add mock --kind openai --base-url http://a.example/v1 --allow-plain-http",
        ),
        (
            editor.set("provider.other.allow_plain_http", "true", None),
            "cv provider add other --kind openai",
        ),
        (
            editor
                .set("provider.mock.kind", "azure", None)
                .and_then(|_| editor.set("provider.az.kind", "azure", None)),
            "cv provider add az --kind azure --base-url https://",
        ),
        (
            editor.set("provider.mock.model.\"a!b\".price.input", "1", None),
            "cv provider add mock --model 'a!b' --input-price 3.00 --output-price 15.00",
        ),
        (
            editor.unset("provider.mock.kind", None),
            "cv provider add mock --kind openai",
        ),
        (
            editor.unset("provider.mock.model.m.price.output", None),
            "cv provider add mock --model m --input-price",
        ),
    ] {
        let error = outcome.expect_err(way_out);
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "{way_out}");
        assert!(
            error.to_string().contains(way_out) || error.hint().contains(way_out),
            "{error}"
        );
        assert_eq!(home.text(), text);
        home.load().unwrap();
    }
    // A file that is wrong already can be mended.
    let home = Home::new().user(&text.replace("https", "http"));
    home.load().unwrap_err();
    for (key, value) in [
        ("log.level", "warn"),
        ("provider.mock.allow_plain_http", "true"),
    ] {
        home.editor()
            .set(key, value, None)
            .unwrap()
            .apply()
            .unwrap();
    }
    home.load().unwrap();
}

#[test]
fn a_provider_is_changed_in_place_and_made_the_default_in_one_edit() {
    let before = "# mine\n[provider.mock]\nkind = \"openai\" # theirs\nkey_env = \"OLD\"\n";
    let home = Home::new().user(before);
    let fields = [
        ("key_env", "NEW"),
        ("model.\"m\".price.input", "3.00"),
        ("model.\"m\".price.output", "15.00"),
    ];
    let put = |fields: &[(&str, &str)], default| {
        let planned = home.editor().put_provider("mock", fields, default, None);
        planned.map(|plan| plan.apply().unwrap())
    };
    put(&fields, Some("mock/m")).unwrap();
    let settings = home.settings().unwrap();
    let mock = &settings.providers()["mock"];
    assert_eq!(mock.key_env.as_deref(), Some("NEW"));
    assert!(mock.models["m"].price.is_some());
    let default = settings.models().default.unwrap();
    assert_eq!(default.to_string(), "mock/m");
    let text = home.text();
    assert!(
        text.contains("# mine") && text.contains("# theirs"),
        "{text}"
    );
    let whole = |error: convergio_config::ConfigError| (error.kind(), home.text() == text);
    let half = [("model.\"n\".price.input", "1")];
    let refused = put(&half, None).unwrap_err();
    assert_eq!(whole(refused), (ErrorKind::OutOfRange, true));
    let refused = put(&fields, Some("no model")).unwrap_err();
    assert!(whole(refused).1);
}

#[test]
fn whole_providers_are_added_and_removed_and_both_can_be_undone() {
    let before = "# mine\n[log]\nlevel = 'warn' # loud\n";
    let home = Home::new().user(before);
    let fields = [
        ("kind", "openai"),
        ("base_url", "http://127.0.0.1:9000/v1"),
        ("model.gpt-4.1.context", "1000"),
    ];
    let added = home.editor().add_provider("mock", &fields, None).unwrap();
    added.apply().unwrap();
    assert!(home.text().starts_with(before), "{}", home.text());
    let with = home.text();
    assert_eq!(
        home.settings().unwrap().providers()["mock"].models["gpt-4.1"].context_tokens,
        Some(1_000)
    );
    let error = home
        .editor()
        .add_provider("mock", &fields, None)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    home.editor()
        .add_provider("other", &[("kind", "anthropic")], None)
        .unwrap()
        .apply()
        .unwrap();
    let both = home.text();
    let removed = home.editor().remove_provider("mock", None).unwrap();
    removed.apply().unwrap();
    let settings = home.settings().unwrap();
    assert_eq!(settings.providers().keys().collect::<Vec<_>>(), ["other"]);
    assert!(home.text().starts_with(before), "{}", home.text());
    let back = convergio_config::restore(
        &home.paths,
        &home.environment,
        removed.before.clone(),
        &removed.after_rev,
    );
    back.unwrap().apply().unwrap();
    assert_eq!(home.text(), both);
    assert_ne!(both, with);

    let editor = home.editor();
    let refused = |fields: &[(&str, &str)]| editor.add_provider("new", fields, None).unwrap_err();
    assert_eq!(
        refused(&[("base_url", "https://a/")]).kind(),
        ErrorKind::OutOfRange
    );
    assert_eq!(refused(&[]).kind(), ErrorKind::OutOfRange);
    let plain = [("kind", "openai"), ("base_url", "http://a.example/")];
    assert!(refused(&plain).to_string().contains("unencrypted"));
    assert_eq!(refused(&[("knd", "openai")]).kind(), ErrorKind::UnknownKey);
    assert_eq!(
        editor.add_provider("a/b", &[], None).unwrap_err().kind(),
        ErrorKind::OutOfRange
    );
    assert_eq!(
        editor.remove_provider("nobody", None).unwrap_err().kind(),
        ErrorKind::UnknownKey
    );
}

#[test]
fn a_policy_fixes_models_money_and_providers() {
    let policy = "[models]\npolicy = 'local-only'\nallowed_providers = ['corp', 'mock']\n\
                  [budget]\ndaily_usd = '0.10'\n\
                  [provider.corp]\nkind = 'openai'\nbase_url = 'https://corp.example/v1'\n\
                  [provider.mock]\nkind = 'openai'\nallow_plain_http = false\n";
    let home = Home::new()
        .policy(policy)
        .user(
            "[models]\npolicy = 'cloud-first'\n[budget]\ndaily_usd = '9'\n\
             [provider.corp]\nbase_url = 'https://evil.example/v1'\nkey_env = 'CORP'\n",
        )
        .variable("CONVERGIO_MODELS_POLICY", "cheapest");
    let settings = home.settings().unwrap();
    assert_eq!(settings.models().policy, ModelPolicy::LocalOnly);
    assert_eq!(settings.budget().daily_nano_usd, Some(100_000_000));
    assert_eq!(settings.budget().layer, Layer::Policy);
    assert!(settings.provider_allowed("corp") && !settings.provider_allowed("ollama"));
    let corp = &settings.providers()["corp"];
    assert_eq!(
        corp.base_url.as_ref().unwrap().host_str(),
        Some("corp.example")
    );
    assert_eq!(corp.key_env.as_deref(), Some("CORP"));

    let editor = home.editor();
    for key in [
        "models.policy",
        "budget.daily_usd",
        "provider.corp.base_url",
    ] {
        let error = editor.unset(key, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FixedByPolicy, "{key}");
    }
    let refused = editor
        .add_provider("ollama", &[("kind", "ollama")], None)
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FixedByPolicy);
    let fields = [("allow_plain_http", "true")];
    let refused = editor.add_provider("mock", &fields, None).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::FixedByPolicy);
    // Across the two files, too.
    let fields = [("base_url", "http://a.example/")];
    let refused = editor.add_provider("mock", &fields, None).unwrap_err();
    assert!(refused.to_string().contains("unencrypted"), "{refused}");
}

mod any_name {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_model_id_is_set_read_and_removed(
            id in "[!#-&(-\\[\\]-_a-~]{1,40}", key in proptest::sample::select(vec!["context", "max_output"]),
        ) {
            let home = Home::new().user("[provider.p]\nkind = 'openai'\n");
            let quoted = format!("provider.p.model.\"{id}\".{key}");
            home.editor().set(&quoted, "7", None).unwrap().apply().unwrap();
            let settings = home.settings().unwrap();
            prop_assert_eq!(settings.get(&quoted).unwrap().value, Value::Integer(7));
            let models = settings.providers().remove("p").unwrap().models;
            prop_assert_eq!(models.keys().collect::<Vec<_>>(), vec![&id]);
            home.editor().unset(&quoted, None).unwrap().apply().unwrap();
            prop_assert_eq!(home.settings().unwrap().providers()["p"].models.len(), 0);
        }

        #[test]
        fn no_name_upsets_the_lookup(name in "provider[ -~]{0,40}") {
            let home = Home::new();
            let settings = home.settings().unwrap();
            if let Ok(told) = settings.get(&name) {
                prop_assert_eq!(settings.get(&told.key).unwrap().key, told.key);
            }
        }
    }
}
