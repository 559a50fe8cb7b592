//! Ways out that are printed with errors, typed as they stand.

use std::fs;

use convergio_fake_provider::{Reply, Script};

use crate::ask::House;

/// What goes wrong. Each prints its way out.
const WRONG: &[&[&str]] = &[
    &["usage", "why", "nope"],
    &["usage", "--since", "2026-11-10", "--until", "2026-11-01"],
    &["usage", "export", "--since", "1d", "--until", "2d"],
    &["usage", "reconcile", "nowhere.csv"],
    &[
        "usage",
        "reconcile",
        "my bill.csv",
        "--provider",
        "mock",
        "--apply",
    ],
    &["config", "set", "budget.limits", "five"],
    &["config", "set", "budget.daily_usd", "five"],
    &["config", "set", "models.fallback", "x"],
    &["config", "set", "models.default", ""],
    &["config", "set", "models.fallback_on.server", "x"],
    &["config", "set", "models.policy", "anywhere"],
    &["config", "set", "gateway.port", "70000"],
    &["config", "set", "gateway.address", "0.0.0.0"],
    &["config", "set", "gateway.enable", "true"],
    &["config", "get", "no.such.key"],
    &["config", "unset", "no.such.key"],
    &["budget", "set", "daily", "five"],
    &["budget", "set", "daily", "1.0000000001"],
    &["budget", "set", "weekly", "5.00"],
    &["ask", "--max-cost", "0.0041", "what is it"],
    &["ask", "--model", "nope/x", "what is it"],
    &["ask", "--model", "fast", "what is it"],
    &["ask"],
    &["ask", "--file", "nowhere.txt", "what is it"],
    &["ask", "--local-only", "--model", "cloud/x", "what is it"],
    &["ask", "--model", "cloud/unpriced", "what is it"],
    &["route", "explain", "what is it", "--model", "nope/x"],
    &["guard", "--", "no-such-program"],
    &["guard", "--", "./config.txt"],
    &["provider", "test", "nope"],
    &["provider", "remove", "nope"],
    &[
        "provider",
        "add",
        "far",
        "--kind",
        "openai",
        "--base-url",
        "http://192.0.2.2/v1",
    ],
    &["token", "revoke", "nope"],
    &["template", "remove", "nope"],
    &["models", "show", "nope/x"],
    &["models", "prices", "update", "nowhere.toml"],
    &["remind"],
    &["remind", "call Mario"],
    &["remind", "call Mario yesterday at 9"],
    &["remind", "pay", "on", "3/4/2031"],
    &["remind", "x", "--at", "some time"],
    &["remind", "x", "at", "9", "--every", "nonsense"],
    &["task", "add"],
    &["task", "done", "x"],
    &["task", "show", "7"],
    &["task", "edit", "7"],
    &["task", "import", "nowhere.ics"],
    &["tasks", "colour:red"],
    &["runs", "show", "nope"],
    &["attach", "nope"],
    &["review", "HEAD~1"],
    &["fix", "1"],
    &["undo", "nope"],
    &["privacy", "egress", "--since", "yesterday"],
];

/// The commands in what was printed, as a shell takes them: in backticks, or behind `try: `.
fn commands(err: &str) -> Vec<String> {
    let tries = err.lines().filter_map(|line| line.split_once("try: "));
    tries
        .flat_map(|(_, hint)| {
            if hint.starts_with("cv ") {
                return vec![hint.to_owned()];
            }
            let quoted = hint.split('`').skip(1).step_by(2);
            quoted
                .filter(|text| text.starts_with("cv ") || text.contains(" cv "))
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

/// A word that stands for another one.
fn is_stand_in(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[test]
fn a_way_out_works_when_it_is_typed() {
    let mut seen = 0;
    for wrong in WRONG {
        let house = House::new(Script::always(Reply::text("an answer")));
        let file = |name: &str, text: &str| {
            fs::write(house.folder.join(name), text).expect("a file");
        };
        file("config.txt", "no program");
        file(
            "my bill.csv",
            "day,provider,model,resource,quantity,amount_usd\n\
             2026-11-01,mock,gpt-test,in_uncached,1000,1.00\n",
        );
        let ran = house.cv(wrong);
        assert_ne!(ran.code, Some(0), "{wrong:?}: {ran:?}");
        let ways = commands(&ran.err);
        let again = ran.err.split_once("the same again with ");
        let again = again.map(|(_, option)| {
            let mut words: Vec<String> = wrong.iter().map(|word| format!("'{word}'")).collect();
            if let Some(at) = wrong.iter().position(|word| *word == "--max-cost") {
                words.drain(at..at + 2);
            }
            format!("cv {} {}", words.join(" "), option.trim())
        });
        for line in ways.into_iter().chain(again) {
            if line.split(' ').any(is_stand_in) {
                continue;
            }
            seen += 1;
            let script = format!("cv() {{ \"$0\" \"$@\"; }}; export CONVERGIO_NO_PROMPT=1; {line}");
            let typed = house.bash(&script);
            assert_ne!(
                typed.code,
                Some(2),
                "{wrong:?} said to type {line}, which is refused: {typed:?}"
            );
            if line.contains("--max-cost") || line.contains("reconcile --provider") {
                assert_eq!(typed.code, Some(0), "{line}: {typed:?}");
            }
        }
    }
    // Most of them have one.
    assert!(seen > 30, "only {seen} commands were typed");
}

#[test]
fn days_that_are_not_over_are_not_offered_to_be_corrected() {
    let house = House::new(Script::always(Reply::text("x")));
    let bill = |day: &str| {
        let text = format!(
            "day,provider,model,resource,quantity,amount_usd\n{day},mock,gpt-test,in_uncached,1000,1.00\n"
        );
        fs::write(house.folder.join("bill.csv"), text).expect("a file");
        house.cv(&["usage", "reconcile", "bill.csv"])
    };
    let future = bill("2099-01-01");
    assert_eq!(future.code, Some(0), "{future:?}");
    assert!(!future.err.contains("--apply"), "{future:?}");
    assert!(future.err.contains("2099-01-01"), "{future:?}");
    let over = bill("2026-11-01");
    assert!(over.err.contains("--apply"), "{over:?}");
    // An amount has cents, whatever else it has.
    assert!(over.err.contains("+$1.00"), "{over:?}");
}
