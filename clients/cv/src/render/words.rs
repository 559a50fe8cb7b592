//! The sentences that several formats share: summary, coverage, comparison.

use std::collections::BTreeMap;

use convergio_contract::finding::{Coverage, Finding, ModelLayer, ReviewSummary};

use crate::output::escape;

/// `1 file`, `2 files`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// Thousands apart: `1,234`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `14 ms`, `2.3 s`, `3 min 20 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// The parts of the line of numbers.
pub fn summary(summary: &ReviewSummary, coverage: &Coverage) -> Vec<String> {
    let findings = match summary.findings {
        0 if !coverage.unreviewed.is_empty() => "No findings in what was reviewed".to_owned(),
        0 => "No findings".to_owned(),
        n => count(n.into(), "finding", "findings"),
    };
    let mut parts = vec![
        findings,
        format!("{}/{} files", coverage.files_reviewed, coverage.files_total),
        duration(summary.duration_ms),
        escape::line(&summary.reviewer).into_owned(),
        format!(
            "{} left this machine",
            count(summary.bytes_sent, "byte", "bytes")
        ),
    ];
    if let Some(model) = &summary.model {
        parts.push(if model.local {
            "free".to_owned()
        } else {
            crate::ask::words::amount(model.amount_nano_usd, model.estimated)
        });
    }
    if !summary.saved {
        parts.push("not saved".to_owned());
    }
    parts
}

/// What a person should know of what a model did: what was masked, what it did not see.
pub fn model(model: &ModelLayer) -> Vec<String> {
    let mut sentences = Vec::new();
    if model.redactions > 0 {
        let secrets = count(model.redactions.into(), "secret", "secrets");
        sentences.push(match model.chunks_done {
            // It may have been sent nothing at all.
            0 => format!("{secrets} found in what the model was to read, and not sent"),
            _ => format!("{secrets} masked in what the model was sent"),
        });
    }
    if !model.complete {
        sentences.push(format!(
            "{} looked at {} of {}",
            escape::line(&model.name),
            model.chunks_done,
            count(model.chunks.into(), "part", "parts")
        ));
    }
    sentences
}

/// What became of a model's findings, for `-v`.
pub fn model_detail(model: &ModelLayer) -> String {
    let mut text = format!(
        "{}: {} of {}, {} proposed",
        escape::line(&model.name),
        model.chunks_done,
        count(model.chunks.into(), "part", "parts"),
        model.proposed
    );
    for (n, what) in [
        (model.unanchored, "quoted what does not stand there"),
        (model.rejected, "fell at the second look"),
        (model.duplicates, "were known already"),
    ] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    if let (Some(input), Some(output)) = (model.input_tokens, model.output_tokens) {
        text.push_str(&format!(
            " · {} tokens in, {} out",
            grouped(input),
            grouped(output)
        ));
    }
    text
}

/// Against the review before: `1 resolved, 1 remains`. None where there is nothing to tell.
pub fn comparison(summary: &ReviewSummary) -> Option<String> {
    if !summary.compared || summary.resolved == 0 {
        return None;
    }
    let remain = match summary.persisting {
        0 => "none remain".to_owned(),
        1 => "1 remains".to_owned(),
        n => format!("{} remain", grouped(n.into())),
    };
    let resolved = grouped(summary.resolved.into());
    Some(match summary.new {
        0 => format!("{resolved} resolved, {remain}"),
        new => format!("{resolved} resolved, {remain}, {} new", grouped(new.into())),
    })
}

/// What was not read, if anything: `41 of 44 files; 3 left out: lock files`.
pub fn coverage(coverage: &Coverage) -> Option<String> {
    if coverage.left_out.is_empty() && coverage.unreviewed.is_empty() {
        return None;
    }
    let mut text = format!(
        "{} of {}",
        coverage.files_reviewed,
        count(coverage.files_total.into(), "file", "files")
    );
    if !coverage.left_out.is_empty() {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for file in &coverage.left_out {
            *reasons.entry(&file.reason).or_default() += 1;
        }
        let single = reasons.len() == 1;
        let mut listed: Vec<(&str, u64)> = reasons.into_iter().collect();
        listed.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        let listed: Vec<String> = listed
            .into_iter()
            .map(|(reason, n)| {
                let named = plural(reason, n);
                if single {
                    named
                } else {
                    format!("{n} {named}")
                }
            })
            .collect();
        let more = coverage.left_out_more as usize;
        text.push_str(&format!(
            "; {} left out: {}",
            coverage.left_out.len() + more,
            listed.join(", ")
        ));
        if more > 0 {
            text.push_str(&format!(", {} not listed", grouped(more as u64)));
        }
    }
    if !coverage.unreviewed.is_empty() {
        // A file of which a model saw nothing was read by the rules all the same.
        let parts = count(coverage.unreviewed.len() as u64, "part", "parts");
        text.push_str(&format!("; {parts} not reviewed"));
    }
    Some(text)
}

fn plural(reason: &str, n: u64) -> String {
    let reason = escape::line(reason).into_owned();
    if n == 1 {
        return reason;
    }
    if let Some(stem) = reason.strip_suffix("binary") {
        return format!("{stem}binaries");
    }
    if reason.ends_with(" file") {
        return format!("{reason}s");
    }
    reason
}

/// What text does not list, a sentence each.
pub fn not_listed(summary: &ReviewSummary, by_text: u64) -> Vec<String> {
    let mut sentences = Vec::new();
    if by_text > 0 {
        sentences.push(format!(
            "{} held back · all: cv review --replay --max-findings 0",
            count(by_text, "minor or nit", "minor and nit")
        ));
    }
    if summary.held_back > 0 {
        sentences.push(format!(
            "{} of kinds listed above, beyond the number per file",
            count(summary.held_back.into(), "more", "more")
        ));
    }
    let by_change = summary.silenced.iter().filter(|s| s.by_this_change).count();
    if by_change > 0 {
        sentences.push(format!("silenced by this change: {by_change}"));
    }
    let before = summary.silenced.len() - by_change + summary.silenced_more as usize;
    if before > 0 {
        sentences.push(format!(
            "silenced before: {before} · which: -v, or cv allow --list"
        ));
    }
    sentences
}

/// `path:line`, harmless.
pub fn place(finding: &Finding) -> String {
    format!("{}:{}", escape::line(&finding.path), finding.line_range.0)
}

#[cfg(test)]
mod tests {
    use convergio_contract::finding::LeftOutFile;

    use super::*;

    #[test]
    fn coverage_names_what_was_left_out_and_why() {
        let left_out = |reasons: &[&str]| Coverage {
            files_total: 44,
            files_reviewed: 41,
            left_out: reasons
                .iter()
                .map(|reason| LeftOutFile {
                    path: "x".to_owned(),
                    reason: (*reason).to_owned(),
                })
                .collect(),
            ..Coverage::default()
        };
        let long = Coverage {
            left_out_more: 1_500,
            ..left_out(&["generated", "generated"])
        };
        assert!(
            coverage(&long)
                .unwrap()
                .ends_with("1502 left out: generated, 1,500 not listed"),
            "{:?}",
            coverage(&long)
        );
        assert_eq!(coverage(&left_out(&[])), None);
        assert_eq!(
            coverage(&left_out(&["lock file", "lock file", "lock file"])).as_deref(),
            Some("41 of 44 files; 3 left out: lock files")
        );
        assert_eq!(
            coverage(&left_out(&["generated", "binary", "binary"])).as_deref(),
            Some("41 of 44 files; 3 left out: 2 binaries, 1 generated")
        );
    }

    #[test]
    fn what_a_model_did_is_told() {
        let layer = ModelLayer {
            name: "mock/gpt".to_owned(),
            complete: true,
            chunks: 3,
            chunks_done: 3,
            proposed: 9,
            unanchored: 2,
            rejected: 1,
            redactions: 1,
            input_tokens: Some(1_200),
            output_tokens: Some(40),
            amount_nano_usd: 8_300_000,
            ..ModelLayer::default()
        };
        assert_eq!(
            model(&layer),
            ["1 secret masked in what the model was sent"]
        );
        let nothing = ModelLayer {
            chunks_done: 0,
            ..layer.clone()
        };
        assert_eq!(
            model(&nothing),
            ["1 secret found in what the model was to read, and not sent"]
        );
        assert_eq!(
            model_detail(&layer),
            "mock/gpt: 3 of 3 parts, 9 proposed, 2 quoted what does not stand there, \
             1 fell at the second look · 1,200 tokens in, 40 out"
        );
        let numbers = ReviewSummary {
            model: Some(layer),
            saved: true,
            ..ReviewSummary::default()
        };
        let parts = summary(&numbers, &Coverage::default());
        assert_eq!(parts.last().map(String::as_str), Some("$0.0083"));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(duration(14), "14 ms");
        assert_eq!(duration(2_345), "2.3 s");
        assert_eq!(duration(200_000), "3 min 20 s");
    }
}
