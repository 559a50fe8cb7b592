//! What is known of a review so far, put together from its events.

use convergio_contract::{
    EventBody, RpcError, RunEvent, Uuid,
    finding::{Coverage, Finding, FindingStatus, ModelLayer, ReviewSummary, Severity},
    review::ReviewLatestResponse,
};

use crate::{error::Failure, exit::Exit};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// Well.
    Completed,
    /// Badly.
    Failed(RpcError),
    /// By somebody.
    Cancelled(String),
}

/// A review's findings, coverage and numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The run, once known.
    pub run_id: Option<Uuid>,
    /// Findings that stand, in order of discovery.
    pub findings: Vec<Finding>,
    /// Findings of the earlier review that are gone.
    pub resolved: Vec<Finding>,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// The numbers, once it completed.
    pub summary: Option<ReviewSummary>,
    /// How it ended, once it did.
    pub end: Option<End>,
    /// Events that are no longer kept, first and last number each.
    pub gaps: Vec<(u64, u64)>,
}

impl Report {
    /// Whether the review is complete and there was not one file in what it was given.
    pub fn found_nothing_to_read(&self) -> bool {
        self.summary.is_some()
            && self.coverage.files_total == 0
            && self.coverage.unreviewed.is_empty()
            && self.findings.is_empty()
            && self.resolved.is_empty()
    }

    /// Takes an event in.
    pub fn take(&mut self, event: &RunEvent) {
        self.run_id = Some(event.run_id);
        match &event.body {
            EventBody::Started { .. }
            | EventBody::Plan(_)
            | EventBody::Delta { .. }
            | EventBody::Reasoning { .. }
            | EventBody::Message { .. }
            | EventBody::Usage(_)
            | EventBody::BudgetWarning(_)
            | EventBody::Downgraded { .. } => {}
            EventBody::Gap { from_seq, to_seq } => self.gaps.push((*from_seq, *to_seq)),
            EventBody::Finding(finding) if finding.status == FindingStatus::Resolved => {
                self.resolved.push((**finding).clone());
            }
            EventBody::Finding(finding) => self.findings.push((**finding).clone()),
            EventBody::Coverage(coverage) => self.coverage = coverage.clone(),
            EventBody::Completed { summary, .. } => {
                self.summary = summary.clone();
                self.end = Some(End::Completed);
            }
            EventBody::Failed { error } => self.end = Some(End::Failed(error.clone())),
            EventBody::Cancelled { reason } => self.end = Some(End::Cancelled(reason.clone())),
        }
    }

    /// The run completed and everything that should have been read was.
    pub fn is_complete(&self) -> bool {
        self.end == Some(End::Completed)
            && self.coverage.unreviewed.is_empty()
            && self.gaps.is_empty()
            && self.model().is_none_or(|model| model.complete)
    }

    /// What a model did, where one looked.
    pub fn model(&self) -> Option<&ModelLayer> {
        self.summary.as_ref()?.model.as_ref()
    }

    /// Why a model did not look at everything, where something went wrong with it. What was found
    /// stays.
    pub fn shortfall(&self) -> Option<Failure> {
        let model = self.model().filter(|model| !model.complete)?;
        model.error.clone().map(Failure::from)
    }

    /// The findings that stand, worst first, in order of discovery among equals.
    pub fn by_severity(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.findings.iter().collect();
        sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        sorted
    }

    /// How the process ends after a completed review.
    pub fn exit(&self, fail_on: Option<Severity>) -> Exit {
        let mut exit = Exit::Ok;
        if fail_on.is_some_and(|limit| self.findings.iter().any(|f| f.severity >= limit)) {
            exit = exit.or(Exit::Findings);
        }
        if !self.is_complete() && self.end == Some(End::Completed) {
            exit = exit.or(Exit::Incomplete);
        }
        exit
    }

    /// The events that led to a result that the daemon kept.
    pub fn events(latest: ReviewLatestResponse) -> Vec<RunEvent> {
        let run_id = latest.run.run_id;
        let at_ms = latest.run.ended_ms.unwrap_or(latest.run.started_ms);
        let started = EventBody::Started {
            kind: latest.run.kind,
            selection: latest.run.selection,
        };
        let findings = latest
            .findings
            .into_iter()
            .map(|finding| EventBody::Finding(Box::new(finding)));
        let rest = [
            EventBody::Coverage(latest.coverage),
            EventBody::Completed {
                summary: Some(latest.summary),
                answer: None,
            },
        ];
        std::iter::once(started)
            .chain(findings)
            .chain(rest)
            .map(|body| RunEvent {
                run_id,
                seq: None,
                at_ms,
                body,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    #[test]
    fn a_model_that_broke_off_leaves_the_findings_and_says_why() {
        let mut report = samples::report();
        let error = RpcError::new(convergio_contract::ErrorCode::ProviderError, "It went away");
        if let Some(summary) = &mut report.summary {
            summary.model = Some(ModelLayer {
                name: "mock/gpt".to_owned(),
                chunks: 3,
                chunks_done: 1,
                error: Some(error),
                ..ModelLayer::default()
            });
        }
        assert!(!report.is_complete());
        assert!(!report.findings.is_empty());
        let shortfall = report.shortfall().expect("a reason");
        assert_eq!(shortfall.exit(), Exit::Provider);
        assert_eq!(report.exit(None), Exit::Incomplete);
        if let Some(model) = report.summary.as_mut().and_then(|s| s.model.as_mut()) {
            model.complete = true;
        }
        assert!(report.is_complete() && report.shortfall().is_none());
    }

    #[test]
    fn incomplete_beats_findings_and_findings_below_the_threshold_are_fine() {
        let mut report = samples::report();
        assert_eq!(report.exit(None), Exit::Ok);
        assert_eq!(report.exit(Some(Severity::Critical)), Exit::Findings);
        report.findings.retain(|f| f.severity < Severity::Critical);
        assert_eq!(report.exit(Some(Severity::Critical)), Exit::Ok);
        assert_eq!(report.exit(Some(Severity::Major)), Exit::Findings);
        report
            .coverage
            .unreviewed
            .push("pay/big.py: time ran out".to_owned());
        assert_eq!(report.exit(Some(Severity::Major)), Exit::Incomplete);
        assert!(!report.is_complete());

        let mut report = samples::report();
        report.gaps.push((2, 3));
        assert_eq!(report.exit(None), Exit::Incomplete);
    }
}
