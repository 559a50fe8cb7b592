//! Annotations of a GitHub workflow. A path or title cannot start a command of its own.

use convergio_contract::{
    EventBody, RunEvent,
    finding::{Finding, FindingStatus, Severity},
};

use super::{Renderer, Report, words};
use crate::{
    error::Failure,
    output::{Answer, escape},
};

/// The format.
pub struct Github;

/// The text behind `::`.
fn data(text: &str) -> String {
    escape::lines(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A value between commas.
fn property(text: &str) -> String {
    data(&escape::line(text))
        .replace(':', "%3A")
        .replace(',', "%2C")
}

fn annotation(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Critical | Severity::Major => "error",
        Severity::Minor => "warning",
        Severity::Nit => "notice",
    };
    let mut place = format!(
        "file={},line={},endLine={}",
        property(&finding.path),
        finding.line_range.0,
        finding.line_range.1
    );
    // Columns are only valid within one line.
    if let Some((from, to)) = finding.columns
        && finding.line_range.0 == finding.line_range.1
    {
        place.push_str(&format!(",col={from},endColumn={to}"));
    }
    let title = format!("{}: {}", finding.severity.as_str(), finding.title);
    let message = format!(
        "{}\nWhen: {}\nRule: {}",
        finding.body, finding.trigger, finding.rule
    );
    format!(
        "::{level} {place},title={}::{}",
        property(&title),
        data(&message)
    )
}

impl Renderer for Github {
    fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        let EventBody::Finding(finding) = &event.body else {
            return Ok(());
        };
        if finding.status == FindingStatus::Resolved {
            return Ok(());
        }
        answer.line(&annotation(finding))?;
        answer.flush()
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        if let Some(summary) = &report.summary {
            for reason in &report.coverage.unreviewed {
                answer.line(&format!("::warning title=Not reviewed::{}", data(reason)))?;
            }
            if let Some(coverage) = words::coverage(&report.coverage) {
                answer.line(&coverage)?;
            }
            answer.line(&words::summary(summary, &report.coverage).join(" · "))?;
        }
        answer.flush()
    }
}
