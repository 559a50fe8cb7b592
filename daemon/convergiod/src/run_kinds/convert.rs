//! The reviewer's types as the contract's.

use convergio_contract::finding as wire;
use convergio_review::{self as review, LeftOut};

/// Files that are named in the list of those left out; more are counted.
const LEFT_OUT_MAX: usize = 4_000;
/// Files of those not reviewed that are named; more are counted.
const HIDDEN_SOURCES_MAX: usize = 100;
/// A quoted text longer than this is cut; a line of the wire must hold it.
const EVIDENCE_MAX_BYTES: usize = 64 * 1024;

pub(crate) fn severity(severity: review::Severity) -> wire::Severity {
    match severity {
        review::Severity::Nit => wire::Severity::Nit,
        review::Severity::Minor => wire::Severity::Minor,
        review::Severity::Major => wire::Severity::Major,
        review::Severity::Critical => wire::Severity::Critical,
    }
}

pub(crate) fn severity_back(severity: wire::Severity) -> review::Severity {
    match severity {
        wire::Severity::Nit => review::Severity::Nit,
        wire::Severity::Minor => review::Severity::Minor,
        wire::Severity::Major => review::Severity::Major,
        wire::Severity::Critical => review::Severity::Critical,
    }
}

/// A finding with its number and what became of it.
pub(crate) fn finding(
    finding: review::Finding,
    n: u32,
    status: wire::FindingStatus,
) -> wire::Finding {
    let mut evidence = finding.evidence;
    if evidence.len() > EVIDENCE_MAX_BYTES {
        evidence.truncate(evidence.floor_char_boundary(EVIDENCE_MAX_BYTES));
        evidence.push('…');
    }
    // A remedy that long is no line of the wire: better none than half of one.
    let suggestion = finding.suggestion.filter(|suggestion| {
        suggestion.original.len() <= EVIDENCE_MAX_BYTES
            && suggestion
                .replacement
                .as_ref()
                .is_none_or(|text| text.len() <= EVIDENCE_MAX_BYTES)
    });
    wire::Finding {
        n,
        rule: finding.rule,
        title: finding.title,
        body: finding.body,
        severity: severity(finding.severity),
        confidence: finding.confidence,
        path: finding.path,
        line_range: finding.line_range,
        columns: finding.columns,
        evidence,
        trigger: finding.trigger,
        suggestion: suggestion.map(|suggestion| wire::Suggestion {
            line_range: suggestion.line_range,
            original: suggestion.original,
            replacement: suggestion.replacement,
        }),
        fingerprint: finding.fingerprint,
        status,
    }
}

fn reason(reason: LeftOut) -> &'static str {
    match reason {
        LeftOut::Binary => "binary",
        LeftOut::BinarySource => "source file that git calls binary (NUL byte or UTF-16)",
        LeftOut::LockFile => "lock file",
        LeftOut::Generated => "generated",
        LeftOut::Vendored => "vendored",
        LeftOut::Minified => "minified",
        LeftOut::DeleteOnly => "deleted",
        LeftOut::Submodule => "submodule",
        LeftOut::ModeOnly => "mode only",
        LeftOut::RenameOnly => "renamed",
        LeftOut::Empty => "empty",
        LeftOut::NotShown => "not shown",
    }
}

/// What was read, and what was not in a sentence each.
pub(crate) fn coverage(summary: &review::ReviewSummary) -> wire::Coverage {
    let found = &summary.coverage;
    // By rule; a source file that only looks binary stands among those not reviewed.
    let by_rule = || {
        let all = found.left_out.iter();
        all.filter(|file| file.reason != LeftOut::BinarySource)
    };
    let left_out: Vec<wire::LeftOutFile> = by_rule()
        .take(LEFT_OUT_MAX)
        .map(|file| wire::LeftOutFile {
            path: file.path.clone(),
            reason: reason(file.reason).to_owned(),
        })
        .collect();
    let more = by_rule().count().saturating_sub(LEFT_OUT_MAX);
    wire::Coverage {
        files_total: found.files,
        files_reviewed: found.files_reviewed,
        left_out,
        left_out_more: u32::try_from(more).unwrap_or(u32::MAX),
        unreviewed: unreviewed(summary),
        lines_reviewed: found.added_lines_reviewed.into(),
    }
}

fn unreviewed(summary: &review::ReviewSummary) -> Vec<String> {
    if summary.no_diff {
        let line = summary.unparsed.first_line.unwrap_or(1);
        return vec![format!("the input is not a diff (line {line})")];
    }
    let mut sentences: Vec<String> = summary
        .problems
        .iter()
        .map(|problem| format!("line {} of the diff: {}", problem.line, problem.kind))
        .collect();
    sentences.extend(summary.failures.iter().cloned());
    if sentences.is_empty() && summary.incomplete {
        sentences.push("a part of the diff could not be read".to_owned());
    }
    let left_out = summary.coverage.left_out.iter();
    let mut hidden = left_out.filter(|file| file.reason == LeftOut::BinarySource);
    for file in hidden.by_ref().take(HIDDEN_SOURCES_MAX) {
        sentences.push(format!("{}: {}", file.path, reason(file.reason)));
    }
    let more = hidden.count();
    if more > 0 {
        let words = LeftOut::BinarySource.words();
        sentences.push(format!("{more} more {words}"));
    }
    let cut = &summary.coverage.cut_files;
    for path in cut.iter().take(HIDDEN_SOURCES_MAX) {
        sentences.push(format!(
            "{path}: of a line over 16 KiB only the first 16 KiB"
        ));
    }
    let more = cut.len().saturating_sub(HIDDEN_SOURCES_MAX);
    if more > 0 {
        sentences.push(format!("{more} more files with lines over 16 KiB"));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_keep_their_order_and_name() {
        for &there in wire::Severity::ALL {
            assert_eq!(severity(severity_back(there)), there);
        }
        assert!(severity(review::Severity::Critical) > severity(review::Severity::Major));
    }

    #[test]
    fn what_was_not_read_is_said() {
        let mut summary = review::ReviewSummary::default();
        assert!(coverage(&summary).unreviewed.is_empty());
        summary.incomplete = true;
        assert_eq!(coverage(&summary).unreviewed.len(), 1);
        summary.no_diff = true;
        assert!(coverage(&summary).unreviewed[0].contains("not a diff"));
    }

    #[test]
    fn the_rest_of_a_very_long_line_is_not_covered() {
        let long = "x".repeat(20_000);
        let diff = format!(
            "diff --git a/l.py b/l.py\n--- a/l.py\n+++ b/l.py\n@@ -0,0 +1,1 @@\n+a = '{long}'; eval(input())\n"
        );
        let options = review::ReviewOptions::default();
        let review = review::Review::new(diff.as_bytes(), options).unwrap();
        let coverage = coverage(&review.collect().1);
        assert_eq!(coverage.unreviewed.len(), 1);
        assert!(coverage.unreviewed[0].starts_with("l.py: "));
    }

    #[test]
    fn a_source_file_that_looks_binary_is_not_covered() {
        let diff = b"diff --git a/f.php b/f.php\nnew file mode 100644\nindex 0000000..1111111\n\
            Binary files /dev/null and b/f.php differ\n";
        let review = review::Review::new(diff, review::ReviewOptions::default()).unwrap();
        let coverage = coverage(&review.collect().1);
        assert_eq!(coverage.files_total, 1);
        assert!(coverage.left_out.is_empty());
        assert_eq!(coverage.unreviewed.len(), 1);
        assert!(coverage.unreviewed[0].starts_with("f.php: source file"));
    }
}
