//! What holds, where it came from, and what is said about a broken file.

use std::fs;

use crate::support::Home;
use convergio_config::{
    Config, DAEMON_IDLE_EXIT_MS, ErrorKind, FlagSetting, Health, LOG_LEVEL, Layer, REVIEW_FAIL_ON,
    REVIEW_MAX_FINDINGS, REVIEW_STRICT, Settings, Value, json_schema,
};

fn flag(flag: &str, key: &str, value: &str) -> FlagSetting {
    FlagSetting {
        flag: flag.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

#[test]
fn an_empty_home_has_the_defaults() {
    let settings = Home::new().settings().unwrap();
    assert_eq!(settings.value(&REVIEW_MAX_FINDINGS), 10);
    assert_eq!(settings.value(&REVIEW_FAIL_ON), "never");
    assert!(!settings.value(&REVIEW_STRICT));
    assert_eq!(settings.value(&DAEMON_IDLE_EXIT_MS), 900_000);
    assert!(settings.rules().is_empty());
    assert_eq!(settings.get("log.level").unwrap().layer, Layer::Default);
    assert_eq!(Settings::defaults().value(&LOG_LEVEL), "info");
}

#[test]
fn each_layer_beats_the_ones_below_and_says_so() {
    let home = Home::new()
        .user("# mine\n[review]\nmax_findings = 20\n")
        .variable("CONVERGIO_REVIEW_MAX_FINDINGS", "30");
    let config = home.load().unwrap();
    let flags = [flag("--max-findings", "review.max_findings", "40")];
    let none = std::collections::BTreeMap::new();
    assert_eq!(
        config
            .settings(&none, &[])
            .unwrap()
            .value(&REVIEW_MAX_FINDINGS),
        20
    );
    let variables = &home.environment.variables.clone();
    assert_eq!(
        config
            .settings(variables, &[])
            .unwrap()
            .value(&REVIEW_MAX_FINDINGS),
        30
    );
    assert_eq!(
        config
            .settings(variables, &flags)
            .unwrap()
            .value(&REVIEW_MAX_FINDINGS),
        40
    );

    let home = home.policy("[review]\nmax_findings = 50\n");
    assert!(config.is_stale());
    let settings = home.load().unwrap().settings(variables, &flags).unwrap();
    assert_eq!(settings.value(&REVIEW_MAX_FINDINGS), 50);
    let explanation = settings.explain("review.max_findings").unwrap();
    assert_eq!(explanation.winner, Layer::Policy);
    assert!(explanation.fixed_by_policy);
    assert!(
        explanation.why.contains("policy.toml:2:1"),
        "{}",
        explanation.why
    );
    let sources: Vec<String> = explanation
        .layers
        .iter()
        .map(|row| {
            let entry = row.entry.as_ref().unwrap();
            format!("{} {} {}", row.layer.label(), entry.value, entry.origin)
        })
        .collect();
    assert_eq!(
        sources,
        [
            "default 10 built in".to_owned(),
            format!("user file 20 {}:3:1", home.config_file().display()),
            "environment 30 CONVERGIO_REVIEW_MAX_FINDINGS".to_owned(),
            "flag 40 --max-findings".to_owned(),
            format!(
                "managed policy 50 {}:2:1",
                home.environment.policy_file.display()
            ),
        ]
    );
}

#[test]
fn rules_are_switched_one_by_one() {
    let home = Home::new()
        .user("[review.rules]\ntls-verify-off = \"off\"\nswallowed-error = \"off\"\n\"secret/aws.key\" = \"off\"\n")
        .variable("CONVERGIO_REVIEW_RULES_SWALLOWED_ERROR", "on")
        .variable("CONVERGIO_REVIEW_RULES_SECRET_AWS_KEY", "on")
        .policy("review.rules.tls-verify-off = \"on\"\n");
    let settings = home.settings().unwrap();
    let rules: Vec<(String, bool)> = settings.rules().into_iter().collect();
    assert_eq!(rules.len(), 3);
    assert!(rules.iter().all(|(_, on)| *on), "{rules:?}");
    let key = settings.get("review.rules.tls-verify-off").unwrap();
    assert_eq!(
        (key.value, key.layer),
        (Value::Word("on".to_owned()), Layer::Policy)
    );
    assert_eq!(
        settings
            .get("review.rules.tls-verfy-off")
            .unwrap_err()
            .hint(),
        "did you mean `review.rules.tls-verify-off`? All of them: cv config get"
    );
}

#[test]
fn every_fault_of_a_file_has_its_place_and_a_way_out() {
    let cases = [
        (
            "[review]\nstrct = true\n",
            ErrorKind::UnknownKey,
            "2:1",
            "`review.strict`",
        ),
        (
            "strict = true\n",
            ErrorKind::UnknownKey,
            "1:1",
            "`review.strict`",
        ),
        (
            "[reviw]\nstrict = true\n",
            ErrorKind::UnknownKey,
            "1:2",
            "`[review]`",
        ),
        (
            "[cloud]\ndefault = 'x'\n",
            ErrorKind::UnknownKey,
            "1:2",
            "cv config unset cloud",
        ),
        (
            "[review]\nstrict = 'yes'\n",
            ErrorKind::WrongType,
            "2:10",
            "cv config set review.strict false",
        ),
        (
            "[review]\n  max_findings = 0\n",
            ErrorKind::OutOfRange,
            "2:18",
            "cv config set review.max_findings 10",
        ),
        (
            "# é\nreview.fail_on = 'blocker'\n",
            ErrorKind::OutOfRange,
            "2:18",
            "review.fail_on never",
        ),
        (
            "review = 3\n",
            ErrorKind::WrongType,
            "1:10",
            "cv config edit",
        ),
        (
            "[review]\nrules = 'off'\n",
            ErrorKind::WrongType,
            "2:9",
            "cv config edit",
        ),
        (
            "[review.rules]\ntls-verfy-off = 'off'\n",
            ErrorKind::UnknownKey,
            "2:1",
            "review.rules.tls-verify-off",
        ),
        (
            "[review.rules]\ntls-verify-off = false\n",
            ErrorKind::WrongType,
            "2:18",
            "rules.tls-verify-off on",
        ),
        (
            "[review]\nstrict = \n",
            ErrorKind::Syntax,
            "2:10",
            "cv config edit",
        ),
        (
            "config_version = 2\n",
            ErrorKind::NewerVersion,
            "1:18",
            "update Convergio",
        ),
    ];
    for (text, kind, place, hint) in cases {
        let home = Home::new().user(text);
        let error = home.load().unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        let place = format!("{}:{place}:", home.config_file().display());
        assert!(error.to_string().contains(&place), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {}", error.hint());
        let inspection = Config::inspect(&home.paths, &home.environment, &home.catalog);
        assert!(matches!(inspection.user, Health::Broken(_)));
        assert!(matches!(inspection.policy, Health::Absent));
    }
}

#[test]
fn all_faults_are_listed_up_to_a_bound_that_shows() {
    let home = Home::new().user("[review]\nstrict = 1\nmax_findings = 'x'\n");
    let error = home.load().unwrap_err();
    assert_eq!(error.faults().count(), 2);
    assert!(error.to_string().ends_with("(and 1 more)"), "{error}");

    let many: String = (0..100).map(|n| format!("unknown{n} = 1\n")).collect();
    let error = Home::new().user(&many).load().unwrap_err();
    assert_eq!(error.faults().count(), convergio_config::MAX_FAULTS);
    assert!(
        error
            .faults()
            .last()
            .unwrap()
            .reason
            .contains("more may follow")
    );
}

#[test]
fn bytes_that_are_no_text_and_files_that_are_too_large_are_refused() {
    let home = Home::new();
    fs::write(home.config_file(), b"[review]\nstrict = \xff\n").unwrap();
    let error = home.load().unwrap_err();
    assert_eq!(
        (error.kind(), error.line(), error.column()),
        (ErrorKind::Syntax, Some(2), Some(10))
    );

    fs::write(home.config_file(), vec![b'#'; 256 * 1024 + 1]).unwrap();
    assert_eq!(home.load().unwrap_err().kind(), ErrorKind::TooLarge);

    fs::remove_file(home.config_file()).unwrap();
    fs::create_dir(home.config_file()).unwrap();
    assert_eq!(home.load().unwrap_err().kind(), ErrorKind::NotAFile);
}

#[test]
fn documents_made_to_exhaust_the_parser_are_refused_quickly() {
    let switches: String = (0..1_001).map(|n| format!("r{n} = 'off'\n")).collect();
    let cases = [
        format!("a = {}", "[".repeat(200_000)),
        format!("a = {}", "{a=".repeat(60_000)),
        format!("{}a = 1\n", "a.".repeat(100_000)),
        format!("[{}a]\n", "a.".repeat(100_000)),
        format!("[review.rules]\n{switches}"),
    ];
    for text in cases {
        let mut home = Home::new().user(&text);
        home.catalog = convergio_config::Catalog::any_rule();
        assert!(home.load().is_err());
        // Neither may crash; what they answer is the business of other tests.
        let _ = home.editor().unset("a.a.a", None);
        let _ = home.editor().set("review.strict", "true", None);
    }
}

#[test]
fn hostile_text_in_a_message_is_escaped_and_cut() {
    let name = "\\u001b]0;owned\\u0007".to_owned() + &"a".repeat(200);
    let error = Home::new()
        .user(&format!("\"{name}\" = 1\n"))
        .load()
        .unwrap_err();
    let shown = format!("{error} {}", error.hint());
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert!(error.to_string().contains('…'));
}

#[test]
fn variables_are_checked_like_the_file() {
    let cases = [
        (
            "CONVERGIO_REVIEW_STRCT",
            "1",
            ErrorKind::UnknownKey,
            "CONVERGIO_REVIEW_STRICT",
        ),
        (
            "CONVERGIO_REVIEW_STRICT",
            "maybe",
            ErrorKind::WrongType,
            "unset CONVERGIO_REVIEW_STRICT",
        ),
        (
            "CONVERGIO_LOG_LEVEL",
            "loud",
            ErrorKind::OutOfRange,
            "CONVERGIO_LOG_LEVEL=info",
        ),
        (
            "CONVERGIO_LOG_KEEP_FILES",
            "21",
            ErrorKind::OutOfRange,
            "CONVERGIO_LOG_KEEP_FILES=3",
        ),
        (
            "CONVERGIO_REVIEW_RULES_TLS_VERFY_OFF",
            "off",
            ErrorKind::UnknownKey,
            "RULES_TLS_VERIFY_OFF",
        ),
    ];
    for (name, value, kind, hint) in cases {
        let error = Home::new().variable(name, value).settings().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
}

#[test]
fn variables_of_the_process_are_no_settings_and_foreign_ones_only_warn() {
    let home = Home::new()
        .variable("CONVERGIO_SOCKET", "/run/s")
        .variable("CONVERGIO_LOG", "debug")
        .variable("CONVERGIO_REVIEW_STRICT", "")
        .variable("CONVERGIO_REVEIW_STRICT", "1");
    let settings = home.settings().unwrap();
    assert!(!settings.value(&REVIEW_STRICT));
    assert_eq!(
        settings.warnings(),
        ["\"CONVERGIO_REVEIW_STRICT\" sets nothing, did you mean CONVERGIO_REVIEW_STRICT?"]
    );
}

#[test]
fn flags_are_checked_by_name_and_value() {
    let config = Home::new().load().unwrap();
    let none = std::collections::BTreeMap::new();
    let error = config
        .settings(&none, &[flag("--fail-on", "review.fail_on", "loud")])
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfRange);
    assert!(error.to_string().contains("--fail-on"), "{error}");
    assert_eq!(error.hint(), "for instance: --fail-on never");
}

#[test]
fn staleness_sees_every_way_in_which_a_file_changes() {
    let home = Home::new();
    let absent = home.load().unwrap();
    assert!(!absent.is_stale());
    let home = home.user("[review]\nstrict = true\n");
    assert!(absent.is_stale());
    let present = home.load().unwrap();
    assert!(!present.is_stale());
    fs::write(home.config_file(), "[review]\nstrict = false\n").unwrap();
    assert!(present.is_stale());
    let present = home.load().unwrap();
    fs::remove_file(home.config_file()).unwrap();
    assert!(present.is_stale());
    std::os::unix::fs::symlink("nowhere", home.config_file()).unwrap();
    assert!(absent.is_stale());
    assert_eq!(home.load().unwrap_err().kind(), ErrorKind::NotAFile);
}

#[test]
fn the_schema_has_every_key_with_its_default() {
    let schema = json_schema();
    for spec in convergio_config::KEYS {
        let property = &schema["properties"][spec.section]["properties"][spec.name];
        assert_eq!(property["description"], spec.doc, "{}", spec.dotted());
    }
    assert_eq!(
        schema["properties"]["review"]["properties"]["strict"]["default"],
        false
    );
    assert_eq!(schema["properties"]["log"]["additionalProperties"], false);
}

mod any_combination {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_strongest_layer_that_speaks_wins(
            user in proptest::option::of(1u64..=1000),
            variable in proptest::option::of(1u64..=1000),
            given in proptest::option::of(1u64..=1000),
            policy in proptest::option::of(1u64..=1000),
        ) {
            let toml = |value: u64| format!("[review]\nmax_findings = {value}\n");
            let mut home = Home::new();
            if let Some(value) = user { home = home.user(&toml(value)); }
            if let Some(value) = policy { home = home.policy(&toml(value)); }
            if let Some(value) = variable {
                home = home.variable("CONVERGIO_REVIEW_MAX_FINDINGS", &value.to_string());
            }
            let flags: Vec<FlagSetting> = given
                .map(|value| flag("--max-findings", "review.max_findings", &value.to_string()))
                .into_iter()
                .collect();
            let settings = home.load().unwrap().settings(&home.environment.variables, &flags).unwrap();
            let (expected, winner) = [
                (policy, Layer::Policy),
                (given, Layer::Flag),
                (variable, Layer::Environment),
                (user, Layer::User),
            ]
            .into_iter()
            .find_map(|(value, layer)| value.map(|value| (value, layer)))
            .unwrap_or((10, Layer::Default));
            prop_assert_eq!(settings.value(&REVIEW_MAX_FINDINGS), expected);
            let explanation = settings.explain("review.max_findings").unwrap();
            prop_assert_eq!(explanation.winner, winner);
            let spoken: Vec<bool> = explanation.layers.iter().map(|row| row.entry.is_some()).collect();
            prop_assert_eq!(
                spoken,
                vec![true, user.is_some(), variable.is_some(), given.is_some(), policy.is_some()]
            );
        }
    }
}
