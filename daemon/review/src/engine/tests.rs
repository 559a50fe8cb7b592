//! The engine over rules of its own, so that no product rule decides these tests.

use std::{collections::HashSet, ops::ControlFlow, sync::LazyLock};

use super::*;
use crate::{
    coverage::LeftOut,
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{DiffView, FileView, HunkView},
};

const BASE: Rule = Rule {
    id: "",
    severity: Severity::Minor,
    title: "A fault",
    reason: "It matters.",
    explain: "",
    languages: &[],
    triggers: &[],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::File(|_, _| {}),
};

fn each(hunk: &HunkView<'_>, word: &str, mut found: impl FnMut(std::ops::Range<usize>)) {
    for (at, _) in hunk.new.live.match_indices(word) {
        found(at..at + word.len());
    }
}

fn bad(_: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    each(hunk, "bad()", |r| {
        sink.hit(Hit::at(r.clone(), "It is called.").fix(Fix::Replace(r, "good()".to_owned())));
    });
}

fn worse(_: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    each(hunk, "worse()", |r| sink.hit(Hit::lines(r, "x")));
}

fn half(_: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    each(hunk, "worse(", |r| sink.hit(Hit::at(r, "x")));
}

fn token(_: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    each(hunk, "tok_", |r| {
        let end = hunk.new.text[r.start..]
            .find(['"', '\n', ' '])
            .map_or(hunk.new.text.len(), |e| r.start + e);
        let range = r.start..end;
        let mut hit = Hit::at(
            range.clone(),
            format!("{} is read.", &hunk.new.text[range.clone()]),
        );
        hit.title = Some(format!("Token {}", &hunk.new.text[range.clone()]));
        hit.fix = Some(Fix::RemoveLines(range.clone()));
        hit.secrets.push(range);
        sink.hit(hit);
    });
}

fn across(view: &DiffView<'_>, sink: &mut Sink) {
    if view.files.iter().any(|f| f.name == "needs") && !view.files.iter().any(|f| f.name == "lock")
    {
        sink.file(Some("needs"), "It is not pinned.", None);
    }
}

fn forged(_: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    each(hunk, "forged", |_| {
        sink.hit(Hit::at(5..usize::MAX, "x"));
        #[expect(clippy::reversed_empty_ranges, reason = "a forged range is the point")]
        sink.hit(Hit::at(9..3, "x"));
        sink.hit(Hit::at(1..2, "x").fix(Fix::Replace(0..usize::MAX, String::new())));
    });
}

static RULES: &[&Rule] = &[
    &Rule {
        id: "bad",
        triggers: &["BAD("],
        check: Check::Hunk(bad),
        ..BASE
    },
    &Rule {
        id: "worse",
        severity: Severity::Critical,
        triggers: &["worse"],
        check: Check::Hunk(worse),
        ..BASE
    },
    &Rule {
        id: "half",
        triggers: &["worse"],
        check: Check::Hunk(half),
        ..BASE
    },
    &Rule {
        id: "token",
        severity: Severity::Critical,
        triggers: &["tok_"],
        never_silenced_by_change: true,
        check: Check::Hunk(token),
        ..BASE
    },
    &Rule {
        id: "across",
        check: Check::Diff(across),
        ..BASE
    },
    &Rule {
        id: "strict",
        strict_only: true,
        triggers: &["maybe"],
        check: Check::Hunk(|_, hunk, sink| {
            each(hunk, "maybe", |r| sink.hit(Hit::at(r, "x")));
        }),
        ..BASE
    },
    &Rule {
        id: "forged",
        triggers: &["forged"],
        check: Check::Hunk(forged),
        ..BASE
    },
    &Rule {
        id: "broken",
        triggers: &["broken"],
        check: Check::Hunk(|_, _, _| panic!("a defect of a rule")),
        ..BASE
    },
];
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(RULES));

fn review_with(diff: &str, options: ReviewOptions) -> (Vec<FileOutcome>, ReviewSummary) {
    Review::with_table(&TABLE, diff.as_bytes(), options)
        .unwrap()
        .collect()
}

fn review(diff: &str) -> (Vec<FileOutcome>, ReviewSummary) {
    review_with(diff, ReviewOptions::default())
}

/// A new file whose lines are `lines`.
fn file(path: &str, lines: &[&str]) -> String {
    let body: String = lines.iter().map(|l| format!("+{l}\n")).collect();
    format!(
        "diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{} @@\n{body}",
        lines.len()
    )
}

/// A change of an old file; `lines` carry their markers.
fn change(path: &str, lines: &[&str]) -> String {
    let count = |not: char| lines.iter().filter(|l| !l.starts_with(not)).count();
    format!(
        "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -10,{} +10,{} @@\n{}\n",
        count('+'),
        count('-'),
        lines.join("\n")
    )
}

fn rules(outcome: &FileOutcome) -> Vec<&str> {
    outcome.findings.iter().map(|f| f.rule.as_str()).collect()
}

#[test]
fn a_hit_is_placed_quoted_and_remedied() {
    let (outcomes, summary) = review(&change("src/x.py", &[" one", "+é = bad() # why", " three"]));
    let finding = &outcomes[0].findings[0];
    assert_eq!(
        (finding.line_range, finding.columns),
        ((11, 11), Some((5, 10)))
    );
    assert_eq!(finding.evidence, "é = bad() # why");
    let suggestion = finding.suggestion.as_ref().unwrap();
    assert_eq!(suggestion.original, "é = bad() # why");
    assert_eq!(suggestion.replacement.as_deref(), Some("é = good() # why"));
    assert_eq!(finding.fingerprint.len(), 64);
    assert_eq!(summary.counts, [0, 1, 0, 0]);
    assert_eq!(summary.coverage.added_lines_reviewed, 1);
}

#[test]
fn a_rule_with_a_defect_costs_its_file_and_says_so() {
    let diff = file("a.py", &["broken", "bad()"]) + &file("b.py", &["bad()"]);
    for threads in [1, 2] {
        let options = ReviewOptions {
            threads,
            ..ReviewOptions::default()
        };
        let (outcomes, summary) = review_with(&diff, options);
        assert!(outcomes[0].findings.is_empty());
        assert_eq!(rules(&outcomes[1]), ["bad"]);
        assert!(summary.incomplete);
        assert_eq!(summary.failures.len(), 1);
        assert!(summary.failures[0].contains("a.py"));
        assert_eq!(summary.coverage.files, 2);
        assert_eq!(summary.coverage.files_reviewed, 1);
    }
}

#[test]
fn context_and_removed_lines_are_no_findings() {
    let (outcomes, _) = review(&change(
        "x.py",
        &[" bad()", "-bad()", "+fine() # bad()", "+a = 1"],
    ));
    assert!(outcomes[0].findings.is_empty(), "{outcomes:?}");
}

#[test]
fn fingerprints_survive_moves_and_tell_equals_apart() {
    let (first, _) = review(&change("x.py", &[" a", "+bad()", "+bad()"]));
    let (second, _) = review(&change("x.py", &[" b", " c", "+ bad()", "+bad()"]));
    let prints = |o: &[FileOutcome]| -> Vec<String> {
        o[0].findings
            .iter()
            .map(|f| f.fingerprint.clone())
            .collect()
    };
    assert_eq!(prints(&first), prints(&second));
    assert_ne!(prints(&first)[0], prints(&first)[1]);
    let (other, _) = review(&change("y.py", &["+bad()"]));
    assert_ne!(prints(&first)[0], prints(&other)[0]);
}

#[test]
fn of_two_rules_on_one_place_the_graver_stays() {
    let (outcomes, _) = review(&change("x.py", &["+worse()", "+bad(); worse()"]));
    assert_eq!(rules(&outcomes[0]), ["worse", "bad", "worse"]);
}

#[test]
fn secrets_stay_out_of_everything() {
    let diff = change(
        "x.py",
        &[
            "+k = \"tok_0123456789abcdef\"; bad()",
            "+z = 1",
            " q(\"tok_fedcba9876543210\")",
            "+worse() # tok_0123456789abcdef",
        ],
    );
    for options in [
        ReviewOptions::default(),
        ReviewOptions {
            rules_off: vec!["token".to_owned()],
            ..ReviewOptions::default()
        },
    ] {
        let (outcomes, _) = review_with(&diff, options);
        assert!(!outcomes[0].findings.is_empty());
        let json = format!("{outcomes:?}");
        assert!(!json.contains("0123456789abcdef"), "{json}");
        assert!(!json.contains("fedcba"), "{json}");
        assert!(json.contains("tok_…"), "{json}");
        assert!(outcomes[0].findings.iter().all(|f| f.suggestion.is_none()));
    }
}

#[test]
fn inline_silences_count_from_the_base() {
    let (outcomes, summary) = review(&change(
        "x.py",
        &[
            " # cv:allow(bad)",
            "+bad()",
            "+",
            "+bad() # cv:allow(other, bad)",
            "+s = 'cv:allow(bad)'; bad()",
            "-old(bad) # cv:allow(worse)",
            "+worse() # cv:allow(worse)",
            "+x = 1",
            "+\"tok_0123456789\" # cv:allow(token)",
        ],
    ));
    assert_eq!(rules(&outcomes[0]), ["bad", "token"]);
    assert_eq!(outcomes[0].findings[0].line_range.0, 14);
    let silenced: Vec<_> = outcomes[0]
        .silenced
        .iter()
        .map(|s| s.finding.rule.as_str())
        .collect();
    assert_eq!(silenced, ["bad", "worse"]);
    assert_eq!(outcomes[0].silenced_by_change.len(), 1);
    assert_eq!((summary.silenced, summary.silenced_by_change), (2, 1));
}

#[test]
fn the_allow_file_counts_from_the_base_only() {
    let diff = file(
        ".convergio/review.toml",
        &["[[allow]]", "rule = \"bad\"", "reason = \"x\""],
    ) + &file("src/x.py", &["bad()"])
        + &file("lib/x.py", &["bad()"]);
    let by_change = review(&diff).1;
    assert_eq!((by_change.findings(), by_change.silenced_by_change), (0, 2));
    let options = |toml: &str| ReviewOptions {
        base_allow_toml: Some(toml.to_owned()),
        ..ReviewOptions::default()
    };
    let toml = "[[allow]]\nrule = \"bad\"\npath = \"src/**\"\nreason = \"known\"\n";
    let (outcomes, summary) = review_with(&diff, options(toml));
    assert_eq!((summary.silenced, summary.silenced_by_change), (1, 1));
    assert_eq!(
        outcomes[1].silenced[0].by,
        SilencedBy::AllowFile("known".to_owned())
    );
    assert_eq!(
        review_with(&diff, options("[rules]\nbad = \"off\"\n"))
            .1
            .findings(),
        0
    );
    let (_, summary) = review_with(&diff, options("[rules]\nbud = \"off\"\n"));
    assert_eq!(summary.unknown_rules, ["bud"]);
    assert!(Review::new(b"", options("[[allow]]\n")).is_err());
}

#[test]
fn a_recorded_fingerprint_silences() {
    let diff = file("x.py", &["bad()", "bad()"]);
    let print = review(&diff).0[0].findings[1].fingerprint.clone();
    let options = ReviewOptions {
        allowed_fingerprints: HashSet::from([print.clone()]),
        ..ReviewOptions::default()
    };
    let (outcomes, _) = review_with(&diff, options);
    assert_eq!(outcomes[0].findings.len(), 1);
    assert_ne!(outcomes[0].findings[0].fingerprint, print);
    assert_eq!(outcomes[0].silenced[0].by, SilencedBy::Recorded);
}

#[test]
fn too_many_are_held_back_and_counted() {
    let lines = vec!["bad()"; 50];
    let (outcomes, summary) = review(&file("x.py", &lines));
    assert_eq!(outcomes[0].findings.len(), 20);
    assert_eq!(
        outcomes[0].held_back,
        [HeldBack {
            rule: "bad".to_owned(),
            count: 30
        }]
    );
    assert_eq!(summary.held_back, 30);
    let (outcomes, _) = review(&file("x.py", &["worse()"; 50]));
    assert_eq!(outcomes[0].findings.len(), 50, "grave ones are shown");
}

#[test]
fn rules_can_be_chosen() {
    let diff = file("x.py", &["bad()", "worse()", "maybe"]);
    let options = |f: fn(&mut ReviewOptions)| {
        let mut options = ReviewOptions::default();
        f(&mut options);
        options
    };
    let found = |options| rules(&review_with(&diff, options).0[0]).join(" ");
    assert_eq!(found(options(|_| {})), "bad worse");
    assert_eq!(found(options(|o| o.strict = true)), "bad worse strict");
    assert_eq!(
        found(options(|o| o.rules_only = vec!["strict".to_owned()])),
        "strict"
    );
    assert_eq!(
        found(options(|o| o.rules_off = vec!["bad".to_owned()])),
        "worse half".replace(" half", "")
    );
    assert_eq!(
        found(options(|o| o.min_severity = Severity::Major)),
        "worse"
    );
    let wrong = options(|o| o.rules_off = vec!["nope".to_owned()]);
    assert!(matches!(
        Review::with_table(&TABLE, b"", wrong),
        Err(ReviewError::UnknownRule { .. })
    ));
}

#[test]
fn what_is_left_out_is_listed_and_not_searched() {
    let diff = file("Cargo.lock", &["bad()"])
        + &file("vendor/x.py", &["bad()"])
        + &file("dist/x.min.js", &["bad()"])
        + &change("gone.py", &["-bad()", " x"])
        + &file(
            "gen.go",
            &[
                "// Code generated by x. DO NOT EDIT.",
                "bad(); tok_0123456789",
            ],
        )
        + &change("mine.go", &["+// @generated", "+bad()"])
        + &file("src/x.py", &["bad()"]);
    let (outcomes, summary) = review(&diff);
    let reasons: Vec<_> = summary.coverage.left_out.iter().map(|l| l.reason).collect();
    assert_eq!(
        reasons,
        [
            LeftOut::LockFile,
            LeftOut::Vendored,
            LeftOut::Minified,
            LeftOut::DeleteOnly,
            LeftOut::Generated
        ]
    );
    assert_eq!(summary.coverage.files, 7);
    assert_eq!(summary.coverage.files_reviewed, 2);
    let found: Vec<_> = outcomes.iter().flat_map(|o| rules(o)).collect();
    assert_eq!(
        found,
        ["token", "bad", "bad"],
        "a marker that the change adds hides no secret"
    );
}

#[test]
fn rules_that_weigh_files_come_last() {
    let (outcomes, summary) = review(&(file("needs", &["a"]) + &file("x.py", &["bad()"])));
    let found: Vec<_> = outcomes.iter().flat_map(|o| rules(o)).collect();
    assert_eq!(found, ["bad", "across"]);
    assert_eq!(outcomes.last().unwrap().path, "needs");
    assert_eq!(summary.findings(), 2);
    assert_eq!(summary.coverage.files, 2);
    let (_, summary) = review(&(file("needs", &["a"]) + &file("lock", &["b"])));
    assert_eq!(summary.findings(), 0);
}

#[test]
fn threads_change_nothing() {
    let diff: String = (0..400)
        .map(|i| {
            let lines: Vec<String> = (0..60).map(|n| format!("x{n} = bad() + {i}")).collect();
            file(
                &format!("src/f{i}.py"),
                &lines.iter().map(String::as_str).collect::<Vec<_>>(),
            )
        })
        .collect();
    let (one, _) = review(&diff);
    let (four, summary) = review_with(
        &diff,
        ReviewOptions {
            threads: 4,
            ..ReviewOptions::default()
        },
    );
    assert_eq!(one, four);
    assert_eq!(summary.coverage.files_reviewed, 400);
}

#[test]
fn a_stopped_run_says_so() {
    let diff = file("x.py", &["bad()"]) + &file("y.py", &["bad()"]);
    let mut seen = 0;
    let review = Review::with_table(&TABLE, diff.as_bytes(), ReviewOptions::default()).unwrap();
    let summary = review.run(|_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!(seen, 1);
    assert!(summary.incomplete);
}

#[test]
fn what_is_no_diff_is_said() {
    assert!(review("hello\n").1.no_diff);
    assert!(!review("").1.no_diff);
    assert!(
        review("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n")
            .1
            .incomplete
    );
    let bytes = b"--- a/x.py\n+++ b/x.py\n@@ -0,0 +1 @@\n+caf\xe9 = bad()\n";
    let (outcomes, summary) = Review::with_table(&TABLE, bytes, ReviewOptions::default())
        .unwrap()
        .collect();
    assert!(summary.lossy);
    assert!(
        outcomes[0].findings[0].suggestion.is_none(),
        "a replaced byte can't be matched again"
    );
}

#[test]
fn forged_ranges_are_dropped() {
    let (outcomes, _) = review(&file("x.py", &["forged"]));
    assert_eq!(outcomes[0].findings.len(), 1);
    assert!(outcomes[0].findings[0].suggestion.is_none());
}
