//! Whether two findings say the same.

use std::collections::HashSet;

use super::{Grounding, RULE, text::squashed};
use crate::Finding;

/// Share of the shorter title's words that two titles of one fault have in common.
const TITLE_SHARE: f32 = 0.5;
/// The same of all words, where both quote the same text.
const WORDS_SHARE: f32 = 0.3;

/// What has been said about a place.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    path: String,
    lines: (u32, u32),
    evidence: String,
    title: HashSet<String>,
    words: HashSet<String>,
    pub(crate) by_rule: bool,
}

impl Said {
    /// What a model said.
    pub(crate) fn by_model(finding: &Finding) -> Self {
        let all = format!("{} {} {}", finding.title, finding.body, finding.trigger);
        Self {
            path: finding.path.clone(),
            lines: finding.line_range,
            evidence: squashed(&finding.evidence),
            title: words(&finding.title),
            words: words(&all),
            by_rule: finding.rule != RULE,
        }
    }

    /// What a rule said.
    pub(crate) fn by_rule(grounding: &Grounding) -> Self {
        let title = format!("{} {}", grounding.rule, grounding.title);
        Self {
            path: grounding.path.clone(),
            lines: grounding.line_range,
            evidence: squashed(&grounding.evidence),
            title: words(&title),
            words: words(&format!("{title} {}", grounding.reason)),
            by_rule: true,
        }
    }

    /// The same file, overlapping lines, and the same concern: titles that share their words, or
    /// the same quote and many words in common. Another fault on the same line is not the same.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let overlap = self.lines.0 <= other.lines.1 && other.lines.0 <= self.lines.1;
        if self.path != other.path || !overlap {
            return false;
        }
        if share(&self.title, &other.title) >= TITLE_SHARE {
            return true;
        }
        let (a, b) = (&self.evidence, &other.evidence);
        let same_quote =
            !a.is_empty() && !b.is_empty() && (a.contains(b.as_str()) || b.contains(a.as_str()));
        same_quote && share(&self.words, &other.words) >= WORDS_SHARE
    }
}

/// Words that say nothing about a fault.
const EMPTY: &[&str] = &[
    "the", "and", "for", "are", "can", "may", "not", "with", "this", "that", "from", "into",
    "when", "which", "will", "would", "has", "have", "was", "new", "its", "his", "but", "all",
    "any", "code", "line", "value", "source",
];

/// The words of a text: lower case, at least three characters, cut to a stem.
fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= 3)
        .map(str::to_lowercase)
        .filter(|word| !EMPTY.contains(&word.as_str()))
        .map(|word| {
            // Enough of a stem for `panics`, `panicking`, `panicked`.
            word.chars().take(6).collect::<String>()
        })
        .map(|word| word.trim_end_matches('s').to_owned())
        .collect()
}

/// Common words over the words of the shorter.
fn share(a: &HashSet<String>, b: &HashSet<String>) -> f32 {
    let shorter = a.len().min(b.len());
    if shorter == 0 {
        return 0.0;
    }
    // One common word of one is chance, not a concern.
    let common = a.intersection(b).count();
    if common < 2 && a != b {
        return 0.0;
    }
    common as f32 / shorter as f32
}
