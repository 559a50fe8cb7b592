//! Models, providers and money: what is read, what is refused, how it is
//! edited, and what a policy can do about it.

use crate::support::Home;
use convergio_config::{
    DEFAULT_DAILY_NANO_USD, ErrorKind, Layer, ModelPolicy, ModelRef, Price, ProviderKind,
    ProviderTimeouts, Value, json_schema,
};

/// The form that stays stable.
const STABLE: &str = r#"
[models]
default = "mock/gpt-test"
review = "mock/vendor/big:8b.q4"
fallback = ["ollama/llama3.2", "mock/gpt-test"]
policy = "cloud-first"
allowed_providers = ["mock", "ollama"]

[provider.mock]
kind = "openai"                 # anthropic | openai | openai-responses | azure | gemini | ollama
base_url = "http://127.0.0.1:9000/v1"
key_env = "MOCK_KEY"            # or key_cmd; or the keychain
key_cmd = "pass show mock"
ca_file = "/etc/mock.pem"
local = true
allow_plain_http = false
concurrency = 3
connect_timeout_ms = 1000
first_byte_timeout_ms = 2000
idle_timeout_ms = 3000

[provider.mock.model."gpt-test"]
price = { input = "3.00", output = "15.00", cache_read = "0.30", cache_write = "3.75" }
context = 128000
max_output = 4096
json = true

[provider.mock.model."vendor/big:8b.q4"]
context = 8192

[provider.ollama]
concurrency = 1

[budget]
daily_usd = "2.00"
"#;

#[test]
fn an_azure_resource_is_described_whole() {
    let home = Home::new().user(
        r#"
[provider.az]
kind = "azure"
base_url = "https://mine.openai.azure.com"
api_version = "2024-10-21"
auth = "entra"
key_cmd = "az account get-access-token --query accessToken -o tsv"

[provider.az.model."gpt-test"]
deployment = "my-gpt.1"
api = "responses"
sampling = false
"#,
    );
    let settings = home.settings().unwrap();
    let az = &settings.providers()["az"];
    assert_eq!(az.api_version.as_deref(), Some("2024-10-21"));
    assert!(az.entra);
    let model = &az.models["gpt-test"];
    assert_eq!(model.deployment.as_deref(), Some("my-gpt.1"));
    assert_eq!((model.responses, model.sampling), (Some(true), Some(false)));
}

#[test]
fn the_stable_form_is_read_whole() {
    let home = Home::new().user(STABLE);
    let settings = home.settings().unwrap();
    let models = settings.models();
    let model = |text: &str| text.parse::<ModelRef>().unwrap();
    assert_eq!(models.default, Some(model("mock/gpt-test")));
    let review = models.review.unwrap();
    assert_eq!(
        (review.provider.as_str(), review.model.as_str()),
        ("mock", "vendor/big:8b.q4")
    );
    assert_eq!(
        models.fallback,
        [model("ollama/llama3.2"), model("mock/gpt-test")]
    );
    assert_eq!(models.policy, ModelPolicy::CloudFirst);
    assert!(settings.provider_allowed("mock") && !settings.provider_allowed("openai"));
    assert_eq!(settings.budget().daily_nano_usd, Some(2_000_000_000));
    assert_eq!(settings.budget().layer, Layer::User);

    let providers = settings.providers();
    assert_eq!(providers.keys().collect::<Vec<_>>(), ["mock", "ollama"]);
    let mock = &providers["mock"];
    assert_eq!(mock.kind, ProviderKind::OpenAi);
    assert_eq!(
        mock.base_url.as_ref().unwrap().as_str(),
        "http://127.0.0.1:9000/v1"
    );
    assert_eq!(mock.key_env.as_deref(), Some("MOCK_KEY"));
    assert_eq!(mock.key_cmd.as_deref(), Some("pass show mock"));
    assert_eq!(mock.ca_file.as_deref(), Some("/etc/mock.pem".as_ref()));
    assert!(mock.local && !mock.allow_plain_http);
    assert_eq!(mock.concurrency, Some(3));
    assert_eq!(
        mock.timeouts,
        ProviderTimeouts {
            connect_timeout_ms: Some(1_000),
            first_byte_timeout_ms: Some(2_000),
            idle_timeout_ms: Some(3_000),
        }
    );
    assert_eq!(mock.origin.line(), Some(10));
    let priced = &mock.models["gpt-test"];
    assert_eq!(
        priced.price,
        Some(Price {
            input: 3_000_000_000,
            output: 15_000_000_000,
            cache_read: Some(300_000_000),
            cache_write: Some(3_750_000_000),
            cache_write_1h: None,
        })
    );
    assert_eq!(priced.context_tokens, Some(128_000));
    assert_eq!(priced.max_output_tokens, Some(4_096));
    assert_eq!(priced.json, Some(true));
    let other = &mock.models["vendor/big:8b.q4"];
    assert_eq!((other.price, other.context_tokens), (None, Some(8_192)));

    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let document: toml_edit::DocumentMut = STABLE.parse().unwrap();
    let document: serde_json::Value = toml_edit::de::from_document(document).unwrap();
    let refusals: Vec<String> = schema
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(refusals.is_empty(), "{refusals:?}");
}

#[test]
fn where_nothing_is_set_that_can_be_told() {
    let settings = Home::new().settings().unwrap();
    let models = settings.models();
    assert_eq!(
        (models.default, models.review, models.policy),
        (None, None, ModelPolicy::LocalFirst)
    );
    assert!(models.fallback.is_empty() && models.allowed_providers.is_none());
    assert!(settings.provider_allowed("anything") && settings.providers().is_empty());
    assert!(!settings.secrets_file());
    let budget = settings.budget();
    assert_eq!(budget.daily_nano_usd, None);
    assert_eq!(budget.effective_daily_nano_usd(), DEFAULT_DAILY_NANO_USD);
    let told = settings.get("models.default").unwrap();
    assert_eq!((told.value, told.layer), (Value::Unset, Layer::Default));
    // The dollar that is built in is told as such.
    let told = settings.get("budget.daily_usd").unwrap();
    assert_eq!(
        (told.value.to_string().as_str(), told.layer),
        ("1.00", Layer::Default)
    );
    let set = Home::new().user("[budget]\ndaily_usd = '1.00'\n");
    let budget = set.settings().unwrap().budget();
    assert_eq!(budget.daily_nano_usd, Some(DEFAULT_DAILY_NANO_USD));
}

#[test]
fn every_fault_has_its_place_and_a_way_out() {
    let provider = |rest: &str| format!("[provider.mock]\nkind = 'openai'\n{rest}\n");
    let cases = [
        (
            "[budget]\ndaily_usd = 2.00\n".to_owned(),
            ErrorKind::WrongType,
            "2:13",
            "put it in quotes",
            "cv config set budget.daily_usd 1.00",
        ),
        (
            "[budget]\ndaily_usd = 2\n".to_owned(),
            ErrorKind::WrongType,
            "2:13",
            "put it in quotes",
            "",
        ),
        (
            "[budget]\ndaily_usd = '-1'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:13",
            "daily_usd",
            "",
        ),
        (
            "[models]\ndefault = 'gpt 5'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:11",
            "provider/model",
            "models.default ollama/",
        ),
        (
            "[models]\nfallback = 'a/b'\n".to_owned(),
            ErrorKind::WrongType,
            "2:12",
            "a list",
            "",
        ),
        (
            "[models]\nfallback = ['a/b', 3]\n".to_owned(),
            ErrorKind::WrongType,
            "2:12",
            "a list",
            "",
        ),
        (
            "[models]\npolicy = 'local'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:10",
            "local-first",
            "",
        ),
        (
            provider("base_ulr = 'https://a/'"),
            ErrorKind::UnknownKey,
            "3:1",
            "base_ulr",
            "`provider.mock.base_url`",
        ),
        (
            provider("base_url = 'a.example'"),
            ErrorKind::OutOfRange,
            "3:12",
            "http or https",
            "",
        ),
        (
            provider("base_url = 'https://me:pw@a.example/'"),
            ErrorKind::OutOfRange,
            "3:12",
            "without credentials",
            "",
        ),
        (
            provider("base_url = 'http://a.example/v1'"),
            ErrorKind::OutOfRange,
            "3:1",
            "unencrypted",
            "allow_plain_http true",
        ),
        (
            provider("local = true\nbase_url = 'https://a.example/v1'"),
            ErrorKind::OutOfRange,
            "3:1",
            "not on this machine",
            "cv config unset provider.mock.local",
        ),
        (
            provider("local = true"),
            ErrorKind::OutOfRange,
            "3:1",
            "without `base_url`",
            "cv config unset provider.mock.local",
        ),
        (
            provider("local = 'yes'"),
            ErrorKind::WrongType,
            "3:9",
            "true or false",
            "",
        ),
        (
            provider("key_env = 'A B'"),
            ErrorKind::OutOfRange,
            "3:11",
            "variable",
            "",
        ),
        (
            provider("ca_file = 'mock.pem'"),
            ErrorKind::OutOfRange,
            "3:11",
            "absolute",
            "",
        ),
        (
            provider("concurrency = 0"),
            ErrorKind::OutOfRange,
            "3:15",
            "from 1 to 256",
            "",
        ),
        (
            "[provider.mock]\nkey_env = 'K'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:1",
            "`kind`",
            "cv config set provider.mock.kind openai",
        ),
        (
            "[provider.x]\nkind = 'azure'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:1",
            "`base_url`",
            "",
        ),
        (
            "[provider.x]\nkind = 'openai'\nauth = 'entra'\n".to_owned(),
            ErrorKind::OutOfRange,
            "3:1",
            "is for the kind \"azure\"",
            "cv config unset provider.x.auth",
        ),
        (
            "[provider.x]\nkind = 'groq'\n".to_owned(),
            ErrorKind::OutOfRange,
            "2:8",
            "\"openai\"",
            "",
        ),
        (
            "[provider.'a b']\nkind = 'openai'\n".to_owned(),
            ErrorKind::UnknownKey,
            "1:11",
            "provider's name",
            "",
        ),
        (
            "[provider]\nmock = 3\n".to_owned(),
            ErrorKind::WrongType,
            "2:8",
            "table",
            "",
        ),
        (
            provider("[provider.mock.model.'a b']\njson = true"),
            ErrorKind::UnknownKey,
            "4:1",
            "model's id",
            "",
        ),
        (
            provider("[provider.mock.model.m]\nprice = { input = 3.0, output = '1' }"),
            ErrorKind::WrongType,
            "4:19",
            "put it in quotes",
            "",
        ),
        (
            provider("[provider.mock.model.m]\nprice = { input = '3.0' }"),
            ErrorKind::OutOfRange,
            "4:11",
            "price.output",
            "cv config set 'provider.mock.model.\"m\".price.output'",
        ),
        (
            provider("[provider.mock.model.m]\nprice = '3'"),
            ErrorKind::WrongType,
            "4:9",
            "table",
            "",
        ),
        (
            provider("[provider.mock.model.m]\ncontxt = 3"),
            ErrorKind::UnknownKey,
            "4:1",
            "contxt",
            "context",
        ),
        (
            "[provder.mock]\nkind = 'openai'\n".to_owned(),
            ErrorKind::UnknownKey,
            "1:2",
            "provder",
            "`[provider]`",
        ),
    ];
    for (text, kind, place, reason, hint) in cases {
        let home = Home::new().user(&text);
        let error = home.load().unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        let place = format!("{}:{place}:", home.config_file().display());
        assert!(error.to_string().contains(&place), "{text}: {error}");
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {}", error.hint());
    }
}

#[test]
fn a_local_provider_is_on_this_machine_or_refused() {
    let local = |text: &str| {
        let settings = Home::new().user(text).settings().unwrap();
        settings.providers().values().next().unwrap().local
    };
    assert!(local("[provider.ollama]\nconcurrency = 1\n"));
    assert!(local(
        "[provider.x]\nkind = 'ollama'\nbase_url = 'http://[::1]:11434'\n"
    ));
    assert!(!local("[provider.ollama]\nlocal = false\n"));
    assert!(!local(
        "[provider.x]\nkind = 'ollama'\nbase_url = 'https://a.example'\n"
    ));
    // What listens on loopback may well pass on: only its user knows.
    assert!(!local(
        "[provider.x]\nkind = 'openai'\nbase_url = 'http://127.0.0.1:1'\n"
    ));
    assert!(local(
        "[provider.x]\nkind = 'openai'\nlocal = true\nbase_url = 'http://localhost:1'\n"
    ));
    // Who has a price bills for it, unless its user says that it is here.
    let priced = |more: &str, price: &str| {
        local(&format!(
            "[provider.x]\nkind = 'ollama'\nbase_url = 'http://127.0.0.1:1'\n{more}\n\
             [provider.x.model.m]\nprice = {{ input = '{price}', output = '{price}' }}\n"
        ))
    };
    assert!(!priced("", "3.00"));
    assert!(priced("local = true", "3.00"));
    assert!(priced("", "0"));
}

#[test]
fn providers_stand_in_files_and_nowhere_else() {
    let home = Home::new().variable("CONVERGIO_PROVIDER_MOCK_BASE_URL", "http://127.0.0.1/");
    let error = home.settings().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownKey);
    let flag = convergio_config::FlagSetting {
        flag: "--set".to_owned(),
        key: "provider.mock.base_url".to_owned(),
        value: "http://127.0.0.1/".to_owned(),
    };
    let home = Home::new();
    let error = home
        .load()
        .unwrap()
        .settings(&home.environment.variables, &[flag])
        .unwrap_err();
    assert!(error.to_string().contains("settings file only"), "{error}");
    // The rest is as any setting.
    let home = Home::new()
        .variable("CONVERGIO_MODELS_FALLBACK", "a/b, c/d")
        .variable("CONVERGIO_BUDGET_DAILY_USD", "0.50");
    let settings = home.settings().unwrap();
    assert_eq!(settings.models().fallback.len(), 2);
    assert_eq!(settings.budget().daily_nano_usd, Some(500_000_000));
    assert_eq!(settings.budget().layer, Layer::Environment);
}

#[test]
fn a_policys_own_fault_is_the_administrators() {
    let home = Home::new().policy("[provider.corp]\nbase_url = 'https://corp.example/v1'\n");
    let error = home.load().unwrap_err();
    assert_eq!(error.path(), Some(home.environment.policy_file.as_path()));
    assert!(error.hint().contains("administrator"), "{}", error.hint());
}

#[test]
fn tables_made_to_exhaust_are_refused() {
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect();
    let providers: String = many(65, &|n| format!("[provider.p{n}]\nkind = 'openai'\n"));
    let models: String = many(501, &|n| format!("[provider.p.model.m{n}]\njson = true\n"));
    for text in [
        providers,
        format!("[provider.p]\nkind = 'openai'\n{models}"),
    ] {
        let error = Home::new().user(&text).load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    }
}
