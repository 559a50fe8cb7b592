//! Lists of prices that somebody signed.

use std::{fmt::Write as _, path::PathBuf};

use convergio_fake_provider::{Dialect, Reply, Script};
use minisign::KeyPair;
use serde_json::json;

use crate::{
    ask::{House, file, json_of, three_lines},
    harness::wire::Wire,
};

/// A key that signs, and how settings name it.
fn key() -> (KeyPair, String) {
    let pair = KeyPair::generate_unencrypted_keypair().expect("a key");
    let name = pair.pk.to_base64();
    (pair, name)
}

fn signature(pair: &KeyPair, text: &str) -> String {
    let signed = minisign::sign(
        Some(&pair.pk),
        &pair.sk,
        text.as_bytes(),
        Some("prices"),
        None,
    );
    signed.expect("a signature").into_string()
}

/// A list of that second of 21 November, by which a model costs so much in and out.
fn list(second: u32, input: &str) -> String {
    format!(
        "format = 1\nissued = \"2026-11-21T00:00:{second:02}Z\"\npublisher = \"the tests\"\n\
         [[provider]]\nname = \"deepseek\"\n\
         [[provider.model]]\nid = \"deepseek-flash\"\ncontext = 262144\nmax_output = 8192\n\
         capabilities = [\"tools\"]\n\
         price = {{ input = \"{input}\", output = \"20.00\", source = \"https://a.test/prices\", as_of = \"2026-11-21\" }}\n\
         [[provider.model]]\nid = \"brand-new\"\ncontext = 1000\nmax_output = 100\n\
         capabilities = [\"tools\", \"vision\"]\n\
         price = {{ input = \"1.00\", output = \"1.00\", source = \"https://a.test/prices\", as_of = \"2026-11-21\" }}\n"
    )
}

/// A house whose DeepSeek is the fake, and that trusts these keys.
fn house(script: Script, more: &str, keys: &[&str]) -> House {
    let house = House::new(script);
    let base = house.provider.base_url(Dialect::OpenAi);
    let mut text = String::from("[models]\ndefault = \"deepseek/deepseek-flash\"\n");
    writeln!(text, "{more}\n[budget]\ndaily_usd = \"900.00\"").expect("text");
    if !keys.is_empty() {
        writeln!(text, "[prices]\ntrusted_keys = {keys:?}").expect("text");
    }
    writeln!(
        text,
        "[provider.deepseek]\nkind = \"openai\"\nbase_url = \"{base}\"\nkey_env = \"MOCK_KEY\""
    )
    .expect("text");
    house.configure(&text);
    house
}

/// The list and its signature as files.
fn files(house: &House, name: &str, text: &str, pair: &KeyPair) -> String {
    file(house, &format!("{name}.minisig"), &signature(pair, text));
    let path: PathBuf = file(house, name, text);
    path.to_str().expect("a path").to_owned()
}

/// Asks with more bytes than the fake counts tokens, so that the hold covers what it bills.
fn ask(house: &House) -> crate::harness::home::Ran {
    house.cv(&["ask", &"word ".repeat(400)])
}

/// All that the books hold of calls and of money.
fn exports(house: &House) -> [String; 2] {
    ["attempts", "transfers"].map(|what| {
        let ran = house.cv(&["usage", "export", "--what", what]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.out
    })
}

fn spent(house: &House) -> i64 {
    let total = house.usage()["total"].clone();
    total["amount_nano_usd"].as_i64().expect("an amount")
}

#[test]
fn a_list_that_is_signed_holds_from_the_next_admission_on_and_history_stays() {
    let (pair, name) = key();
    let script = Script::always(Reply::text("Hello.").usage(1_000, 0));
    let house = house(script, "", &[&name]);
    assert_eq!(ask(&house).code, Some(0));
    // Of the catalogue: $0.30 for a million.
    assert_eq!(spent(&house), 300_000);
    let before = exports(&house);

    let path = files(&house, "first.toml", &list(1, "10.00"), &pair);
    let ran = house.cv(&["models", "prices", "update", &path]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("deepseek/deepseek-flash") && ran.out.contains("10 / 20"),
        "{ran:?}"
    );
    assert_eq!(exports(&house), before);

    assert_eq!(ask(&house).code, Some(0));
    assert_eq!(spent(&house), 300_000 + 10_000_000);
    for (now, before) in exports(&house).iter().zip(&before) {
        assert!(now.starts_with(before.as_str()), "{now}\n{before}");
    }
    assert_eq!(house.cv(&["usage", "verify"]).code, Some(0));
    let shown = json_of(&house.cv(&["models", "prices", "--format", "json"]));
    assert_eq!(shown["origin"], "list");
    assert_eq!(shown["publisher"], "the tests");
    assert_eq!(shown["key_trusted"], true);
    let card = house.cv(&["models", "show", "deepseek/brand-new"]);
    assert!(
        card.out.contains("$1.00 per million") && card.out.contains("the tests"),
        "{card:?}"
    );

    // It outlives the daemon.
    assert_eq!(house.cv(&["stop"]).code, Some(0));
    assert_eq!(ask(&house).code, Some(0));
    assert_eq!(spent(&house), 300_000 + 20_000_000);

    // Nothing older, nothing as old.
    for second in [0, 1] {
        let path = files(&house, "old.toml", &list(second, "0.01"), &pair);
        three_lines(&house.cv(&["models", "prices", "update", &path]), 2);
    }
    let path = files(&house, "second.toml", &list(2, "30.00"), &pair);
    assert_eq!(
        house.cv(&["models", "prices", "update", &path]).code,
        Some(0)
    );
    let input = || {
        let models = ["models", "--provider", "deepseek", "--format", "json"];
        let models = json_of(&house.cv(&models));
        let models = models["models"].as_array().expect("models").clone();
        let one = models
            .iter()
            .find(|model| model["model"] == "deepseek-flash")
            .expect("it is known");
        one["price_nano_usd_per_million"]["in_uncached"].clone()
    };
    assert_eq!(input(), 30_000_000_000_i64);
    assert_eq!(house.cv(&["models", "prices", "rollback"]).code, Some(0));
    assert_eq!(input(), 10_000_000_000_i64);
    assert_eq!(house.cv(&["models", "prices", "rollback"]).code, Some(0));
    assert_eq!(input(), 300_000_000);
    three_lines(&house.cv(&["models", "prices", "rollback"]), 2);
    assert_eq!(spent(&house), 300_000 + 20_000_000);
}

#[test]
fn what_nobody_trusted_signed_is_not_taken() {
    let (pair, name) = key();
    let (stranger, _) = key();
    let nobody = house(Script::new(), "", &[]);
    let path = files(&nobody, "prices.toml", &list(1, "10.00"), &pair);
    let ran = nobody.cv(&["models", "prices", "update", &path]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.err.contains("no key is built in"), "{ran:?}");
    assert!(
        ran.err.contains("cv config set prices.trusted_keys"),
        "{ran:?}"
    );
    // The way out works as it is typed, and no hint has a key that somebody could trust by it.
    let hint = nobody.cv(&["config", "set", "prices.trusted_keys", "garbage"]);
    three_lines(&hint, 2);
    assert!(!hint.err.contains("RWQ"), "{hint:?}");
    let set = nobody.cv(&["config", "set", "prices.trusted_keys", &name]);
    assert_eq!(set.code, Some(0), "{set:?}");
    assert_eq!(
        nobody.cv(&["models", "prices", "update", &path]).code,
        Some(0)
    );

    let house = house(Script::new(), "", &[&name]);
    let update = |path: &str| house.cv(&["models", "prices", "update", path]);
    let path = files(&house, "stranger.toml", &list(1, "0.01"), &stranger);
    let ran = update(&path);
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.err.contains("not signed by a key that is trusted"),
        "{ran:?}"
    );
    let path = files(&house, "changed.toml", &list(1, "10.00"), &pair);
    file(&house, "changed.toml", &list(1, "0.01"));
    assert_ne!(update(&path).code, Some(0));
    let newer = list(1, "1.00").replace("format = 1", "format = 2");
    let path = files(&house, "form.toml", &newer, &pair);
    let ran = update(&path);
    assert!(ran.err.contains("form 2"), "{ran:?}");
    let elsewhere = list(1, "1.00").replace(
        "name = \"deepseek\"",
        "name = \"deepseek\"\nbase_url = \"https://evil.test\"",
    );
    let path = files(&house, "elsewhere.toml", &elsewhere, &pair);
    assert_ne!(update(&path).code, Some(0));
    let long = format!("{}# {}", list(1, "1.00"), "x".repeat(1 << 20));
    let path = files(&house, "long.toml", &long, &pair);
    three_lines(&update(&path), 2);
    three_lines(&update("/nowhere/prices.toml"), 2);
    three_lines(&update("/dev/zero"), 2);
    let shown = json_of(&house.cv(&["models", "prices", "--format", "json"]));
    assert_eq!(shown["origin"], "release");
}

#[test]
fn a_list_is_fetched_through_the_gate_and_not_where_nothing_may_leave() {
    let (pair, name) = key();
    let text = list(1, "10.00");
    let script = Script::new()
        .on("/prices.toml", Reply::body(200, "text/plain", text.clone()))
        .on(
            "/prices.toml.minisig",
            Reply::body(200, "text/plain", signature(&pair, &text)),
        );
    let house = house(script, "", &[&name]);
    let url = format!("{}/prices.toml", house.provider.url());
    let ran = house.cv(&["models", "prices", "update", &url]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut wire = Wire::open(&house.home);
    let rows = wire.result("privacy.egress", json!({}));
    let rows = rows["rows"].as_array().expect("rows").clone();
    let fetched = rows.iter().filter(|row| row["purpose"] == "prices");
    assert_eq!(fetched.count(), 2);
    let missing = format!("{}/other.toml", house.provider.url());
    three_lines(&house.cv(&["models", "prices", "update", &missing]), 3);

    let strict = self::house(Script::new(), "policy = \"local-only\"", &[&name]);
    let away = "https://prices.example.org/prices.toml";
    three_lines(&strict.cv(&["models", "prices", "update", away]), 8);
    let mut wire = Wire::open(&strict.home);
    let rows = wire.result("privacy.egress", json!({}));
    assert_eq!(rows["rows"], json!([]));
}
