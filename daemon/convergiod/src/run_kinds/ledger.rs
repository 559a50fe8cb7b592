//! What a review found, compared with the last review of the same selection.

use std::collections::{HashMap, HashSet};

use convergio_contract::{
    EventBody,
    finding::{self as wire, FindingStatus, ReviewSummary, SilencedFinding},
};
use convergio_review::{FileOutcome, LeftOut};

use super::{convert, review::Rules, review_model::Outcome};

/// Silenced findings that are listed one by one.
const SILENCED_MAX: usize = 2_000;

/// What the last complete review of the same selection found.
pub(super) struct Last {
    pub(super) findings: Vec<wire::Finding>,
    /// It started from the same commit. Where it did not, what is gone may have been committed
    /// as it was, and nothing is called resolved.
    pub(super) same_base: bool,
}

/// What was found so far, compared with the last time.
pub(super) struct Ledger {
    last: Option<HashMap<String, wire::Finding>>,
    /// Fingerprints of the last time, in their order.
    order: Vec<String>,
    only: Vec<String>,
    rules: Rules,
    seen: HashSet<String>,
    /// Paths of the diff.
    paths: HashSet<String>,
    /// Files of the diff that were not looked into: what was in them may still be.
    uncovered: HashSet<String>,
    /// Rules that held something back in a file: what is missing there may still be there.
    held_back: HashSet<(String, String)>,
    base_rules_off: Vec<String>,
    pub(super) summary: ReviewSummary,
    next_n: u32,
    /// A model has read everything that it should have read of this diff.
    model_read_all: bool,
}

impl Ledger {
    pub(super) fn new(
        last: Option<Last>,
        only: Vec<String>,
        rules: Rules,
        base_silences: Option<&str>,
    ) -> Self {
        let base = base_silences
            .and_then(|text| convergio_review::silence::AllowFile::parse(text).ok())
            .unwrap_or_default();
        let compared = last.is_some();
        let (findings, same_base) =
            last.map_or_else(Default::default, |last| (last.findings, last.same_base));
        let order = findings
            .iter()
            .filter(|_| same_base)
            .map(|finding| finding.fingerprint.clone())
            .collect();
        let by_fingerprint = findings
            .into_iter()
            .map(|finding| (finding.fingerprint.clone(), finding))
            .collect();
        Self {
            last: compared.then_some(by_fingerprint),
            order,
            only,
            rules,
            seen: HashSet::new(),
            paths: HashSet::new(),
            uncovered: HashSet::new(),
            held_back: HashSet::new(),
            base_rules_off: base.rules_off,
            summary: ReviewSummary {
                reviewer: "rules only".to_owned(),
                ..ReviewSummary::default()
            },
            next_n: 1,
            model_read_all: false,
        }
    }

    /// A file's findings as events.
    pub(super) fn file(&mut self, outcome: FileOutcome) -> Vec<EventBody> {
        self.paths.insert(outcome.path.clone());
        if outcome.failed || outcome.left_out.is_some_and(|reason| !tells_all(reason)) {
            self.uncovered.insert(outcome.path.clone());
        }
        for held in outcome.held_back {
            self.summary.held_back += held.count;
            self.held_back.insert((outcome.path.clone(), held.rule));
        }
        for silenced in outcome.silenced {
            self.silenced(silenced.finding, false);
        }
        for finding in outcome.silenced_by_change {
            self.silenced(finding, true);
        }
        outcome
            .findings
            .into_iter()
            .map(|finding| self.finding(finding))
            .collect()
    }

    /// A model's findings as events, numbered on.
    pub(super) fn model(&mut self, findings: Vec<convergio_review::Finding>) -> Vec<EventBody> {
        let findings = findings.into_iter();
        findings.map(|finding| self.finding(finding)).collect()
    }

    /// A model has looked; what it read decides what of its earlier findings is gone.
    pub(super) fn model_looked(&mut self, outcome: &Outcome) {
        self.model_read_all = outcome.layer.complete;
        self.summary.reviewer.clone_from(&outcome.layer.name);
        let silenced = &mut self.summary.silenced_more;
        *silenced = silenced.saturating_add(outcome.silenced);
    }

    fn silenced(&mut self, finding: convergio_review::Finding, by_this_change: bool) {
        self.seen.insert(finding.fingerprint);
        if self.summary.silenced.len() < SILENCED_MAX {
            self.summary.silenced.push(SilencedFinding {
                rule: finding.rule,
                path: finding.path,
                line: finding.line_range.0,
                by_this_change,
            });
        } else {
            self.summary.silenced_more += 1;
        }
    }

    fn finding(&mut self, finding: convergio_review::Finding) -> EventBody {
        let known = self
            .last
            .as_ref()
            .is_some_and(|last| last.contains_key(&finding.fingerprint));
        let status = if known {
            FindingStatus::Persisting
        } else {
            FindingStatus::New
        };
        self.seen.insert(finding.fingerprint.clone());
        let finding = convert::finding(finding, self.next_n, status);
        self.next_n += 1;
        let summary = &mut self.summary;
        summary.findings += 1;
        match finding.severity {
            wire::Severity::Critical => summary.critical += 1,
            wire::Severity::Major => summary.major += 1,
            wire::Severity::Minor => summary.minor += 1,
            wire::Severity::Nit => summary.nit += 1,
        }
        match known {
            true => summary.persisting += 1,
            false => summary.new += 1,
        }
        EventBody::Finding(Box::new(finding))
    }

    /// Whether a finding that is not there any more would have been found again.
    fn would_be_found(&self, finding: &wire::Finding, incomplete: bool) -> bool {
        let named = |ids: &[String]| ids.contains(&finding.rule);
        let in_diff = self.paths.contains(&finding.path);
        if finding.rule == convergio_review::model::RULE {
            // A model that did not look, or not at everything, tells nothing of what is missing.
            return self.model_read_all
                && (in_diff || !incomplete)
                && !self.uncovered.contains(&finding.path)
                && finding.severity >= self.rules.min_severity;
        }
        let known = convergio_review::rules::RULES
            .iter()
            .find(|rule| rule.id == finding.rule);
        let strict_only = known.is_none_or(|rule| rule.strict_only);
        // A file that is not in a diff which was not read to its end may be in its rest.
        (in_diff || !incomplete)
            && !self.uncovered.contains(&finding.path)
            && finding.severity >= self.rules.min_severity
            && (self.only.is_empty() || named(&self.only))
            && !named(&self.rules.off)
            && !named(&self.base_rules_off)
            && (!strict_only || self.rules.strict || named(&self.only))
            && !self
                .held_back
                .contains(&(finding.path.clone(), finding.rule.clone()))
    }

    /// What was there last time and is gone.
    pub(super) fn resolved(&mut self, incomplete: bool) -> Vec<EventBody> {
        let Some(last) = self.last.take() else {
            return Vec::new();
        };
        self.summary.compared = true;
        let mut resolved = Vec::new();
        for fingerprint in &self.order {
            let Some(finding) = last.get(fingerprint) else {
                continue;
            };
            if self.seen.contains(fingerprint) || !self.would_be_found(finding, incomplete) {
                continue;
            }
            let mut finding = finding.clone();
            finding.n = 0;
            finding.status = FindingStatus::Resolved;
            finding.suggestion = None;
            resolved.push(EventBody::Finding(Box::new(finding)));
        }
        self.summary.resolved = u32::try_from(resolved.len()).unwrap_or(u32::MAX);
        resolved
    }
}

/// Whether a file that was left out for this reason cannot hold what it held before: its lines
/// are gone, or they are those of the base.
fn tells_all(reason: LeftOut) -> bool {
    match reason {
        LeftOut::DeleteOnly | LeftOut::ModeOnly | LeftOut::RenameOnly | LeftOut::Empty => true,
        LeftOut::Binary
        | LeftOut::BinarySource
        | LeftOut::LockFile
        | LeftOut::Generated
        | LeftOut::Vendored
        | LeftOut::Minified
        | LeftOut::Submodule
        | LeftOut::NotShown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(fingerprint: &str, path: &str) -> convergio_review::Finding {
        convergio_review::Finding {
            rule: convergio_review::rules::RULES
                .iter()
                .find(|rule| !rule.strict_only)
                .map(|rule| rule.id.to_owned())
                .unwrap(),
            title: "t".into(),
            body: "b".into(),
            severity: convergio_review::Severity::Major,
            confidence: 0.9,
            path: path.into(),
            line_range: (1, 1),
            columns: None,
            evidence: "e".into(),
            trigger: "t".into(),
            suggestion: None,
            fingerprint: fingerprint.into(),
        }
    }

    fn outcome(path: &str, findings: &[&str]) -> FileOutcome {
        FileOutcome {
            path: path.into(),
            findings: findings
                .iter()
                .map(|fingerprint| finding(fingerprint, path))
                .collect(),
            silenced: Vec::new(),
            silenced_by_change: Vec::new(),
            held_back: Vec::new(),
            below_severity: 0,
            left_out: None,
            failed: false,
        }
    }

    fn rules() -> Rules {
        Rules {
            strict: false,
            off: Vec::new(),
            min_severity: wire::Severity::Nit,
        }
    }

    fn ledger(last: &[(&str, &str)], rules: Rules) -> Ledger {
        let last = last.iter().enumerate().map(|(at, (fingerprint, path))| {
            convert::finding(
                finding(fingerprint, path),
                at as u32 + 1,
                FindingStatus::New,
            )
        });
        let last = Last {
            findings: last.collect(),
            same_base: true,
        };
        Ledger::new(Some(last), Vec::new(), rules, None)
    }

    fn seen(events: &[EventBody]) -> Vec<(u32, String, FindingStatus)> {
        let parts = |event: &EventBody| match event {
            EventBody::Finding(finding) => (finding.n, finding.fingerprint.clone(), finding.status),
            other => panic!("{other:?}"),
        };
        events.iter().map(parts).collect()
    }

    #[test]
    fn findings_are_numbered_on_and_known_ones_persist() {
        let mut ledger = ledger(&[("a", "x.py")], rules());
        let found = ledger.file(outcome("x.py", &["b", "a"]));
        assert_eq!(
            seen(&found),
            [
                (1, "b".into(), FindingStatus::New),
                (2, "a".into(), FindingStatus::Persisting)
            ]
        );
        assert!(ledger.resolved(false).is_empty());
        let summary = ledger.summary;
        assert_eq!(
            (summary.findings, summary.new, summary.persisting),
            (2, 1, 1)
        );
        assert!(summary.compared);
    }

    #[test]
    fn what_is_gone_is_resolved_where_it_would_have_been_found() {
        let last = [("gone", "x.py"), ("unchanged", "y.py")];
        let mut whole = ledger(&last, rules());
        whole.file(outcome("x.py", &[]));
        let resolved = seen(&whole.resolved(false));
        assert_eq!(resolved.len(), 2);
        assert!(
            resolved
                .iter()
                .all(|(n, _, status)| *n == 0 && *status == FindingStatus::Resolved)
        );

        let mut broken_off = ledger(&last, rules());
        broken_off.file(outcome("x.py", &[]));
        let resolved = seen(&broken_off.resolved(true));
        assert_eq!(resolved.len(), 1, "the rest of the diff may hold y.py");

        let stricter = Rules {
            min_severity: wire::Severity::Critical,
            ..rules()
        };
        assert!(ledger(&last, stricter).resolved(false).is_empty());
        let mut off = rules();
        off.off = vec![finding("", "").rule];
        assert!(ledger(&last, off).resolved(false).is_empty());
    }

    #[test]
    fn what_may_have_been_committed_or_was_not_looked_into_is_not_resolved() {
        let found = || convert::finding(finding("a", "x.py"), 1, FindingStatus::New);
        let last = Last {
            findings: vec![found()],
            same_base: false,
        };
        let mut rebased = Ledger::new(Some(last), Vec::new(), rules(), None);
        let again = seen(&rebased.file(outcome("x.py", &["a"])));
        assert_eq!(again[0].2, FindingStatus::Persisting);
        let last = Last {
            findings: vec![found()],
            same_base: false,
        };
        let mut committed = Ledger::new(Some(last), Vec::new(), rules(), None);
        assert!(committed.resolved(false).is_empty());

        let mut failed = ledger(&[("a", "x.py")], rules());
        failed.file(FileOutcome {
            failed: true,
            ..outcome("x.py", &[])
        });
        assert!(failed.resolved(true).is_empty());
        let mut hidden = ledger(&[("a", "x.py")], rules());
        hidden.file(FileOutcome {
            left_out: Some(LeftOut::BinarySource),
            ..outcome("x.py", &[])
        });
        assert!(hidden.resolved(false).is_empty());
    }

    #[test]
    fn what_is_silenced_now_is_not_resolved() {
        let mut ledger = ledger(&[("a", "x.py")], rules());
        let mut silent = outcome("x.py", &[]);
        silent.silenced_by_change.push(finding("a", "x.py"));
        ledger.file(silent);
        assert!(ledger.resolved(false).is_empty());
        assert!(ledger.summary.silenced[0].by_this_change);
    }

    #[test]
    fn the_first_review_compares_with_nothing() {
        let mut ledger = Ledger::new(None, Vec::new(), rules(), None);
        ledger.file(outcome("x.py", &["a"]));
        assert!(ledger.resolved(false).is_empty() && !ledger.summary.compared);
    }
}
