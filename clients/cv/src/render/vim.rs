//! `file:line:col: text`, for an editor's error list.

use convergio_contract::{EventBody, RunEvent, finding::FindingStatus};

use super::{Renderer, Report};
use crate::{
    error::Failure,
    output::{Answer, escape},
};

/// The format.
pub struct Vim;

impl Renderer for Vim {
    fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        let EventBody::Finding(finding) = &event.body else {
            return Ok(());
        };
        if finding.status == FindingStatus::Resolved {
            return Ok(());
        }
        answer.line(&format!(
            "{}:{}:{}: {}: {} [{}]",
            escape::line(&finding.path),
            finding.line_range.0,
            finding.columns.map_or(1, |(from, _)| from),
            finding.severity.as_str(),
            escape::line(&finding.title),
            escape::line(&finding.rule),
        ))?;
        answer.flush()
    }

    fn end(&mut self, _: &Report, answer: &mut Answer) -> Result<(), Failure> {
        answer.flush()
    }
}
