//! One JSON event a line, as they arrive; exactly one terminal event, also after a failure.

use convergio_contract::RunEvent;
use serde::Serialize;
use serde_json::json;

use super::{Renderer, Report};
use crate::{
    error::{Failure, Kind},
    output::Answer,
};

/// The format.
#[derive(Default)]
pub struct Ndjson {
    ended: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    event: &'a RunEvent,
}

impl Renderer for Ndjson {
    fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        self.ended = event.body.is_terminal();
        answer.json(&Line { v: 1, event })?;
        answer.flush()
    }

    fn heartbeat(&mut self, at_ms: i64, answer: &mut Answer) -> Result<(), Failure> {
        answer.json(&json!({"v": 1, "type": "heartbeat", "at_ms": at_ms}))?;
        answer.flush()
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        answer.json(&json!({
            "v": 1,
            "type": "completed",
            "run_id": report.run_id,
            "summary": report.summary,
        }))?;
        answer.flush()
    }

    fn failed(
        &mut self,
        report: &Report,
        failure: &Failure,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let kind = if failure.kind == Kind::Interrupted {
            "cancelled"
        } else {
            "failed"
        };
        answer.json(&json!({
            "v": 1,
            "type": kind,
            "run_id": report.run_id,
            "error": failure.to_json(),
        }))?;
        answer.flush()
    }
}
