//! Which rules look where, and what becomes of their hits: places, masks, silences,
//! fingerprints, coverage.

mod check;
mod fingerprint;
mod mask;
mod matcher;
mod novelty;
mod place;
mod run;
pub(crate) mod secrets;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashSet};

use serde::{Deserialize, Serialize};

use crate::{
    coverage::{Coverage, LeftOut},
    diff::{self, DiffText, Problem, Unparsed},
    finding::{Finding, Severity},
    silence::{AllowFile, AllowFileError},
};
pub(crate) use fingerprint::Fingerprints;
use matcher::{RuleSet, Table, bit, table};
pub(crate) use run::Seen;

/// What a review looks for.
#[derive(Clone, Debug)]
pub struct ReviewOptions {
    /// Opt-in rules too.
    pub strict: bool,
    /// Ids of rules that are off.
    pub rules_off: Vec<String>,
    /// Ids of the only rules that are on, opt-in ones included; empty means no restriction.
    pub rules_only: Vec<String>,
    /// Findings below are counted, not shown.
    pub min_severity: Severity,
    /// Text of `.convergio/review.toml` in the base revision.
    pub base_allow_toml: Option<String>,
    /// Fingerprints that the user has allowed, lower-case hex.
    pub allowed_fingerprints: HashSet<String>,
    /// Minor and nit findings of one rule in one file beyond this are counted, not shown.
    pub findings_per_rule_and_file_max: u32,
    /// Threads that check files; the result is the same with any number.
    pub threads: usize,
}

impl Default for ReviewOptions {
    fn default() -> Self {
        Self {
            strict: false,
            rules_off: Vec::new(),
            rules_only: Vec::new(),
            min_severity: Severity::Nit,
            base_allow_toml: None,
            allowed_fingerprints: HashSet::new(),
            findings_per_rule_and_file_max: 20,
            threads: 1,
        }
    }
}

/// Why a review can't start.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// `rules_off` or `rules_only` names no rule.
    #[error("there is no rule `{id}`")]
    UnknownRule {
        /// What was asked for.
        id: String,
    },
    /// The base revision's silences can't be read.
    #[error(transparent)]
    AllowFile(#[from] AllowFileError),
}

/// One diff under review.
pub struct Review<'d> {
    text: DiffText<'d>,
    table: &'static Table,
    options: ReviewOptions,
    allow_file: AllowFile,
    /// Rules whose findings count.
    enabled: RuleSet,
    /// Rules that run so that the secrets they know can be masked.
    masking: RuleSet,
    unknown_rules: Vec<String>,
}

/// What was found in one file. A path may come several times: once per occurrence in the diff,
/// and at the end for rules that weigh files against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileOutcome {
    /// The file's path.
    pub path: String,
    /// Sorted by line.
    pub findings: Vec<Finding>,
    /// Findings that the base revision or the user has silenced.
    pub silenced: Vec<Silenced>,
    /// Findings that only the change itself silences; to be counted and listed.
    pub silenced_by_change: Vec<Finding>,
    /// Findings that were held back because the rule found too many in this file.
    pub held_back: Vec<HeldBack>,
    /// Findings below the wanted severity.
    pub below_severity: u32,
    /// Why the file was not reviewed.
    pub left_out: Option<LeftOut>,
    /// A rule has a defect that this file shows: nothing was found out about it.
    pub failed: bool,
}

/// A finding that is silenced, and by whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silenced {
    /// What was found.
    pub finding: Finding,
    /// What silences it.
    pub by: SilencedBy,
}

/// What silences a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SilencedBy {
    /// A fingerprint that the user has allowed.
    Recorded,
    /// `.convergio/review.toml` of the base revision, with its reason.
    AllowFile(String),
    /// A `cv:allow` comment that the base revision has too.
    Comment,
}

/// Findings of one rule in one file that were held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// The rule.
    pub rule: String,
    /// How many.
    pub count: u32,
}

/// What a whole review comes to.
#[derive(Clone, Debug, Default)]
pub struct ReviewSummary {
    /// What was looked at.
    pub coverage: Coverage,
    /// Findings by severity: nit, minor, major, critical.
    pub counts: [u32; 4],
    /// Findings that the base revision or the user has silenced.
    pub silenced: u32,
    /// Findings that only the change itself silences.
    pub silenced_by_change: u32,
    /// Findings that were held back.
    pub held_back: u32,
    /// Findings below the wanted severity.
    pub below_severity: u32,
    /// Text that belongs to no file.
    pub unparsed: Unparsed,
    /// Where the diff breaks off or contradicts itself.
    pub problems: Vec<Problem>,
    /// What was not reviewed because a rule has a defect, at most 20 sentences.
    pub failures: Vec<String>,
    /// True where a part of the diff could not be read, or a rule failed, or the review was stopped: what was
    /// found is not everything.
    pub incomplete: bool,
    /// True where bytes that are no UTF-8 were replaced before the review.
    pub lossy: bool,
    /// True where the input holds text but no diff.
    pub no_diff: bool,
    /// Rules that `.convergio/review.toml` names and nobody knows.
    pub unknown_rules: Vec<String>,
}

impl ReviewSummary {
    /// How many findings were emitted.
    pub fn findings(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// The greatest severity that was emitted.
    pub fn worst(&self) -> Option<Severity> {
        const ALL: [Severity; 4] = [
            Severity::Nit,
            Severity::Minor,
            Severity::Major,
            Severity::Critical,
        ];
        ALL.into_iter().rev().find(|s| self.counts[*s as usize] > 0)
    }
}

impl<'d> Review<'d> {
    /// Prepares the review of `diff`: any bytes; what is no diff is reported by the run.
    pub fn new(diff: &'d [u8], options: ReviewOptions) -> Result<Self, ReviewError> {
        Self::with_table(table(), diff, options)
    }

    fn with_table(
        table: &'static Table,
        diff: &'d [u8],
        options: ReviewOptions,
    ) -> Result<Self, ReviewError> {
        let rules = table.rules;
        let allow_file = match &options.base_allow_toml {
            Some(text) => AllowFile::parse(text)?,
            None => AllowFile::default(),
        };
        for id in options.rules_off.iter().chain(&options.rules_only) {
            if !rules.iter().any(|rule| rule.id == id) {
                return Err(ReviewError::UnknownRule { id: id.clone() });
            }
        }
        let unknown_rules = allow_file
            .rules_off
            .iter()
            .chain(&allow_file.rules_on)
            .filter(|id| !rules.iter().any(|rule| rule.id == id.as_str()))
            .cloned()
            .collect();
        let named = |ids: &[String], id: &str| ids.iter().any(|other| other == id);
        let (mut enabled, mut masking) = (0, 0);
        for (index, rule) in rules.iter().enumerate() {
            let on = if options.rules_only.is_empty() {
                !rule.strict_only || options.strict || named(&allow_file.rules_on, rule.id)
            } else {
                named(&options.rules_only, rule.id)
            };
            if on && !named(&options.rules_off, rule.id) && !named(&allow_file.rules_off, rule.id) {
                enabled |= bit(index);
            }
            if rule.never_silenced_by_change {
                masking |= bit(index);
            }
        }
        let text = diff::decode(diff);
        Ok(Self {
            text,
            table,
            options,
            allow_file,
            enabled,
            masking,
            unknown_rules,
        })
    }

    pub(crate) fn options(&self) -> &ReviewOptions {
        &self.options
    }

    pub(crate) fn allow_file(&self) -> &AllowFile {
        &self.allow_file
    }

    /// The diff as text, without colour codes, for [`diff::parse`].
    pub fn text(&self) -> &str {
        match &self.text.text {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => text,
        }
    }
}
