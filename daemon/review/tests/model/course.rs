//! What of a scripted model's answers is shown, and what is said about the rest.

use std::collections::HashSet;

use convergio_review::{
    ReviewOptions, Severity,
    model::{Call, DropReason, Effect, Input, Limits, ModelReview, Part, Pass},
};
use proptest::prelude::*;
use serde_json::json;

use super::{
    Answer, Claim, MEAN, NOTHING, all_stand, claim, driven, many_files, once, planned,
    planned_with, reply, settings,
};

fn real() -> Claim<'static> {
    claim(
        "src/stats.rs",
        13,
        "let mean = sum / count;",
        "Division by zero for no samples",
    )
}

#[test]
fn what_stands_and_survives_is_shown_with_its_place() {
    let (found, summary) = once(planned(MEAN, &settings()), &reply(&[real()]));
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!(
        (
            finding.rule.as_str(),
            finding.path.as_str(),
            finding.line_range
        ),
        ("model", "src/stats.rs", (13, 13))
    );
    assert_eq!(finding.evidence, "        let mean = sum / count;");
    assert_eq!(finding.columns, Some((9, 32)));
    assert_eq!(finding.fingerprint.len(), 64);
    assert_eq!(summary.counts, [0, 0, 1, 0]);
    assert!(summary.complete && summary.unreviewed.is_empty());
    let (again, _) = once(planned(MEAN, &settings()), &reply(&[real()]));
    assert_eq!(again[0].fingerprint, finding.fingerprint);
}

#[test]
fn invented_anchors_are_never_shown() {
    for (claimed, why) in [
        (
            claim("src/other.rs", 13, "let mean = sum / count;", "A b"),
            DropReason::UnknownPath,
        ),
        (
            claim("src/stats.rs", 13, "let mean = total / n;", "A b"),
            DropReason::QuoteNotThere,
        ),
        (
            claim("src/stats.rs", 400, "let mean = sum / count;", "A b"),
            DropReason::QuoteNotThere,
        ),
        (
            claim("src/stats.rs", 13, "}", "A b"),
            DropReason::QuoteTooShort,
        ),
        (
            claim("src/stats.rs", 13, "", "A b"),
            DropReason::QuoteTooShort,
        ),
        (
            claim("src/stats.rs", 13, "ean = sum", "A b"),
            DropReason::QuoteNotThere,
        ),
        (
            claim(
                "src/stats.rs",
                12,
                "sum / self.samples.len().max(1) as u64",
                "A b",
            ),
            DropReason::QuoteNotThere,
        ),
        (
            claim("src/stats.rs", 11, "pub fn mean(&self) -> u64 {", "A b"),
            DropReason::NotInChange,
        ),
        (
            claim(
                "src/stats.rs",
                13,
                "let mean = sum / count;",
                "\u{1b}[2J\u{202e}",
            ),
            DropReason::Malformed,
        ),
    ] {
        let (found, summary) = once(planned(MEAN, &settings()), &reply(&[claimed]));
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(summary.dropped, [(why, 1)]);
        assert!(summary.complete, "a dropped finding leaves nothing unread");
    }
}

#[test]
fn a_quote_near_its_place_moves_the_finding_there() {
    for (line, quote) in [
        (16, "let mean = sum / count;"),
        (13, "   13 +         let mean = sum / count;"),
        (13, "+ let   mean = sum / count;"),
    ] {
        let claimed = claim("b/src/stats.rs", line, quote, "Division by zero");
        let (found, _) = once(planned(MEAN, &settings()), &reply(&[claimed]));
        assert_eq!(found[0].line_range, (13, 13), "{quote}");
    }
    let over_lines = Claim {
        lines: (12, 14),
        ..claim(
            "src/stats.rs",
            12,
            "let count = self.samples.len() as u64;\nlet mean = sum / count;",
            "Division by zero",
        )
    };
    let (found, _) = once(planned(MEAN, &settings()), &reply(&[over_lines]));
    assert_eq!(found[0].line_range, (12, 14));
    assert_eq!(found[0].evidence.lines().count(), 2);
}

#[test]
fn only_a_remedy_for_what_really_stands_there_is_kept() {
    let now = "        let mean = sum / count;";
    let new = "        let mean = sum / count.max(1);";
    let with = |original: &str, replacement: serde_json::Value, lines: (u32, u32)| {
        let suggestion = json!({
            "line_start": lines.0, "line_end": lines.1, "original": original, "replacement": replacement,
        });
        let claimed = Claim {
            suggestion,
            ..real()
        };
        let (found, _) = once(planned(MEAN, &settings()), &reply(&[claimed]));
        found[0].suggestion.clone()
    };
    let kept = with(now, json!(new), (13, 13)).expect("it is exact");
    assert_eq!(
        (kept.original.as_str(), kept.replacement.as_deref()),
        (now, Some(new))
    );
    assert!(with(&format!("{now}\r\n"), json!(new), (13, 13)).is_some());
    assert!(with(now, json!(null), (13, 13)).is_some_and(|s| s.replacement.is_none()));
    assert!(
        with(now.trim(), json!(new), (13, 13)).is_none(),
        "not exact"
    );
    assert!(with(now, json!(now), (13, 13)).is_none(), "no change");
    assert!(with(now, json!(new), (14, 14)).is_none(), "another line");
    assert!(
        with(now, json!("x\n".repeat(12)), (13, 13)).is_none(),
        "too long"
    );
    assert!(
        with(now, json!("let a = \"\u{202e}\";"), (13, 13)).is_none(),
        "hidden text"
    );
    assert!(
        with("    pub fn mean(&self) -> u64 {", json!("x"), (10, 10)).is_none(),
        "unchanged"
    );
}

#[test]
fn what_the_second_pass_refutes_or_forgets_falls() {
    let claims = || {
        reply(&[
            real(),
            claim(
                "src/stats.rs",
                14,
                "self.log(mean);",
                "Log call may block the caller",
            ),
        ])
    };
    let run = |verdicts: &'static str| {
        driven(planned(MEAN, &settings()), |call, _| match call.pass {
            Pass::Find => claims().into(),
            Pass::Argue => verdicts.into(),
        })
    };
    let (found, summary) = run(
        r#"{"verdicts":[{"n":1,"reason":"","stands":false},{"n":2,"reason":"","stands":true}]}"#,
    );
    assert_eq!(found.len(), 1);
    assert!(found[0].title.starts_with("Log"));
    assert_eq!(summary.dropped, [(DropReason::Refuted, 1)]);
    let (found, summary) = run(r#"{"verdicts":[{"n":2,"reason":"","stands":true}]}"#);
    assert_eq!(found.len(), 1);
    assert_eq!(summary.dropped, [(DropReason::NoVerdict, 1)]);
    assert!(summary.complete);
    let (found, summary) = run(
        r#"{"verdicts":[{"n":1,"reason":"","stands":true},{"n":1,"reason":"","stands":false},{"n":2,"reason":"","stands":false}]}"#,
    );
    assert!(found.is_empty());
    assert!(summary.complete);
    let (found, summary) = run("They all look right to me.");
    assert!(found.is_empty(), "nothing is shown without its second pass");
    assert!(!summary.complete);
    assert_eq!(
        summary.unreviewed,
        [
            "src/stats.rs: 2 findings not shown, the second pass failed: its answer could not be read"
        ]
    );
}

#[test]
fn a_reply_that_is_not_understood_is_no_review() {
    let (found, summary) = once(planned(MEAN, &settings()), "Looks good to me!");
    assert!(found.is_empty() && !summary.complete);
    assert_eq!((summary.chunks, summary.chunks_reviewed), (1, 0));
    assert_eq!(
        summary.unreviewed,
        ["src/stats.rs: not read by the model: its answer could not be read"]
    );
}

#[test]
fn of_a_cut_reply_what_is_complete_is_shown_and_the_cut_is_said() {
    let text = reply(&[
        real(),
        claim("src/stats.rs", 14, "self.log(mean);", "Log call may block"),
    ]);
    let cut = text[..text.len() - 20].to_owned();
    let (found, summary) = driven(planned(MEAN, &settings()), |call, _| match call.pass {
        Pass::Find => Answer::Cut(cut.clone()),
        Pass::Argue => all_stand().into(),
    });
    assert_eq!(found.len(), 1);
    assert!(!summary.complete);
    assert_eq!(summary.chunks_reviewed, 0);
    assert_eq!(
        summary.unreviewed,
        ["src/stats.rs: the model's answer was cut, there may be more findings"]
    );
}

#[test]
fn a_provider_that_dies_midway_leaves_what_was_found() {
    let mut settings = settings();
    settings.limits = Limits::new(12_000, settings.limits.count.clone());
    let plan = planned(&many_files(80), &settings);
    let chunks = plan.chunks().len();
    assert!(chunks > 2);
    let mut calls = 0;
    let (found, summary) = driven(plan, |call, _| {
        calls += 1;
        match (call.part, call.pass) {
            (Part::Chunk(0), Pass::Find) => reply(&[claim(
                "src/part0.rs",
                4,
                "let half = x / 0;",
                "Division by zero",
            )])
            .into(),
            (Part::Chunk(0), Pass::Argue) => all_stand().into(),
            _ => Answer::Dies("the connection was lost\u{1b}[2J"),
        }
    });
    assert_eq!((found.len(), calls), (1, 3));
    assert!(!summary.complete);
    assert_eq!(summary.chunks_reviewed, 1);
    assert_eq!(summary.unreviewed.len(), chunks - 1);
    assert!(
        summary
            .unreviewed
            .iter()
            .all(|s| s.ends_with("not read by the model: the connection was lost"))
    );
}

#[test]
fn one_failed_call_costs_its_chunk_alone() {
    let mut settings = settings();
    settings.limits = Limits::new(12_000, settings.limits.count.clone());
    let plan = planned(&many_files(80), &settings);
    let chunks = summary_chunks(&plan);
    let (_, summary) = driven(plan, |call, _| match call.part {
        Part::Chunk(1) => Answer::Fails("overloaded"),
        _ => NOTHING.into(),
    });
    assert_eq!(summary.chunks_reviewed + 1, chunks);
    assert_eq!(summary.unreviewed.len(), 1);
    assert!(!summary.complete);
}

fn summary_chunks(plan: &convergio_review::model::Plan) -> u32 {
    u32::try_from(plan.chunks().len()).unwrap()
}

#[test]
fn what_was_said_is_not_said_again() {
    let diff = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1,1 +1,3 @@\n import os\n\
                +os.chmod(path, 0o777)\n+total = total / count\n";
    let claims = reply(&[
        claim(
            "app.py",
            2,
            "os.chmod(path, 0o777)",
            "World-writable file mode",
        ),
        claim(
            "app.py",
            3,
            "total = total / count",
            "Division by zero for no rows",
        ),
        claim(
            "app.py",
            3,
            "total = total / count",
            "Division by zero when count is zero",
        ),
        claim(
            "app.py",
            2,
            "os.chmod(path, 0o777)",
            "Path is unchecked: follows symbolic links",
        ),
    ]);
    let plan = planned(diff, &settings());
    assert_eq!(plan.grounding().len(), 1, "{:?}", plan.grounding());
    let (found, summary) = once(plan, &claims);
    let mut titles: Vec<&str> = found.iter().map(|f| f.title.as_str()).collect();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            "Division by zero for no rows",
            "Path is unchecked: follows symbolic links"
        ]
    );
    assert_eq!(
        summary.dropped,
        [(DropReason::SaidByRule, 1), (DropReason::SaidBefore, 1)]
    );
}

#[test]
fn silences_and_the_wanted_severity_hold_for_models_too() {
    let (found, _) = once(planned(MEAN, &settings()), &reply(&[real()]));
    let recorded = ReviewOptions {
        allowed_fingerprints: HashSet::from([found[0].fingerprint.clone()]),
        ..ReviewOptions::default()
    };
    let by_file = ReviewOptions {
        base_allow_toml: Some(
            "[[allow]]\nrule = \"model\"\npath = \"src/\"\nreason = \"r\"\n".to_owned(),
        ),
        ..ReviewOptions::default()
    };
    for options in [recorded, by_file] {
        let (_, plan) = planned_with(MEAN, &settings(), options);
        let (found, summary) = once(plan.unwrap(), &reply(&[real()]));
        assert!(found.is_empty());
        assert_eq!(summary.silenced, 1);
    }
    let options = ReviewOptions {
        min_severity: Severity::Critical,
        ..ReviewOptions::default()
    };
    let (_, plan) = planned_with(MEAN, &settings(), options);
    let (found, summary) = once(plan.unwrap(), &reply(&[real()]));
    assert!(found.is_empty());
    assert_eq!(summary.below_severity, 1);
}

#[test]
fn a_fault_between_files_is_anchored_and_argued_like_any_other() {
    let mut settings = settings();
    settings.limits = Limits::new(12_000, settings.limits.count.clone());
    let across = reply(&[
        claim(
            "src/part2.rs",
            3,
            "pub fn part2(x: u64) -> u64 {",
            "Caller still passes u32",
        ),
        claim(
            "src/part2.rs",
            4,
            "let half = x / 2;",
            "Not among the declarations",
        ),
    ]);
    let (found, summary) = driven(planned(&many_files(80), &settings), |call, _| {
        match (call.part, call.pass) {
            (Part::Synthesis, Pass::Find) => across.clone().into(),
            (Part::Synthesis, Pass::Argue) => all_stand().into(),
            _ => NOTHING.into(),
        }
    });
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line_range, (3, 3));
    assert_eq!(summary.dropped, [(DropReason::QuoteNotThere, 1)]);
    assert!(summary.complete);
}

#[test]
fn answers_to_calls_that_are_not_open_change_nothing() {
    let mut review = ModelReview::new(planned(MEAN, &settings()));
    let call = Call {
        part: Part::Chunk(0),
        pass: Pass::Find,
    };
    let argue = Call {
        part: Part::Chunk(0),
        pass: Pass::Argue,
    };
    let answered = |call, text: &str| Input::Reply {
        call,
        text: text.to_owned(),
        cut: false,
    };
    assert!(review.step(answered(call, NOTHING)).is_empty(), "not begun");
    assert_eq!(review.prompt(call), None);
    assert_eq!(review.step(Input::Start), [Effect::Ask(call)]);
    assert!(review.step(Input::Start).is_empty());
    assert!(review.step(answered(argue, &all_stand())).is_empty());
    let other = Call {
        part: Part::Chunk(7),
        pass: Pass::Find,
    };
    assert!(review.step(answered(other, NOTHING)).is_empty());
    let asked = review.step(answered(call, &reply(&[real()])));
    assert_eq!(asked, [Effect::Ask(argue)]);
    assert!(
        review.step(answered(call, &reply(&[real()]))).is_empty(),
        "answered already"
    );
    let effects = review.step(answered(argue, &all_stand()));
    assert!(matches!(&effects[..], [Effect::Emit(_), Effect::Done(_)]));
    assert!(
        review
            .step(Input::Stop {
                why: "late".to_owned()
            })
            .is_empty()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_finding_survives_with_a_quote_that_does_not_stand_in_the_change(
        line in 0_u32..40,
        length in 0_u32..9,
        quote in prop_oneof![
            prop::sample::select(MEAN.lines().map(str::to_owned).collect::<Vec<String>>()),
            "[a-z/.= ]{0,24}",
            prop::sample::select(vec!["mean", "sum / count", "self", "let", "count;\nlet mean"]).prop_map(str::to_owned),
        ],
        title in ".{0,120}",
    ) {
        let claimed = Claim { lines: (line, line + length), ..claim("src/stats.rs", line, &quote, &title) };
        let (found, _) = once(planned(MEAN, &settings()), &reply(&[claimed]));
        for finding in found {
            prop_assert!(finding.title.chars().count() <= 80);
            prop_assert!(!finding.title.chars().any(char::is_control));
            let (first, last) = finding.line_range;
            prop_assert!(first <= last && first <= 15 && last >= 12, "{first}-{last}");
            for text in finding.evidence.lines() {
                prop_assert!(MEAN.lines().any(|l| l.get(1..) == Some(text)), "{text}");
            }
            let squashed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            let quoted = quote.lines().map(|l| squashed(l.trim_start_matches(['+', '-', ' ']))).find(|l| !l.is_empty());
            let evidence = squashed(&finding.evidence);
            prop_assert!(quoted.is_some_and(|q| evidence.contains(&q)), "{quote:?} in {evidence:?}");
        }
    }
}
