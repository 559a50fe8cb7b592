//! SARIF 2.1.0. Paths are relative; no folder of this machine travels with the file.

use std::collections::BTreeMap;

use convergio_contract::{
    RunEvent,
    finding::{Finding, FindingStatus, Severity, Suggestion},
};
use serde_json::{Value, json};

use super::{Renderer, Report};
use crate::{error::Failure, output::Answer};

/// The format.
pub struct Sarif;

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Major => "error",
        Severity::Minor => "warning",
        Severity::Nit => "note",
    }
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn artifact(path: &str) -> Value {
    json!({"uri": uri(path), "uriBaseId": "%SRCROOT%"})
}

fn region(finding: &Finding) -> Value {
    let (first, last) = finding.line_range;
    match finding.columns {
        Some((from, to)) => json!({
            "startLine": first, "endLine": first, "startColumn": from, "endColumn": to,
        }),
        None => json!({"startLine": first, "endLine": last}),
    }
}

fn fix(path: &str, suggestion: &Suggestion) -> Value {
    let (first, last) = suggestion.line_range;
    let mut inserted = suggestion.replacement.clone().unwrap_or_default();
    if suggestion.replacement.is_some() {
        inserted.push('\n');
    }
    json!({
        "description": {"text": "Replace the lines"},
        "artifactChanges": [{
            "artifactLocation": artifact(path),
            "replacements": [{
                "deletedRegion": {
                    "startLine": first, "startColumn": 1,
                    "endLine": last.saturating_add(1), "endColumn": 1,
                },
                "insertedContent": {"text": inserted},
            }],
        }],
    })
}

fn result(finding: &Finding, rule_index: usize, compared: bool) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": {
            "text": format!("{}. {} When: {}", finding.title, finding.body, finding.trigger),
        },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": artifact(&finding.path),
                "region": region(finding),
            },
        }],
        "partialFingerprints": {"convergio/v1": finding.fingerprint},
        "properties": {
            "severity": finding.severity.as_str(),
            "confidence": (f64::from(finding.confidence) * 100.0).round() / 100.0,
        },
    });
    if let Some(suggestion) = &finding.suggestion {
        result["fixes"] = json!([fix(&finding.path, suggestion)]);
    }
    if compared {
        result["baselineState"] = match finding.status {
            FindingStatus::New => "new",
            FindingStatus::Persisting => "unchanged",
            FindingStatus::Resolved => "absent",
        }
        .into();
    }
    result
}

/// The log of a completed review.
pub fn log(report: &Report) -> Value {
    let findings = report.by_severity();
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in &findings {
        rules.entry(&finding.rule).or_insert(finding);
    }
    let compared = report
        .summary
        .as_ref()
        .is_some_and(|summary| summary.compared);
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let index = rules.keys().position(|rule| *rule == finding.rule);
            result(finding, index.unwrap_or(0), compared)
        })
        .collect();
    let descriptors: Vec<Value> = rules
        .iter()
        .map(|(id, finding)| {
            json!({
                "id": id,
                "shortDescription": {"text": finding.title},
                "fullDescription": {"text": finding.body},
                "help": {"text": finding.body},
                "defaultConfiguration": {"level": level(finding.severity)},
            })
        })
        .collect();
    let unreviewed = report.coverage.unreviewed.iter().map(
        |reason| json!({"level": "error", "message": {"text": format!("Not reviewed: {reason}")}}),
    );
    let left_out = report.coverage.left_out.iter().map(|file| {
        json!({
            "level": "note",
            "message": {"text": format!("Left out: {} ({})", file.path, file.reason)},
            "locations": [{"physicalLocation": {"artifactLocation": artifact(&file.path)}}],
        })
    });
    let notifications: Vec<Value> = unreviewed.chain(left_out).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "convergio",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": descriptors,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.is_complete(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    })
}

impl Renderer for Sarif {
    fn event(&mut self, _: &RunEvent, _: &mut Answer) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        answer.json(&log(report))?;
        answer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("a b/è#?.rs"), "a%20b/%C3%A8%23%3F.rs");
    }
}
