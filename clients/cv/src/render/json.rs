//! One JSON document at the end.

use convergio_contract::RunEvent;
use serde_json::json;

use super::{Renderer, Report};
use crate::{error::Failure, output::Answer};

/// The format.
pub struct Json;

/// The document of a review; of a failed one with what was found before.
pub fn document(report: &Report, failure: Option<&Failure>) -> serde_json::Value {
    let mut document = json!({
        "v": 1,
        "run_id": report.run_id,
        "findings": report.by_severity(),
        "resolved": report.resolved,
        "coverage": report.coverage,
        "summary": report.summary,
        "complete": failure.is_none() && report.is_complete(),
    });
    if let Some(failure) = failure {
        document["error"] = failure.to_json();
    }
    document
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
