//! Recall on seeded defects, silence on clean diffs.
//!
//! A corpus file is a diff; a defect's file begins with `# expect: RULES PATH:LINES`, where RULES
//! are alternatives divided by `|` and LINES is a line or a range of the new file (0: the file as
//! a whole). The holdout folders are written in the same way and never tuned to: their failures
//! are counted, not named.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests fail their test, and the tables are for reading"
)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use convergio_review::{Finding, Review, ReviewOptions};

#[path = "corpus/mint.rs"]
mod mint;

/// Lowest share of the seeded defects that must be found.
const RECALL_MIN: f64 = 0.90;
/// How far a finding about removed lines may lie from the place they stood at.
const REMOVED_SLACK_LINES: u32 = 2;

struct Expected {
    rules: Vec<String>,
    path: String,
    lines: (u32, u32),
}

struct Case {
    name: String,
    diff: String,
    expected: Vec<Expected>,
}

#[derive(Default, Clone, Copy)]
struct Score {
    found: u32,
    all: u32,
}

impl Score {
    fn add(&mut self, found: bool) {
        self.found += u32::from(found);
        self.all += 1;
    }

    fn share(self) -> f64 {
        if self.all == 0 {
            1.0
        } else {
            f64::from(self.found) / f64::from(self.all)
        }
    }
}

fn read(folder: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(folder);
    let mut names: Vec<_> = fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "diff"))
        .collect();
    names.sort();
    names
        .iter()
        .map(|path| {
            let diff = mint::expand(&fs::read_to_string(path).unwrap());
            let expected = diff
                .lines()
                .map_while(|l| l.strip_prefix("# expect: "))
                .map(expected);
            Case {
                name: format!("{folder}/{}", path.file_name().unwrap().to_string_lossy()),
                expected: expected.collect(),
                diff,
            }
        })
        .collect()
}

fn expected(line: &str) -> Expected {
    let (rules, place) = line.split_once(' ').expect("RULES PATH:LINES");
    let (path, lines) = place.rsplit_once(':').expect("PATH:LINES");
    let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
    Expected {
        rules: rules.split('|').map(str::to_owned).collect(),
        path: path.to_owned(),
        lines: (first.parse().unwrap(), last.parse().unwrap()),
    }
}

fn answers(expected: &Expected, finding: &Finding) -> bool {
    let removed = expected.rules.iter().any(|r| r.ends_with("-removed"));
    let slack = if removed { REMOVED_SLACK_LINES } else { 0 };
    let (first, last) = expected.lines;
    expected.rules.contains(&finding.rule)
        && expected.path == finding.path
        && (first == 0
            || (finding.line_range.0 <= last + slack && finding.line_range.1 + slack >= first))
}

/// Findings of the rules that are on by default, nothing held back.
fn review(diff: &str) -> Vec<Finding> {
    let options = ReviewOptions {
        findings_per_rule_and_file_max: u32::MAX,
        ..Default::default()
    };
    let review = Review::new(diff.as_bytes(), options).unwrap();
    let (outcomes, summary) = review.collect();
    assert!(
        !summary.incomplete && summary.problems.is_empty(),
        "{:?}\n{diff}",
        summary.problems
    );
    outcomes
        .into_iter()
        .flat_map(|outcome| outcome.findings)
        .collect()
}

fn show(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<_> = findings
        .iter()
        .map(|f| {
            format!(
                "{} {}:{}-{}",
                f.rule, f.path, f.line_range.0, f.line_range.1
            )
        })
        .collect();
    shown.join(", ")
}

fn language(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(
        name,
        |(stem, extension)| if stem.is_empty() { name } else { extension },
    )
}

fn table(title: &str, rows: &BTreeMap<String, Score>) {
    println!("\n{title:<28} found  of  share");
    for (name, score) in rows {
        println!(
            "{name:<28} {:>5} {:>3}  {:>4.0} %",
            score.found,
            score.all,
            score.share() * 100.0
        );
    }
}

struct Measured {
    total: Score,
    classes: BTreeMap<String, Score>,
    misses: String,
    beside: Vec<String>,
}

fn measure(folder: &str) -> Measured {
    let mut total = Score::default();
    let mut classes = BTreeMap::<String, Score>::new();
    let mut languages = BTreeMap::<String, Score>::new();
    let mut misses = String::new();
    let mut beside = Vec::new();
    for case in read(folder) {
        assert!(!case.expected.is_empty(), "{}: no expectation", case.name);
        let findings = review(&case.diff);
        for expected in &case.expected {
            let found = findings.iter().any(|finding| answers(expected, finding));
            total.add(found);
            classes
                .entry(expected.rules[0].clone())
                .or_default()
                .add(found);
            languages
                .entry(language(&expected.path).to_owned())
                .or_default()
                .add(found);
            if !found {
                let (first, last) = expected.lines;
                let rules = expected.rules.join("|");
                let path = &expected.path;
                let shown = show(&findings);
                writeln!(
                    misses,
                    "{}: no {rules} at {path}:{first}-{last}; found {shown}",
                    case.name
                )
                .unwrap();
            }
        }
        beside.extend(
            findings
                .iter()
                .filter(|finding| !case.expected.iter().any(|e| answers(e, finding)))
                .map(|finding| format!("{}: {}", case.name, show(std::slice::from_ref(finding)))),
        );
    }
    table(&format!("{folder}: class"), &classes);
    table(&format!("{folder}: language"), &languages);
    println!(
        "{folder}: {} of {}, {:.1} %",
        total.found,
        total.all,
        total.share() * 100.0
    );
    Measured {
        total,
        classes,
        misses,
        beside,
    }
}

#[test]
fn finds_the_seeded_defects() {
    let measured = measure("defects");
    println!("\nmissed:\n{}", measured.misses);
    println!(
        "found beside what is expected:\n{}",
        measured.beside.join("\n")
    );
    assert!(
        measured.total.share() >= RECALL_MIN,
        "recall too low, missed:\n{}",
        measured.misses
    );
}

#[test]
fn finds_the_defects_held_out() {
    let measured = measure("holdout-defects");
    println!("found beside what is expected: {}", measured.beside.len());
    let missed: Vec<_> = measured
        .classes
        .iter()
        .filter(|(_, score)| score.found < score.all)
        .map(|(class, score)| format!("{class}: {}", score.all - score.found))
        .collect();
    println!("missed per class: {}", missed.join(", "));
    assert!(
        measured.total.share() >= RECALL_MIN,
        "recall too low, missed {}",
        missed.join(", ")
    );
}

#[test]
fn is_silent_on_clean_diffs() {
    let noisy: Vec<_> = read("clean")
        .into_iter()
        .map(|case| (case.name, review(&case.diff)))
        .filter(|(_, findings)| !findings.is_empty())
        .map(|(name, findings)| format!("{name}: {}", show(&findings)))
        .collect();
    assert!(
        noisy.is_empty(),
        "found in clean diffs:\n{}",
        noisy.join("\n")
    );
}

#[test]
fn is_silent_on_the_clean_diffs_held_out() {
    let mut per_rule = BTreeMap::<String, u32>::new();
    for case in read("holdout-clean") {
        for finding in review(&case.diff) {
            *per_rule.entry(finding.rule).or_default() += 1;
        }
    }
    assert!(
        per_rule.is_empty(),
        "found in clean diffs, per rule: {per_rule:?}"
    );
}
