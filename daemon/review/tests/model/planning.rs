//! What is read, in which chunks, and what is said about the rest.

use std::{collections::BTreeMap, sync::Arc};

use convergio_review::{
    LeftOut, ReviewOptions,
    diff::parse,
    model::{Limits, Plan, Unread},
    view::{FileView, LineKind},
};
use proptest::prelude::*;

use super::{MEAN, NOTHING, driven, many_files, planned, planned_with, settings};

fn bytes() -> Arc<dyn Fn(&str) -> u64 + Send + Sync> {
    Arc::new(|text: &str| text.len() as u64)
}

/// Every added line of every file that is not left out, by path and number, with how often it
/// stands in a diff.
fn wanted(diff: &str) -> BTreeMap<(String, u32), u32> {
    let mut wanted = BTreeMap::new();
    let diff = parse(diff);
    for file in &diff.files {
        let view = FileView::build(file);
        if view.left_out.is_some() {
            continue;
        }
        for line in view.hunks.iter().flat_map(|hunk| &hunk.lines) {
            if let (LineKind::Added, Some(number)) = (line.kind, line.new_line) {
                *wanted.entry((view.path.to_owned(), number)).or_insert(0) += 1;
            }
        }
    }
    wanted
}

fn accounted(plan: &Plan) -> BTreeMap<(String, u32), u32> {
    let mut accounted = BTreeMap::new();
    for piece in plan.chunks().iter().flat_map(|chunk| &chunk.pieces) {
        for number in piece.added_numbers() {
            *accounted
                .entry((piece.path.to_string(), number))
                .or_insert(0) += 1;
        }
    }
    for unplanned in plan.unplanned() {
        assert!(unplanned.sentence().contains(&unplanned.path));
        for number in &unplanned.numbers {
            *accounted
                .entry((unplanned.path.clone(), *number))
                .or_insert(0) += 1;
        }
    }
    accounted
}

#[test]
fn two_hundred_files_are_chunked_within_context_and_budget() {
    let diff = many_files(200);
    let mut settings = settings();
    settings.limits = Limits::new(16_000, bytes());
    let plan = planned(&diff, &settings);
    assert!(plan.chunks().len() > 3, "{}", plan.chunks().len());
    assert!(plan.unplanned().is_empty(), "{:?}", plan.unplanned());
    assert_eq!(accounted(&plan), wanted(&diff));
    let estimate = plan.estimate();
    let mut asked = 0;
    let mut input = 0;
    let (found, summary) = driven(plan, |_, prompt| {
        asked += 1;
        let tokens = (prompt.system.len() + prompt.user.len()) as u64;
        assert!(
            tokens + u64::from(prompt.max_output_tokens) <= 16_000,
            "{tokens}"
        );
        input += tokens;
        NOTHING.into()
    });
    assert!(found.is_empty());
    assert!(summary.complete, "{:?}", summary.unreviewed);
    assert_eq!(summary.chunks_reviewed, summary.chunks);
    assert_eq!(estimate.chunks, summary.chunks);
    // One pass over files, and one across them.
    assert_eq!(asked, summary.chunks + 1);
    assert!(input <= estimate.input_tokens_max);
    assert!(asked <= estimate.calls_max);
}

#[test]
fn product_code_goes_before_tests_and_what_rules_found_before_both() {
    let mut diff = many_files(6);
    diff += "diff --git a/tests/last.py b/tests/last.py\n--- a/tests/last.py\n+++ b/tests/last.py\n\
             @@ -1,1 +1,2 @@\n import os\n+os.chmod(path, 0o777)\n";
    diff += "diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n\
             @@ -1 +1,2 @@\n # Title\n+More.\n";
    diff += "diff --git a/web/app.py b/web/app.py\n--- a/web/app.py\n+++ b/web/app.py\n\
             @@ -1,1 +1,2 @@\n import os\n+os.chmod(path, 0o777)\n";
    let plan = planned(&diff, &settings());
    let order: Vec<&str> = plan.chunks()[0].pieces.iter().map(|p| &*p.path).collect();
    assert!(plan.grounding().iter().any(|g| g.path == "web/app.py"));
    assert_eq!(order[0], "web/app.py");
    assert_eq!(order.last(), Some(&"README.md"));
    let first_test = order.iter().position(|path| path.starts_with("tests/"));
    let last_source = order.iter().rposition(|path| path.starts_with("src/"));
    assert!(first_test > last_source, "{order:?}");
}

#[test]
fn limits_leave_the_rest_unread_and_say_so() {
    let diff = many_files(120);
    let mut settings = settings();
    settings.limits = Limits::new(12_000, bytes());
    settings.limits.chunks_max = 2;
    let plan = planned(&diff, &settings);
    assert_eq!(plan.chunks().len(), 2);
    assert_eq!(accounted(&plan), wanted(&diff));
    assert!(!plan.unplanned().is_empty());
    assert!(
        plan.unplanned()
            .iter()
            .all(|u| u.why == Unread::ChunkLimit { chunks_max: 2 })
    );
    let (_, summary) = driven(plan, |_, _| NOTHING.into());
    assert!(!summary.complete);
    assert!(
        summary.unreviewed[0].ends_with("not read by the model: the limit of 2 chunks is reached"),
        "{}",
        summary.unreviewed[0]
    );

    settings.limits = Limits::new(12_000, bytes());
    settings.limits.input_tokens_max = 40_000;
    let plan = planned(&diff, &settings);
    assert_eq!(accounted(&plan), wanted(&diff));
    assert!(plan.estimate().input_tokens_max <= 40_000);
    assert!(
        plan.unplanned()
            .iter()
            .all(|u| matches!(u.why, Unread::TokenLimit { .. }))
    );

    settings.limits = Limits::new(2_000, bytes());
    let plan = planned(&diff, &settings);
    assert!(plan.chunks().is_empty());
    assert_eq!(accounted(&plan), wanted(&diff));
    let (_, summary) = driven(plan, |_, _| panic!("nothing is asked"));
    assert!(!summary.complete && summary.chunks == 0);
    assert_eq!(
        summary.unreviewed.len(),
        101,
        "100 sentences at most, and how many more"
    );
}

#[test]
fn a_large_hunk_is_split_between_lines_and_numbered_through() {
    let mut diff = String::from(
        "diff --git a/src/big.rs b/src/big.rs\n--- a/src/big.rs\n+++ b/src/big.rs\n\
         @@ -1,1 +1,1502 @@\n fn start() {}\n+impl Big {\n",
    );
    for n in 3..=1_502 {
        let line = match n % 100 {
            3 => format!("    fn part_{n}(&self) -> u32 {{"),
            2 => "    }".to_owned(),
            _ => format!("        self.add({n});"),
        };
        diff += &format!("+{line}\n");
    }
    let mut settings = settings();
    settings.limits = Limits::new(24_000, bytes());
    let plan = planned(&diff, &settings);
    assert!(plan.chunks().len() > 2);
    assert_eq!(accounted(&plan), wanted(&diff));
    let mut last = 1;
    for piece in plan.chunks().iter().flat_map(|chunk| &chunk.pieces) {
        assert_eq!(
            piece.added_lines.0,
            last + 1,
            "no line twice, none left out"
        );
        last = piece.added_lines.1;
    }
    let mut continued = 0;
    driven(plan, |_, prompt| {
        if prompt.user.contains("@@ continued in: fn part_") {
            continued += 1;
        }
        NOTHING.into()
    });
    assert!(
        continued > 1,
        "later parts name the function that they lie in"
    );
}

#[test]
fn a_line_that_is_too_long_is_cut_and_said() {
    let long = "x".repeat(9_000);
    let diff = format!(
        "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n\
         @@ -1,1 +1,3 @@\n fn a() {{}}\n+const A: &str = \"{long}\";\n+const B: u32 = 1;\n"
    );
    let plan = planned(&diff, &settings());
    let (_, summary) = driven(plan, |_, prompt| {
        assert!(!prompt.user.contains(&"x".repeat(4_500)));
        NOTHING.into()
    });
    assert_eq!(
        summary.unreviewed,
        ["src/a.rs: of 1 long line the model read only the beginning"]
    );
    assert!(!summary.complete);
}

#[test]
fn what_is_left_out_by_rule_is_not_sent() {
    let diff = format!(
        "{MEAN}diff --git a/Cargo.lock b/Cargo.lock\n--- a/Cargo.lock\n+++ b/Cargo.lock\n\
         @@ -1 +1 @@\n-one\n+two\n\
         diff --git a/gone.rs b/gone.rs\ndeleted file mode 100644\n--- a/gone.rs\n+++ /dev/null\n\
         @@ -1 +0,0 @@\n-fn gone() {{}}\n\
         diff --git a/some.rs b/some.rs\n--- a/some.rs\n+++ b/some.rs\n\
         @@ -1,2 +1,1 @@\n fn stays() {{}}\n-fn leaves() {{}}\n@@ -10,1 +9,2 @@\n fn more() {{}}\n+fn comes() {{}}\n"
    );
    let plan = planned(&diff, &settings());
    let left_out: Vec<(&str, LeftOut)> = plan
        .left_out()
        .iter()
        .map(|file| (file.path.as_str(), file.reason))
        .collect();
    assert_eq!(
        left_out,
        [
            ("Cargo.lock", LeftOut::LockFile),
            ("gone.rs", LeftOut::DeleteOnly)
        ]
    );
    assert_eq!(plan.delete_only_hunks(), 1);
    driven(plan, |_, prompt| {
        assert!(!prompt.user.contains("Cargo.lock") && !prompt.user.contains("gone"));
        assert!(!prompt.user.contains("leaves"));
        assert!(prompt.user.contains("fn comes"));
        NOTHING.into()
    });
    let lock = "diff --git a/Cargo.lock b/Cargo.lock\n--- a/Cargo.lock\n+++ b/Cargo.lock\n\
                @@ -1 +1 @@\n-one\n+two\n";
    let (summary, plan) = planned_with(lock, &settings(), ReviewOptions::default());
    assert_eq!(summary.coverage.files, 1);
    assert!(plan.is_none(), "nothing to read is no failure");
}

#[test]
fn far_context_is_left_out_and_the_function_is_named() {
    let mut diff = String::from(
        "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,62 +1,63 @@\n def outer(x):\n",
    );
    for n in 0..60 {
        diff += &format!("     step_{n}(x)\n");
    }
    diff += "+    last(x)\n     done(x)\n";
    let plan = planned(&diff, &settings());
    driven(plan, |_, prompt| {
        assert!(
            prompt.user.contains("@@ in: def outer(x):"),
            "{}",
            prompt.user
        );
        assert!(prompt.user.contains("… 53 unchanged lines not shown here"));
        assert!(!prompt.user.contains("step_10("));
        assert!(prompt.user.contains("   62 +     last(x)"));
        NOTHING.into()
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_added_line_is_in_one_chunk_or_said_to_be_unread(
        files in prop::collection::vec(
            (0_usize..8, prop::collection::vec((1_u32..400, prop::collection::vec((0_u8..3, "[ -~é\u{1b}]{0,120}"), 1..60)), 1..4)),
            1..12,
        ),
        context in 3_000_u64..40_000,
        chunks_max in 1_u32..12,
        input_tokens_max in 5_000_u64..400_000,
        redact: bool,
    ) {
        const NAMES: [&str; 8] = ["src/a.rs", "b.py", "Cargo.lock", "tests/c.js", "d.md", "vendor/e.go", "f.toml", "g.sh"];
        let mut diff = String::new();
        for (name, hunks) in &files {
            let name = NAMES[*name];
            diff += &format!("diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n");
            for (start, lines) in hunks {
                let old = lines.iter().filter(|(kind, _)| *kind != 1).count();
                let new = lines.iter().filter(|(kind, _)| *kind != 2).count();
                diff += &format!("@@ -{start},{old} +{start},{new} @@ fn f()\n");
                for (kind, text) in lines {
                    diff += &format!("{}{text}\n", [' ', '+', '-'][usize::from(*kind)]);
                }
            }
        }
        let mut settings = settings();
        settings.redact = redact;
        settings.limits = Limits::new(context, bytes());
        settings.limits.chunks_max = chunks_max;
        settings.limits.input_tokens_max = input_tokens_max;
        let (_, plan) = planned_with(&diff, &settings, ReviewOptions::default());
        let (_, again) = planned_with(&diff, &settings, ReviewOptions::default());
        let Some(plan) = plan else {
            prop_assert!(wanted(&diff).is_empty());
            return Ok(());
        };
        prop_assert_eq!(accounted(&plan), wanted(&diff));
        prop_assert_eq!(format!("{:?}", plan.chunks()), format!("{:?}", again.unwrap().chunks()));
        prop_assert!(plan.chunks().len() <= chunks_max as usize);
        let estimate = plan.estimate();
        prop_assert!(estimate.input_tokens_max <= input_tokens_max, "{estimate:?}");
        driven(plan, |_, prompt| {
            let tokens = (prompt.system.len() + prompt.user.len()) as u64;
            assert!(tokens + u64::from(prompt.max_output_tokens) <= context);
            NOTHING.into()
        });
    }
}
