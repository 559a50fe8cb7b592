//! Markdown, for a comment on a merge request.

use convergio_contract::{RunEvent, finding::Finding};

use super::{Detail, Renderer, Report, words};
use crate::{
    error::Failure,
    output::{Answer, escape},
};

/// The format.
pub struct Md {
    /// How much to say.
    pub detail: Detail,
}

/// Text that Markdown shows as it is.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in escape::line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A name after @ would call somebody, a number after # would link.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '!' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The longest run of backticks in a text, and one more, three at least.
fn fence(text: &str) -> String {
    let (mut longest, mut run) = (2, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

fn section(finding: &Finding, detail: Detail) -> String {
    let evidence: String = escape::lines(&finding.evidence.replace('\t', "    ")).into_owned();
    let fence = fence(&evidence);
    let mut text = format!(
        "### {}. {}: {}\n\n**{}** · {}\n\n{fence}\n{}\n{fence}\n\n{}\n\nWhen: {}\n",
        finding.n,
        finding.severity.as_str(),
        inline(&finding.title),
        inline(&words::place(finding)),
        inline(&finding.rule),
        evidence.trim_end_matches('\n'),
        inline(&finding.body),
        inline(&finding.trigger),
    );
    if finding.suggestion.is_some() && finding.n > 0 && !detail.ephemeral {
        text.push_str(&format!("\nFix: `cv fix {}`\n", finding.n));
    }
    text.push('\n');
    text
}

impl Renderer for Md {
    fn event(&mut self, _: &RunEvent, _: &mut Answer) -> Result<(), Failure> {
        Ok(())
    }

    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure> {
        answer.write("## Review\n\n")?;
        if let Some(summary) = &report.summary {
            let parts: Vec<String> = words::summary(summary, &report.coverage)
                .iter()
                .map(|part| inline(part))
                .collect();
            answer.write(&format!("{}\n\n", parts.join(" · ")))?;
            if let Some(comparison) = words::comparison(summary) {
                answer.write(&format!("{comparison}\n\n"))?;
            }
        }
        for finding in report.by_severity() {
            answer.write(&section(finding, self.detail))?;
        }
        if let Some(coverage) = words::coverage(&report.coverage) {
            answer.write(&format!("{}\n\n", inline(&coverage)))?;
        }
        for reason in &report.coverage.unreviewed {
            answer.write(&format!("- not reviewed: {}\n", inline(reason)))?;
        }
        if let Some(summary) = &report.summary {
            for sentence in summary.model.iter().flat_map(words::model) {
                answer.write(&format!("{}\n\n", inline(&sentence)))?;
            }
            for sentence in words::not_listed(summary, 0) {
                answer.write(&format!("{}\n\n", inline(&sentence)))?;
            }
        }
        answer.flush()
    }
}
