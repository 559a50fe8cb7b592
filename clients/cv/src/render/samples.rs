//! Reviews to render in tests.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use convergio_contract::{
    EventBody, RunEvent, Uuid,
    finding::{
        Coverage, Finding, FindingStatus, LeftOutFile, ReviewSummary, Severity, SilencedFinding,
        Suggestion,
    },
};

use super::{Detail, Report, ReviewFormat, renderer};
use crate::{
    error::Failure,
    output::{Answer, layout::Layout},
};

/// A stream that a test reads.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    pub(crate) fn answer(&self, layout: Layout) -> Answer {
        Answer::new(Box::new(self.clone()), layout, false)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("unpoisoned").clone()).expect("UTF-8")
    }
}

pub(crate) fn tls() -> Finding {
    Finding {
        n: 1,
        rule: "tls-verify-off".to_owned(),
        title: "TLS verification turned off".to_owned(),
        body: "Anybody on the way can read and change the order. Leave verification on.".to_owned(),
        severity: Severity::Critical,
        confidence: 0.95,
        path: "pay/client.py".to_owned(),
        line_range: (5, 5),
        columns: Some((46, 58)),
        evidence: "        return session.post(URL, json=order, verify=False)".to_owned(),
        trigger: "A proxy on the guest network answers in the shop's name.".to_owned(),
        suggestion: Some(Suggestion {
            line_range: (5, 5),
            original: "        return session.post(URL, json=order, verify=False)".to_owned(),
            replacement: Some("        return session.post(URL, json=order)".to_owned()),
        }),
        fingerprint: "a".repeat(64),
        status: FindingStatus::New,
    }
}

pub(crate) fn swallowed() -> Finding {
    Finding {
        n: 2,
        rule: "swallowed-error".to_owned(),
        title: "Every error is swallowed".to_owned(),
        body: "The caller cannot tell failure from success.".to_owned(),
        severity: Severity::Major,
        confidence: 0.9,
        path: "pay/client.py".to_owned(),
        line_range: (6, 7),
        columns: None,
        evidence: "    except Exception:\n        pass".to_owned(),
        trigger: "The payment fails and the order is shipped.".to_owned(),
        suggestion: None,
        fingerprint: "b".repeat(64),
        status: FindingStatus::New,
    }
}

/// A finding that tries to drive the terminal and to break out of every format.
pub(crate) fn hostile() -> Finding {
    Finding {
        n: 3,
        rule: "bidi".to_owned(),
        title: "Text \u{1b}[2Jruns\u{202e} backwards | <b>".to_owned(),
        body: "one\n::error::two\u{9b}31m @all #1 `x`".to_owned(),
        severity: Severity::Nit,
        confidence: 0.5,
        path: "a b/\u{1b}]0;x\u{7}evil\n::warning::,file.py".to_owned(),
        line_range: (9, 9),
        columns: Some((3, 6)),
        evidence: "\tx\u{202e}\u{1b}yz``` = 1".to_owned(),
        trigger: "a\tb".to_owned(),
        suggestion: None,
        fingerprint: "c".repeat(64),
        status: FindingStatus::New,
    }
}

pub(crate) fn coverage() -> Coverage {
    Coverage {
        files_total: 3,
        files_reviewed: 3,
        left_out: Vec::new(),
        left_out_more: 0,
        unreviewed: Vec::new(),
        lines_reviewed: 12,
    }
}

pub(crate) fn summary(findings: &[Finding]) -> ReviewSummary {
    let of = |severity| findings.iter().filter(|f| f.severity == severity).count() as u32;
    ReviewSummary {
        findings: findings.len() as u32,
        critical: of(Severity::Critical),
        major: of(Severity::Major),
        minor: of(Severity::Minor),
        nit: of(Severity::Nit),
        new: findings.len() as u32,
        duration_ms: 14,
        reviewer: "rules only".to_owned(),
        saved: true,
        ..ReviewSummary::default()
    }
}

pub(crate) fn events(
    findings: &[Finding],
    coverage: Coverage,
    summary: ReviewSummary,
) -> Vec<RunEvent> {
    let started = EventBody::Started {
        kind: "review".to_owned(),
        selection: "worktree".to_owned(),
    };
    std::iter::once(started)
        .chain(
            findings
                .iter()
                .cloned()
                .map(|f| EventBody::Finding(Box::new(f))),
        )
        .chain([
            EventBody::Coverage(coverage),
            EventBody::Completed {
                summary: Some(summary),
                answer: None,
            },
        ])
        .enumerate()
        .map(|(i, body)| RunEvent {
            run_id: Uuid::nil(),
            seq: Some(i as u64 + 1),
            at_ms: 1_000,
            body,
        })
        .collect()
}

/// The golden session's review.
pub(crate) fn golden() -> Vec<RunEvent> {
    let findings = [tls(), swallowed()];
    events(&findings, coverage(), summary(&findings))
}

/// A review with everything in it.
pub(crate) fn full() -> Vec<RunEvent> {
    let mut gone = swallowed();
    gone.n = 0;
    gone.status = FindingStatus::Resolved;
    let standing = [hostile(), tls()];
    let mut numbers = summary(&standing);
    numbers.compared = true;
    numbers.resolved = 1;
    numbers.new = 1;
    numbers.persisting = 1;
    numbers.held_back = 2;
    numbers.saved = false;
    numbers.silenced = vec![SilencedFinding {
        rule: "debug".to_owned(),
        path: "x.py".to_owned(),
        line: 3,
        by_this_change: true,
    }];
    let covered = Coverage {
        files_total: 5,
        files_reviewed: 3,
        left_out: vec![LeftOutFile {
            path: "Cargo.lock".to_owned(),
            reason: "lock file".to_owned(),
        }],
        left_out_more: 0,
        unreviewed: vec!["big.py: longer than the limit".to_owned()],
        lines_reviewed: 12,
    };
    events(&[hostile(), tls(), gone], covered, numbers)
}

pub(crate) fn report() -> Report {
    report_of(&golden())
}

pub(crate) fn report_of(events: &[RunEvent]) -> Report {
    let mut report = Report::default();
    events.iter().for_each(|event| report.take(event));
    report
}

/// What a format prints for a run.
pub(crate) fn rendered(
    format: ReviewFormat,
    detail: Detail,
    layout: Layout,
    events: &[RunEvent],
) -> String {
    let shared = Shared::default();
    let mut answer = shared.answer(layout);
    let mut renderer = renderer(format, detail);
    let mut report = Report::default();
    let mut go = || -> Result<(), Failure> {
        for event in events {
            report.take(event);
            renderer.event(event, &mut answer)?;
        }
        renderer.end(&report, &mut answer)
    };
    go().expect("writes");
    shared.text()
}
