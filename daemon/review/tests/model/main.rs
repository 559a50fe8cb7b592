//! The reviewer's second layer with scripted answers: what is asked, what of an answer stands,
//! and what is said about what was not read.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail their test"
)]

mod course;
mod hostile;
mod planning;
mod prompts;
mod replies;

use std::{ops::ControlFlow, sync::Arc};

use convergio_review::{
    Finding, Review, ReviewOptions, ReviewSummary,
    model::{
        Boundary, Call, Effect, Input, Limits, ModelReview, ModelSummary, Part, Pass, Plan,
        PlanSettings, Prompt,
    },
};

/// A mark as a run draws one.
pub(crate) const NONCE: &str = "5ca1ab1e0ddba11c";

pub(crate) fn settings() -> PlanSettings {
    PlanSettings {
        boundary: Boundary::new(NONCE).unwrap(),
        // Bytes: a ceiling for every tokenizer.
        limits: Limits::new(128_000, Arc::new(|text: &str| text.len() as u64)),
        redact: true,
        focus: None,
        commit_text: None,
    }
}

pub(crate) fn planned_with(
    diff: &str,
    settings: &PlanSettings,
    options: ReviewOptions,
) -> (ReviewSummary, Option<Plan>) {
    let review = Review::new(diff.as_bytes(), options).unwrap();
    review.run_planned(settings, |_| ControlFlow::Continue(()))
}

pub(crate) fn planned(diff: &str, settings: &PlanSettings) -> Plan {
    let (_, plan) = planned_with(diff, settings, ReviewOptions::default());
    plan.expect("there is something to read")
}

/// What a scripted model does with a call.
pub(crate) enum Answer {
    Says(String),
    Cut(String),
    Fails(&'static str),
    Dies(&'static str),
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Says(text.to_owned())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Says(text)
    }
}

/// Drives a review to its end, one call after the other, second passes first.
pub(crate) fn driven(
    plan: Plan,
    mut answer: impl FnMut(Call, &Prompt) -> Answer,
) -> (Vec<Finding>, ModelSummary) {
    let mut review = ModelReview::new(plan);
    let mut shown = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    let mut next = vec![Input::Start];
    loop {
        let input = match next.pop() {
            Some(input) => input,
            None => {
                let urgent = calls.iter().position(|call| call.pass == Pass::Argue);
                assert!(!calls.is_empty(), "the review waits for nothing");
                let call = calls.remove(urgent.unwrap_or(0));
                let prompt = review.prompt(call).expect("an open call has words");
                match answer(call, &prompt) {
                    Answer::Says(text) => Input::Reply {
                        call,
                        text,
                        cut: false,
                    },
                    Answer::Cut(text) => Input::Reply {
                        call,
                        text,
                        cut: true,
                    },
                    Answer::Fails(why) => Input::Failed {
                        call,
                        why: why.to_owned(),
                    },
                    Answer::Dies(why) => Input::Stop {
                        why: why.to_owned(),
                    },
                }
            }
        };
        for effect in review.step(input) {
            match effect {
                Effect::Ask(call) => calls.push(call),
                Effect::Emit(findings) => shown.extend(findings),
                Effect::Done(summary) => {
                    assert!(review.is_done());
                    assert!(review.step(Input::Start).is_empty());
                    return (shown, *summary);
                }
            }
        }
    }
}

/// A finding in a reply.
pub(crate) struct Claim<'a> {
    pub(crate) path: &'a str,
    pub(crate) lines: (u32, u32),
    pub(crate) quote: &'a str,
    pub(crate) title: &'a str,
    pub(crate) suggestion: serde_json::Value,
}

pub(crate) fn claim<'a>(path: &'a str, line: u32, quote: &'a str, title: &'a str) -> Claim<'a> {
    Claim {
        path,
        lines: (line, line),
        quote,
        title,
        suggestion: serde_json::Value::Null,
    }
}

pub(crate) fn reply(claims: &[Claim<'_>]) -> String {
    let findings: Vec<serde_json::Value> = claims
        .iter()
        .map(|claim| {
            serde_json::json!({
                "path": claim.path,
                "line_start": claim.lines.0,
                "line_end": claim.lines.1,
                "quote": claim.quote,
                "severity": "major",
                "confidence": 0.9,
                "title": claim.title,
                "body": "It is one.",
                "trigger": "An empty list.",
                "suggestion": claim.suggestion,
            })
        })
        .collect();
    serde_json::json!({ "findings": findings }).to_string()
}

/// Every finding stands, as far as anybody counts.
pub(crate) fn all_stand() -> String {
    let verdicts: Vec<serde_json::Value> = (1..=40)
        .map(|n| serde_json::json!({ "n": n, "reason": "it holds", "stands": true }))
        .collect();
    serde_json::json!({ "verdicts": verdicts }).to_string()
}

pub(crate) const NOTHING: &str = r#"{"findings":[]}"#;

/// Answers the first pass of chunk 0 with `text`; everything stands; nothing else is found.
pub(crate) fn once(plan: Plan, text: &str) -> (Vec<Finding>, ModelSummary) {
    driven(plan, |call, _| match (call.part, call.pass) {
        (_, Pass::Argue) => all_stand().into(),
        (Part::Chunk(0), Pass::Find) => text.into(),
        _ => NOTHING.into(),
    })
}

/// A small change with a fault that no rule knows.
pub(crate) const MEAN: &str = "\
diff --git a/src/stats.rs b/src/stats.rs
--- a/src/stats.rs
+++ b/src/stats.rs
@@ -9,7 +9,10 @@ impl Stats {
     /// The mean of all samples.
     pub fn mean(&self) -> u64 {
         let sum: u64 = self.samples.iter().sum();
-        sum / self.samples.len().max(1) as u64
+        let count = self.samples.len() as u64;
+        let mean = sum / count;
+        self.log(mean);
+        mean
     }
 
     pub fn clear(&mut self) {
";

/// `count` files of one small hunk each; half of them tests.
pub(crate) fn many_files(count: u32) -> String {
    let mut diff = String::new();
    for n in 0..count {
        let folder = if n % 2 == 0 { "src" } else { "tests" };
        diff += &format!(
            "diff --git a/{folder}/part{n}.rs b/{folder}/part{n}.rs\n\
             --- a/{folder}/part{n}.rs\n+++ b/{folder}/part{n}.rs\n\
             @@ -1,4 +1,6 @@ mod part{n}\n fn before{n}() {{}}\n \n\
             -pub fn part{n}(x: u32) -> u32 {{\n+pub fn part{n}(x: u64) -> u64 {{\n\
             +    let half = x / {n};\n+    half + {n}\n }}\n"
        );
    }
    diff
}
