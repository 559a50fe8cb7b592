//! For people: findings as they arrive, then coverage and numbers.

use convergio_contract::{
    EventBody, RunEvent,
    finding::{Finding, FindingStatus, Severity},
};

use super::{Detail, Renderer, Report, snippet, words};
use crate::{
    error::Failure,
    output::{
        Answer, escape,
        layout::{Layout, Piece},
        paint::Role,
    },
};

/// The format.
pub struct Text {
    detail: Detail,
    shown: u32,
    held_back: u64,
}

impl Text {
    /// Nothing shown yet.
    pub fn new(detail: Detail) -> Self {
        Self {
            detail,
            shown: 0,
            held_back: 0,
        }
    }

    fn holds_back(&self, finding: &Finding) -> bool {
        self.detail.max_findings > 0
            && self.shown >= self.detail.max_findings
            && finding.severity <= Severity::Minor
    }
}

impl Renderer for Text {
    fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        let EventBody::Finding(finding) = &event.body else {
            return Ok(());
        };
        if finding.status == FindingStatus::Resolved {
            return Ok(());
        }
        if self.holds_back(finding) {
            self.held_back += 1;
            return Ok(());
        }
        self.shown += 1;
        let text = headline(finding, answer.layout);
        answer.write(&text)?;
        if let Some(code) = snippet::pointed(finding, answer.layout) {
            answer.write(&code)?;
        } else if self.detail.verbose {
            answer.write(&snippet::quoted(finding, answer.layout))?;
        }
        if self.detail.verbose {
            let numbered = !self.detail.ephemeral;
            answer.write(&explanation(finding, numbered, answer.layout))?;
        }
        answer.flush()
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        let layout = answer.layout;
        let Some(summary) = &report.summary else {
            return Ok(());
        };
        for (from, to) in &report.gaps {
            let text = format!("events {from} to {to} of this run are no longer kept");
            answer.write(&layout.text(&text, Role::Warning, 2))?;
        }
        for sentence in words::not_listed(summary, self.held_back) {
            answer.write(&layout.text(&sentence, Role::Dim, 2))?;
        }
        if let Some(coverage) = words::coverage(&report.coverage) {
            answer.write(&layout.text(&coverage, Role::Plain, 2))?;
            for reason in &report.coverage.unreviewed {
                let text = format!("not reviewed: {}", escape::line(reason));
                answer.write(&layout.text(&text, Role::Warning, 2))?;
            }
            if self.detail.verbose {
                for file in &report.coverage.left_out {
                    let text = format!(
                        "left out: {} ({})",
                        escape::line(&file.path),
                        escape::line(&file.reason)
                    );
                    answer.write(&layout.text(&text, Role::Dim, 2))?;
                }
            }
        }
        if self.detail.verbose {
            for silenced in &summary.silenced {
                let text = format!(
                    "silenced{}: {}:{} {}",
                    if silenced.by_this_change {
                        " by this change"
                    } else {
                        ""
                    },
                    escape::line(&silenced.path),
                    silenced.line,
                    escape::line(&silenced.rule)
                );
                answer.write(&layout.text(&text, Role::Dim, 2))?;
            }
            for finding in &report.resolved {
                let text = format!(
                    "resolved: {} {}",
                    words::place(finding),
                    escape::line(&finding.title)
                );
                answer.write(&layout.text(&text, Role::Good, 2))?;
            }
        }
        if let Some(model) = &summary.model {
            for sentence in words::model(model) {
                answer.write(&layout.text(&sentence, Role::Warning, 2))?;
            }
            if self.detail.verbose {
                let text = words::model_detail(model);
                answer.write(&layout.text(&text, Role::Dim, 2))?;
            }
        }
        let pieces: Vec<Piece> = words::summary(summary, &report.coverage)
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                let role = if i == 0 { Role::Strong } else { Role::Plain };
                Piece::new(if i == 0 { "" } else { " · " }, part, role)
            })
            .collect();
        answer.write(&layout.pieces(&pieces, 0))?;
        if let Some(comparison) = words::comparison(summary) {
            answer.write(&layout.text(&comparison, Role::Good, 2))?;
        }
        answer.flush()
    }
}

/// `path:line  severity  title`.
fn headline(finding: &Finding, layout: Layout) -> String {
    layout.pieces(
        &[
            Piece::new("", words::place(finding), Role::Place),
            Piece::new(
                "  ",
                finding.severity.as_str(),
                Role::Severity(finding.severity),
            ),
            Piece::new("  ", escape::line(&finding.title), Role::Strong),
        ],
        2,
    )
}

/// Why, when it bites, and the rule.
fn explanation(finding: &Finding, numbered: bool, layout: Layout) -> String {
    let inner = Layout {
        width: layout.width.map(|width| width.saturating_sub(2).max(1)),
        color: layout.color,
    };
    let mut text = inner.text(&escape::line(&finding.body), Role::Plain, 0);
    text.push_str(&inner.labelled("When: ", Role::Dim, &escape::line(&finding.trigger)));
    let mut rule = vec![
        Piece::new(
            "",
            format!("Rule: {}", escape::line(&finding.rule)),
            Role::Dim,
        ),
        Piece::new(
            " · ",
            format!("confidence {:.0} %", finding.confidence * 100.0),
            Role::Dim,
        ),
    ];
    if finding.n > 0 && numbered {
        let command = if finding.suggestion.is_some() {
            format!("cv fix {}", finding.n)
        } else {
            format!("cv allow {} \"why\"", finding.n)
        };
        rule.push(Piece::new(" · ", command, Role::Dim));
    }
    text.push_str(&inner.pieces(&rule, 0));
    text.lines().fold(String::new(), |mut out, line| {
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
        out
    })
}

/// What to do next, for stderr: `Fix: cv fix 1 · Silence: cv allow 2 "why" · …`.
pub fn hints(report: &Report) -> Vec<Piece> {
    let fixable = report.findings.iter().find(|f| f.suggestion.is_some());
    let other = report
        .findings
        .iter()
        .find(|f| Some(f.n) != fixable.map(|f| f.n))
        .or(fixable);
    let mut parts = Vec::new();
    if let Some(finding) = fixable {
        parts.push(format!("Fix: cv fix {}", finding.n));
    }
    if let Some(finding) = other {
        parts.push(format!("Silence: cv allow {} \"why\"", finding.n));
    }
    if !parts.is_empty() {
        parts.push("More: cv review --help".to_owned());
    }
    parts
        .into_iter()
        .enumerate()
        .map(|(i, part)| Piece::new(if i == 0 { "" } else { " · " }, part, Role::Dim))
        .collect()
}
