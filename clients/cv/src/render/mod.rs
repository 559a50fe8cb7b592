//! What a review looks like on stdout: one file per format.

pub mod github;
pub mod json;
pub mod md;
pub mod ndjson;
pub mod rdjson;
pub mod report;
pub mod sarif;
pub mod snippet;
pub mod text;
pub mod vim;
pub mod words;

use convergio_contract::{RunEvent, finding::Severity};

pub use report::Report;

use crate::{error::Failure, output::Answer};

/// `--format` of a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ReviewFormat {
    /// For people, as findings arrive.
    #[default]
    Text,
    /// Markdown.
    Md,
    /// One JSON document at the end.
    Json,
    /// One JSON event a line, as they arrive.
    Ndjson,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// reviewdog's format, one document.
    Rdjson,
    /// reviewdog's format, one diagnostic a line.
    Rdjsonl,
    /// Annotations of a GitHub workflow.
    Github,
    /// `file:line:col: text`, for an editor's error list.
    Vim,
}

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// `-v`: evidence, explanation and scenario of every finding.
    pub verbose: bool,
    /// After this many findings text holds back nit and minor; 0 for never.
    pub max_findings: u32,
    /// The result is not kept: no verb can speak of its numbers.
    pub ephemeral: bool,
}

impl Default for Detail {
    fn default() -> Self {
        Self {
            verbose: false,
            max_findings: 10,
            ephemeral: false,
        }
    }
}

/// A format. It sees every event as it arrives, then either the end or the failure.
pub trait Renderer {
    /// An event of the run.
    fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure>;

    /// Nothing has arrived for a while.
    fn heartbeat(&mut self, _at_ms: i64, _answer: &mut Answer) -> Result<(), Failure> {
        Ok(())
    }

    /// The run completed.
    fn end(&mut self, report: &Report, answer: &mut Answer) -> Result<(), Failure>;

    /// The run did not complete; what was found before is in the report. Formats that have no
    /// place for an error leave the document out: an empty one would read as "clean".
    fn failed(
        &mut self,
        _report: &Report,
        _failure: &Failure,
        _answer: &mut Answer,
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// The renderer of a format.
pub fn renderer(format: ReviewFormat, detail: Detail) -> Box<dyn Renderer> {
    match format {
        ReviewFormat::Text => Box::new(text::Text::new(detail)),
        ReviewFormat::Md => Box::new(md::Md { detail }),
        ReviewFormat::Json => Box::new(json::Json),
        ReviewFormat::Ndjson => Box::new(ndjson::Ndjson::default()),
        ReviewFormat::Sarif => Box::new(sarif::Sarif),
        ReviewFormat::Rdjson => Box::new(rdjson::Rdjson { lines: false }),
        ReviewFormat::Rdjsonl => Box::new(rdjson::Rdjson { lines: true }),
        ReviewFormat::Github => Box::new(github::Github),
        ReviewFormat::Vim => Box::new(vim::Vim),
    }
}

impl ReviewFormat {
    /// Whether stdout holds JSON and nothing else.
    pub const fn is_json(self) -> bool {
        match self {
            Self::Json | Self::Ndjson | Self::Sarif | Self::Rdjson | Self::Rdjsonl => true,
            Self::Text | Self::Md | Self::Github | Self::Vim => false,
        }
    }
}

/// A severity as a value of `--fail-on` and `--min-severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SeverityArg {
    /// Security, data loss or certain failure.
    Critical,
    /// Bites in production.
    Major,
    /// A small fault.
    Minor,
    /// Worth a look.
    Nit,
}

impl From<SeverityArg> for Severity {
    fn from(arg: SeverityArg) -> Self {
        match arg {
            SeverityArg::Critical => Self::Critical,
            SeverityArg::Major => Self::Major,
            SeverityArg::Minor => Self::Minor,
            SeverityArg::Nit => Self::Nit,
        }
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
