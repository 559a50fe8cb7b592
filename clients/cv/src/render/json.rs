//! One JSON document at the end.

use convergio_contract::{
    RunEvent, Uuid,
    finding::{Coverage, Finding, ReviewSummary},
};
use serde::Serialize;

use super::{Renderer, Report};
use crate::{error::Failure, output::Answer};

/// The format.
pub struct Json;

/// The document of a review; of a failed one with what was found before.
#[derive(Serialize)]
struct Document<'a> {
    v: u8,
    run_id: Option<Uuid>,
    findings: Vec<&'a Finding>,
    resolved: &'a [Finding],
    coverage: &'a Coverage,
    summary: Option<&'a ReviewSummary>,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<serde_json::Value>,
}

fn document<'a>(report: &'a Report, failure: Option<&Failure>) -> Document<'a> {
    Document {
        v: 1,
        run_id: report.run_id,
        findings: report.by_severity(),
        resolved: &report.resolved,
        coverage: &report.coverage,
        summary: report.summary.as_ref(),
        complete: failure.is_none() && report.is_complete(),
        error: failure
            .map(Failure::to_json)
            .or_else(|| report.shortfall().as_ref().map(Failure::to_json)),
    }
}

impl Renderer for Json {
    fn event(&mut self, _: &RunEvent, _: &mut Answer) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        answer.json(&document(report, None))?;
        answer.flush()
    }

    fn failed(
        &mut self,
        report: &Report,
        failure: &Failure,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        answer.json(&document(report, Some(failure)))?;
        answer.flush()
    }
}
