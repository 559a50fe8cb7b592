//! Silences: `.convergio/review.toml` of the base revision, recorded fingerprints, and inline
//! `cv:allow(rule)` comments.
//!
//! A change can't silence itself: what a diff adds to `.convergio/review.toml`, and an inline
//! comment that it adds, only move a finding to a list that is printed.

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use serde::Deserialize;

use crate::{
    diff::Diff,
    finding::Finding,
    view::{HunkView, LineKind},
};

/// The file in which silences are kept.
pub const ALLOW_FILE: &str = ".convergio/review.toml";

/// Why `.convergio/review.toml` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AllowFileError {
    /// No TOML, or unknown keys.
    #[error(
        "{ALLOW_FILE} of the base revision can't be read: line {line}, column {column}: {reason}"
    )]
    Toml {
        /// The line, counted from 1.
        line: usize,
        /// The character in the line, counted from 1.
        column: usize,
        /// What is wrong there, in one line.
        reason: String,
    },
    /// An `[[allow]]` that would silence everything.
    #[error(
        "{ALLOW_FILE} of the base revision: [[allow]] number {number} names no fingerprint, rule or path"
    )]
    Boundless {
        /// Which one, counted from 1.
        number: usize,
    },
    /// A switch that is neither on nor off.
    #[error(
        "{ALLOW_FILE} of the base revision: rule `{rule}` is `{value}`, which must be \"off\" or \"on\""
    )]
    Switch {
        /// The rule's id.
        rule: String,
        /// What stands there.
        value: String,
    },
}

impl AllowFileError {
    fn toml(text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        Self::Toml {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            reason: error.message().lines().collect::<Vec<_>>().join("; "),
        }
    }
}

/// The silences that a base revision grants.
#[derive(Clone, Debug, Default)]
pub struct AllowFile {
    allows: Vec<Allow>,
    /// Rules that are off for this repository.
    pub rules_off: Vec<String>,
    /// Opt-in rules that are on for this repository.
    pub rules_on: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    fingerprint: Option<String>,
    rule: Option<String>,
    path: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    allow: Vec<Allow>,
    #[serde(default)]
    rules: HashMap<String, String>,
}

impl AllowFile {
    /// Reads the text of `.convergio/review.toml`.
    pub fn parse(text: &str) -> Result<Self, AllowFileError> {
        let document: Document =
            toml::from_str(text).map_err(|error| AllowFileError::toml(text, &error))?;
        for (index, allow) in document.allow.iter().enumerate() {
            if allow.fingerprint.is_none() && allow.rule.is_none() && allow.path.is_none() {
                return Err(AllowFileError::Boundless { number: index + 1 });
            }
        }
        let (mut rules_off, mut rules_on) = (Vec::new(), Vec::new());
        for (rule, value) in document.rules {
            match value.as_str() {
                "off" => rules_off.push(rule),
                "on" => rules_on.push(rule),
                _ => return Err(AllowFileError::Switch { rule, value }),
            }
        }
        rules_off.sort();
        rules_on.sort();
        Ok(Self {
            allows: document.allow,
            rules_off,
            rules_on,
        })
    }

    /// What a change makes of the file, as far as its hunks show that. What can't be read
    /// silences nothing.
    pub(crate) fn of_change(diff: &Diff<'_>) -> Self {
        let mut change = Self::default();
        let hunks = diff
            .files
            .iter()
            .filter(|file| file.path == ALLOW_FILE)
            .flat_map(|file| &file.hunks);
        for hunk in hunks {
            // A hunk may begin inside of a table, which is then not understood.
            let text: String = hunk
                .lines
                .iter()
                .filter(|line| line.kind != LineKind::Removed)
                .skip_while(|line| !line.text.starts_with('['))
                .flat_map(|line| [line.text, "\n"])
                .collect();
            if let Ok(part) = Self::parse(&text) {
                change.allows.extend(part.allows);
                change.rules_off.extend(part.rules_off);
            }
        }
        change
    }

    /// Whether `finding` is silenced, by itself or with its whole rule.
    pub(crate) fn covers(&self, finding: &Finding) -> bool {
        self.rules_off.contains(&finding.rule) || self.allows(finding).is_some()
    }

    /// The reason for which `finding` is silenced, if it is.
    pub fn allows(&self, finding: &Finding) -> Option<&str> {
        self.allows
            .iter()
            .find(|allow| {
                allow
                    .fingerprint
                    .as_ref()
                    .is_none_or(|f| f.eq_ignore_ascii_case(&finding.fingerprint))
                    && allow.rule.as_ref().is_none_or(|rule| *rule == finding.rule)
                    && allow
                        .path
                        .as_ref()
                        .is_none_or(|glob| glob_matches(glob, &finding.path))
            })
            .map(|allow| allow.reason.as_deref().unwrap_or(""))
    }
}

/// True if `path` matches `glob`: `*` and `?` within a folder, `**` across folders. A glob
/// without `/` matches the file's name in any folder; one that ends in `/` everything below.
pub fn glob_matches(glob: &str, path: &str) -> bool {
    if let Some(folder) = glob.strip_suffix('/') {
        return glob_matches(&format!("{folder}/**"), path);
    }
    if !glob.contains('/') {
        let name = path.rsplit('/').next().unwrap_or(path);
        return run_glob(glob.as_bytes(), name.as_bytes());
    }
    run_glob(glob.trim_start_matches('/').as_bytes(), path.as_bytes())
}

/// One row of the table per pattern element: linear in both lengths multiplied, whatever the
/// pattern.
fn run_glob(glob: &[u8], path: &[u8]) -> bool {
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    let mut g = 0;
    while g < glob.len() {
        let mut next = vec![false; path.len() + 1];
        if glob[g..].starts_with(b"**/") {
            // Nothing, or any number of whole folders.
            let mut alive = false;
            for at in 0..=path.len() {
                next[at] = reach[at] || alive && at > 0 && path[at - 1] == b'/';
                alive |= reach[at];
            }
            g += 3;
        } else if glob[g..].starts_with(b"**") {
            let mut alive = false;
            for at in 0..=path.len() {
                alive |= reach[at];
                next[at] = alive;
            }
            g += 2;
        } else if glob[g] == b'*' {
            let mut alive = false;
            for at in 0..=path.len() {
                alive = reach[at] || alive && path[at - 1] != b'/';
                next[at] = alive;
            }
            g += 1;
        } else {
            for at in 0..path.len() {
                let fits = glob[g] == path[at] || glob[g] == b'?' && path[at] != b'/';
                next[at + 1] = reach[at] && fits;
            }
            g += 1;
        }
        reach = next;
    }
    reach[path.len()]
}

/// An inline silence in a hunk.
pub(crate) struct InlineAllow {
    /// Index in the new side's lines.
    line: usize,
    rules: Vec<String>,
    /// Nothing but the comment stands on its line, so that it counts for the next one too.
    alone: bool,
    /// It stands in the base revision too.
    in_base: bool,
}

const MARK: &str = "cv:allow(";
const INLINE_MAX: usize = 1_000;

/// The inline silences of a hunk's new side.
pub(crate) fn inline_allows(hunk: &HunkView<'_>) -> Vec<InlineAllow> {
    let side = &hunk.new;
    let mut found = Vec::new();
    let finder = memmem::Finder::new(MARK);
    let removed: Vec<&str> = hunk
        .lines
        .iter()
        .filter(|l| l.kind == LineKind::Removed && finder.find(l.text.as_bytes()).is_some())
        .map(|l| l.text)
        .take(INLINE_MAX)
        .collect();
    for at in memmem::find_iter(side.text.as_bytes(), MARK.as_bytes()).take(INLINE_MAX) {
        // A comment is what `live` doesn't show; where nothing is masked, anything may be one.
        let in_comment = side.live.as_bytes()[at] == b' ' || side.live == side.text;
        let index = side.line_at(at);
        let range = side.line_range(index);
        let rest = &side.text[at + MARK.len()..range.end];
        let Some(end) = rest.find(')').filter(|_| in_comment) else {
            continue;
        };
        let rules = rest[..end]
            .split(',')
            .map(|id| id.trim().to_owned())
            .collect();
        let mark = &side.text[at..at + MARK.len() + end];
        let in_base = !side.lines[index].changed || removed.iter().any(|text| text.contains(mark));
        let alone = side.live[range].trim().is_empty();
        found.push(InlineAllow {
            alone,
            line: index,
            rules,
            in_base,
        });
    }
    found
}

/// Whether a finding on the lines `first..=last` (indices) is silenced inline; `Some(true)`
/// where the base revision says so, `Some(false)` where only the change does.
pub(crate) fn inline_silence(
    allows: &[InlineAllow],
    rule: &str,
    first: usize,
    last: usize,
) -> Option<bool> {
    allows
        .iter()
        .filter(|a| {
            a.line + usize::from(a.alone) >= first
                && a.line <= last
                && a.rules.iter().any(|id| id == rule)
        })
        .map(|a| a.in_base)
        .max()
}

/// Fingerprints that the daemon has recorded as allowed.
pub(crate) fn is_recorded(recorded: &HashSet<String>, finding: &Finding) -> bool {
    recorded.contains(&finding.fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, path, expected) in [
            ("src/*.py", "src/a.py", true),
            ("src/*.py", "src/b/a.py", false),
            ("src/**", "src/b/a.py", true),
            ("**/a.py", "a.py", true),
            ("**/a.py", "x/y/a.py", true),
            ("**/a.py", "x/ya.py", false),
            ("*.py", "x/a.py", true),
            ("legacy/", "legacy/x/y.rs", true),
            ("legacy/", "legacy2/y.rs", false),
            ("src/?.py", "src/a.py", true),
            ("src/?.py", "src/ab.py", false),
            ("a/**/b.rs", "a/b.rs", true),
            ("a/**/b.rs", "a/x/y/b.rs", true),
        ] {
            assert_eq!(glob_matches(glob, path), expected, "{glob} {path}");
        }
    }

    #[test]
    fn what_is_no_toml_is_told_in_one_line_with_its_place() {
        for (text, place) in [
            ("broken", "line 1, column "),
            ("# ü\n[[allow]]\nrule = \"a\"\nüfo\n", "line 4, column "),
            (
                "[[allow]]\nfoo = 1\n",
                "line 2, column 1: unknown field `foo`",
            ),
        ] {
            let told = AllowFile::parse(text).unwrap_err().to_string();
            assert!(told.contains(place) && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn an_allow_that_names_nothing_is_refused() {
        assert!(matches!(
            AllowFile::parse("[[allow]]\nreason = \"quiet\"\n"),
            Err(AllowFileError::Boundless { number: 1 })
        ));
        assert!(matches!(
            AllowFile::parse("[rules]\nsecret = \"maybe\"\n"),
            Err(AllowFileError::Switch { .. })
        ));
        assert!(AllowFile::parse("[[allow]]\nrul = \"x\"\n").is_err());
    }
}
