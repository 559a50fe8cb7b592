//! reviewdog's diagnostic format. Its columns count bytes of UTF-8, ours count characters.

use convergio_contract::{
    RunEvent,
    finding::{Finding, Severity, Suggestion},
};
use serde_json::{Value, json};

use super::{Renderer, Report};
use crate::{error::Failure, output::Answer};

/// The format, as one document or as one diagnostic a line.
pub struct Rdjson {
    /// One diagnostic a line.
    pub lines: bool,
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Major => "ERROR",
        Severity::Minor => "WARNING",
        Severity::Nit => "INFO",
    }
}

/// A 1-based character column of a line as a 1-based byte column.
fn byte_column(line: &str, column: u32) -> usize {
    let before = (column as usize).saturating_sub(1);
    let bytes: usize = line.chars().take(before).map(char::len_utf8).sum();
    let beyond = before.saturating_sub(line.chars().count());
    1 + bytes + beyond
}

fn range(finding: &Finding) -> Value {
    let (first, last) = finding.line_range;
    match finding.columns {
        Some((from, to)) => {
            let line = finding.evidence.lines().next().unwrap_or("");
            json!({
                "start": {"line": first, "column": byte_column(line, from)},
                "end": {"line": first, "column": byte_column(line, to)},
            })
        }
        None => json!({"start": {"line": first}, "end": {"line": last}}),
    }
}

fn suggestion(suggestion: &Suggestion) -> Value {
    let (first, last) = suggestion.line_range;
    match &suggestion.replacement {
        Some(text) => json!({
            "range": {"start": {"line": first}, "end": {"line": last}},
            "text": text,
        }),
        None => json!({
            "range": {
                "start": {"line": first, "column": 1},
                "end": {"line": last.saturating_add(1), "column": 1},
            },
            "text": "",
        }),
    }
}

fn diagnostic(finding: &Finding) -> Value {
    let mut diagnostic = json!({
        "message": format!("{}\n{}\nWhen: {}", finding.title, finding.body, finding.trigger),
        "location": {"path": finding.path, "range": range(finding)},
        "severity": severity(finding.severity),
        "source": {"name": "convergio"},
        "code": {"value": finding.rule},
    });
    if let Some(remedy) = &finding.suggestion {
        diagnostic["suggestions"] = json!([suggestion(remedy)]);
    }
    diagnostic
}

impl Renderer for Rdjson {
    fn event(&mut self, _: &RunEvent, _: &mut Answer) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        let diagnostics: Vec<Value> = report.by_severity().into_iter().map(diagnostic).collect();
        if self.lines {
            for diagnostic in &diagnostics {
                answer.json(diagnostic)?;
            }
        } else {
            answer.json(&json!({
                "source": {"name": "convergio"},
                "diagnostics": diagnostics,
            }))?;
        }
        answer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_bytes() {
        assert_eq!(byte_column("è = 漢字x", 1), 1);
        assert_eq!(byte_column("è = 漢字x", 2), 3);
        assert_eq!(byte_column("è = 漢字x", 7), 12);
        assert_eq!(byte_column("ab", 5), 5);
    }
}
