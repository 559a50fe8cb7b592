//! Every rule against its fixtures, its table row and its documentation page.
//!
//! `CV_RULE=secret cargo test -p convergio-review --test rules` runs one rule's fixtures only.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail their test"
)]

use std::{collections::HashSet, env, fs, path::PathBuf};

use convergio_review::{FileOutcome, Review, ReviewOptions, Severity, rule::Rule, rules::RULES};

#[path = "corpus/mint.rs"]
mod mint;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    Fires(usize),
    Quiet,
    QuietSelf,
}

struct Case {
    expect: Expect,
    line: usize,
    name: String,
    diff: String,
}

fn cases(rule: &str) -> Vec<Case> {
    let path = crate_folder()
        .join("fixtures")
        .join(format!("{rule}.diffs"));
    let Ok(text) = fs::read_to_string(&path) else {
        return Vec::new();
    };
    let text = mint::expand(&text);
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(head) = line.strip_prefix("### ") {
            let mut words = head.split_whitespace();
            let kind = words.next().unwrap_or("");
            let mut rest: Vec<&str> = words.collect();
            let expect = match kind {
                "fires" => {
                    let count = rest.first().and_then(|word| word.parse().ok());
                    if count.is_some() {
                        rest.remove(0);
                    }
                    Expect::Fires(count.unwrap_or(1))
                }
                "quiet" => Expect::Quiet,
                "quiet-self" => Expect::QuietSelf,
                other => panic!("{}:{}: unknown kind `{other}`", path.display(), index + 1),
            };
            cases.push(Case {
                expect,
                line: index + 1,
                name: rest.join(" "),
                diff: String::new(),
            });
        } else if let Some(case) = cases.last_mut() {
            case.diff.push_str(line);
        }
    }
    cases
}

fn outcomes(rule: &Rule, diff: &str) -> Vec<FileOutcome> {
    let options = ReviewOptions {
        strict: rule.strict_only,
        ..ReviewOptions::default()
    };
    let review = Review::new(diff.as_bytes(), options).expect("no allow file");
    let (outcomes, summary) = review.collect();
    assert!(!summary.no_diff, "no diff in:\n{diff}");
    assert!(!summary.incomplete, "{:?} in:\n{diff}", summary.problems);
    outcomes
}

#[test]
fn fixtures() {
    let only = env::var("CV_RULE").ok();
    let mut failures = Vec::new();
    for rule in RULES {
        if only.as_deref().is_some_and(|only| only != rule.id) {
            continue;
        }
        for case in cases(rule.id) {
            let outcomes = outcomes(rule, &case.diff);
            let found: Vec<_> = outcomes
                .iter()
                .flat_map(|o| {
                    o.findings
                        .iter()
                        .chain(&o.silenced_by_change)
                        .chain(o.silenced.iter().map(|s| &s.finding))
                })
                .collect();
            let own = outcomes
                .iter()
                .flat_map(|o| &o.findings)
                .filter(|f| f.rule == rule.id)
                .count();
            let held = |f: &&&convergio_review::Finding| f.rule == rule.id;
            let fits = match case.expect {
                Expect::Fires(count) => own == count,
                Expect::Quiet => outcomes.iter().all(|o| o.findings.is_empty()),
                Expect::QuietSelf => own == 0,
            };
            if !fits {
                let what: Vec<String> = found
                    .iter()
                    .filter(|f| case.expect == Expect::Quiet || held(f))
                    .map(|f| {
                        format!(
                            "    {}:{} {} {}",
                            f.path, f.line_range.0, f.rule, f.evidence
                        )
                    })
                    .collect();
                failures.push(format!(
                    "fixtures/{}.diffs:{} {:?} {} → {own} of its own\n{}",
                    rule.id,
                    case.line,
                    case.expect,
                    case.name,
                    what.join("\n")
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_rule_has_enough_fixtures() {
    let mut missing = Vec::new();
    for rule in RULES {
        let cases = cases(rule.id);
        let fires = cases
            .iter()
            .filter(|c| matches!(c.expect, Expect::Fires(n) if n > 0))
            .count();
        let quiet = cases.len() - fires;
        if fires < 5 || quiet < 5 {
            missing.push(format!("{}: {fires} fire, {quiet} are quiet", rule.id));
        }
    }
    assert!(
        missing.is_empty(),
        "at least 5 of each are due:\n{}",
        missing.join("\n")
    );
}

#[test]
fn rows_are_well_formed() {
    let mut ids = HashSet::new();
    assert!(
        RULES.len() <= 128,
        "the engine keeps sets of rules in 128 bits"
    );
    for rule in RULES {
        let id = rule.id;
        assert!(ids.insert(id), "{id} twice");
        let kebab = id.split('-').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
        assert!(kebab, "{id} is no kebab-case");
        assert!(
            rule.title.chars().count() <= 80,
            "{id}: title longer than 80"
        );
        assert!(
            !rule.title.is_empty() && !rule.title.ends_with('.'),
            "{id}: title"
        );
        assert!(
            !rule.reason.contains('\n') && !rule.reason.is_empty(),
            "{id}: reason"
        );
        assert!(rule.explain.len() > 80, "{id}: explain says too little");
        assert!(
            rule.triggers.iter().all(|t| t.is_ascii() && !t.is_empty()),
            "{id}: triggers"
        );
        assert!(rule.severity >= Severity::Nit);
        let file = crate_folder().join("src/rules").join(id.replace('-', "_"));
        let exists = file.with_extension("rs").exists() || file.is_dir();
        assert!(exists, "{id} does not live in the file that it names");
    }
}

#[test]
fn every_fixture_file_belongs_to_a_rule() {
    for entry in fs::read_dir(crate_folder().join("fixtures")).expect("the folder is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|e| e == "diffs") {
            let id = path.file_stem().and_then(|s| s.to_str()).expect("a name");
            assert!(
                RULES.iter().any(|r| r.id == id),
                "no rule `{id}` in the table"
            );
        }
    }
}
