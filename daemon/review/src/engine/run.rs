//! One run: files in order, then the rules that weigh files against each other.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::sync_channel,
    },
};

use super::{
    FileOutcome, Fingerprints, HeldBack, Review, ReviewSummary, Silenced, SilencedBy,
    check::{Candidate, Checked, is_valid},
    mask::Secrets,
    novelty::Removed,
    place::{Placement, Raw},
};
use crate::{
    coverage::LeftOutFile,
    diff::{self, Diff, FileDiff},
    finding::{Finding, Severity},
    rule::{Check, Place, Sink},
    silence::{self, AllowFile},
    view::{DiffView, FileView},
};

/// A diff below this is checked faster than threads start.
const THREADS_MIN_BYTES: usize = 128 * 1024;
/// Even grave findings of one rule in one file end somewhere.
const GRAVE_PER_RULE_AND_FILE_MAX: u32 = 1_000;

/// Failures that are named; all make the review incomplete.
const FAILURES_MAX: usize = 20;

impl Review<'_> {
    /// Reviews every file and hands each outcome to `each` as soon as it is final, in the
    /// diff's order. If `each` breaks, the run stops and the summary says that it is incomplete.
    pub fn run(&self, each: impl FnMut(FileOutcome) -> ControlFlow<()>) -> ReviewSummary {
        self.run_then(each, |_, _| ()).0
    }

    /// As `run`, then lets `look` see what the rules have seen, without another parse; unless the
    /// run was stopped.
    pub(crate) fn run_then<T>(
        &self,
        mut each: impl FnMut(FileOutcome) -> ControlFlow<()>,
        look: impl FnOnce(&DiffView<'_>, Seen) -> T,
    ) -> (ReviewSummary, Option<T>) {
        let diff = diff::parse(self.text());
        let mut summary = ReviewSummary {
            unparsed: diff.unparsed.clone(),
            problems: diff.problems.clone(),
            incomplete: diff.incomplete,
            lossy: self.text.lossy,
            no_diff: diff.files.is_empty() && diff.unparsed.lines > 0,
            unknown_rules: self.unknown_rules.clone(),
            ..ReviewSummary::default()
        };
        let mut emission = Emission {
            review: self,
            by_change: AllowFile::of_change(&diff),
            fingerprints: Fingerprints::default(),
            seen: Seen::default(),
            summary: &mut summary,
            each: &mut each,
            stopped: false,
        };
        let threads = self.options.threads.min(diff.files.len());
        let files = if threads > 1 && self.text().len() >= THREADS_MIN_BYTES {
            self.parallel(&diff, threads, &mut emission)
        } else {
            self.sequential(&diff, &mut emission)
        };
        let view = DiffView { files };
        if !emission.stopped {
            self.across(&view, &mut emission);
        }
        let (stopped, seen) = (emission.stopped, std::mem::take(&mut emission.seen));
        let looked = (!stopped).then(|| look(&view, seen));
        (summary, looked)
    }

    /// Reviews everything and collects the outcomes.
    pub fn collect(&self) -> (Vec<FileOutcome>, ReviewSummary) {
        let mut outcomes = Vec::new();
        let summary = self.run(|outcome| {
            outcomes.push(outcome);
            ControlFlow::Continue(())
        });
        (outcomes, summary)
    }

    fn one<'d>(&self, file: &'d FileDiff<'d>, removed: &Removed<'_>) -> (FileView<'d>, Checked) {
        let (view, marked_by_change) = FileView::build_marked(file);
        // A rule with a defect costs the file that shows it, which is then said to be unreviewed,
        // and not the review. Nothing that a rule can leave half-done outlives the call.
        let check = || self.check(&view, marked_by_change, removed);
        let checked = catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|_| Checked {
            failed: true,
            ..Checked::default()
        });
        (view, checked)
    }

    fn sequential<'d>(&self, diff: &'d Diff<'d>, emission: &mut Emission<'_>) -> Vec<FileView<'d>> {
        let mut views = Vec::with_capacity(diff.files.len());
        let removed = Removed::new(diff);
        for file in &diff.files {
            let (view, checked) = self.one(file, &removed);
            emission.file(&view, checked);
            views.push(view);
            if emission.stopped {
                break;
            }
        }
        views
    }

    fn parallel<'d>(
        &self,
        diff: &'d Diff<'d>,
        threads: usize,
        emission: &mut Emission<'_>,
    ) -> Vec<FileView<'d>> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let removed = Removed::new(diff);
        let mut views = Vec::with_capacity(diff.files.len());
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(threads * 4);
            for _ in 0..threads {
                let sender = sender.clone();
                let (next, stop, removed) = (&next, &stop, &removed);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(file) = diff.files.get(index) else {
                            break;
                        };
                        if sender.send((index, self.one(file, removed))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            let mut early = BTreeMap::new();
            for (index, done) in receiver {
                early.insert(index, done);
                while let Some((view, checked)) = early.remove(&views.len()) {
                    if !emission.stopped {
                        emission.file(&view, checked);
                    }
                    views.push(view);
                }
                if emission.stopped {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        });
        views
    }

    /// Rules that weigh files against each other.
    fn across(&self, view: &DiffView<'_>, emission: &mut Emission<'_>) {
        let mut per_file: BTreeMap<usize, Vec<Candidate>> = BTreeMap::new();
        for (index, rule) in self.table.rules_of(self.enabled) {
            let Check::Diff(check) = rule.check else {
                continue;
            };
            let mut sink = Sink::default();
            if catch_unwind(AssertUnwindSafe(|| check(view, &mut sink))).is_err() {
                emission.failed(format!("the rule {} failed on this diff", rule.id));
                continue;
            }
            for placed in sink.hits {
                let (file, hunk) = match placed.place {
                    Place::InFile(file, hunk) => (Some(file), Some(hunk)),
                    Place::File(Some(path)) => {
                        (view.files.iter().position(|f| f.path == path), None)
                    }
                    Place::File(None) | Place::Hunk(_) => (None, None),
                };
                let Some(file) = file.filter(|f| *f < view.files.len()) else {
                    continue;
                };
                let fits = hunk.is_none_or(|hunk| {
                    view.files[file]
                        .hunks
                        .get(hunk)
                        .is_some_and(|h| !h.new.lines.is_empty() && is_valid(h, &placed.hit))
                });
                if fits {
                    let candidate = Candidate {
                        rule: index,
                        hunk,
                        hit: placed.hit,
                    };
                    per_file.entry(file).or_default().push(candidate);
                }
            }
        }
        for (index, candidates) in per_file {
            let file = &view.files[index];
            let mut secrets = Secrets::default();
            let masking = self.masking_for(file.language);
            self.mask_context(file, masking, &[], &candidates, &mut secrets);
            secrets.settle();
            let allows: Vec<_> = file.hunks.iter().map(silence::inline_allows).collect();
            let placement = Placement {
                rules: self.table.rules,
                file,
                secrets: &secrets,
                allows: &allows,
            };
            emission.outcome(file, placement.place(candidates), false);
            if emission.stopped {
                return;
            }
        }
    }
}

/// What the rules have seen of a diff, whether it was shown or silenced.
#[derive(Default)]
pub(crate) struct Seen {
    /// Every fault that was found.
    pub(crate) findings: Vec<Finding>,
    /// Files (by their index) that show a defect of a rule.
    pub(crate) failed: Vec<usize>,
}

/// Gives findings their fingerprints in the diff's order, applies silences, counts.
struct Emission<'r> {
    review: &'r Review<'r>,
    /// Silences that the change itself adds.
    by_change: AllowFile,
    fingerprints: Fingerprints,
    seen: Seen,
    summary: &'r mut ReviewSummary,
    each: &'r mut dyn FnMut(FileOutcome) -> ControlFlow<()>,
    stopped: bool,
}

impl Emission<'_> {
    /// Something that should have been reviewed was not, through a defect of a rule.
    fn failed(&mut self, what: String) {
        self.summary.incomplete = true;
        if self.summary.failures.len() < FAILURES_MAX {
            self.summary.failures.push(what);
        }
    }

    fn file(&mut self, view: &FileView<'_>, checked: Checked) {
        if checked.failed {
            self.failed(format!("{}: a rule failed on this file", view.path));
            let index = usize::try_from(self.summary.coverage.files).unwrap_or(usize::MAX);
            self.seen.failed.push(index);
        }
        let coverage = &mut self.summary.coverage;
        coverage.files += 1;
        match view.left_out {
            Some(reason) => {
                coverage.left_out.push(LeftOutFile {
                    path: view.path.to_owned(),
                    reason,
                });
            }
            None if checked.failed => {}
            None => {
                coverage.files_reviewed += 1;
                coverage.hunks_reviewed += checked.hunks;
                coverage.added_lines_reviewed += checked.added_lines;
                coverage.long_lines_cut += checked.long_lines;
                if checked.long_lines > 0 {
                    coverage.cut_files.push(view.path.to_owned());
                }
            }
        }
        self.outcome(view, checked.raws, checked.failed);
    }

    fn outcome(&mut self, view: &FileView<'_>, raws: Vec<Raw>, failed: bool) {
        let mut outcome = FileOutcome {
            path: view.path.to_owned(),
            findings: Vec::new(),
            silenced: Vec::new(),
            silenced_by_change: Vec::new(),
            held_back: Vec::new(),
            below_severity: 0,
            left_out: view.left_out,
            failed,
        };
        let mut per_rule: HashMap<usize, u32> = HashMap::new();
        for raw in raws {
            self.finding(raw, &mut outcome, &mut per_rule);
        }
        self.summary.silenced += len(&outcome.silenced);
        self.summary.silenced_by_change += len(&outcome.silenced_by_change);
        self.summary.below_severity += outcome.below_severity;
        self.summary.held_back += outcome.held_back.iter().map(|h| h.count).sum::<u32>();
        for finding in &outcome.findings {
            self.summary.counts[finding.severity as usize] += 1;
        }
        if (self.each)(outcome).is_break() {
            self.stopped = true;
            self.summary.incomplete = true;
        }
    }

    fn finding(&mut self, raw: Raw, outcome: &mut FileOutcome, per_rule: &mut HashMap<usize, u32>) {
        let Raw {
            mut finding,
            matched,
            inline,
            rule,
        } = raw;
        finding.fingerprint = self
            .fingerprints
            .next(&finding.path, &finding.rule, &matched);
        self.seen.findings.push(finding.clone());
        let options = &self.review.options;
        if silence::is_recorded(&options.allowed_fingerprints, &finding) {
            outcome.silenced.push(Silenced {
                finding,
                by: SilencedBy::Recorded,
            });
            return;
        }
        if let Some(reason) = self.review.allow_file.allows(&finding) {
            let by = SilencedBy::AllowFile(reason.to_owned());
            outcome.silenced.push(Silenced { finding, by });
            return;
        }
        let never = self.review.table.rules[rule].never_silenced_by_change;
        match inline {
            Some(true) => {
                outcome.silenced.push(Silenced {
                    finding,
                    by: SilencedBy::Comment,
                });
                return;
            }
            Some(false) if !never => {
                outcome.silenced_by_change.push(finding);
                return;
            }
            _ => {}
        }
        if !never && self.by_change.covers(&finding) {
            outcome.silenced_by_change.push(finding);
            return;
        }
        if finding.severity < options.min_severity {
            outcome.below_severity += 1;
            return;
        }
        let max = if finding.severity >= Severity::Major {
            GRAVE_PER_RULE_AND_FILE_MAX
        } else {
            options.findings_per_rule_and_file_max
        };
        let count = per_rule.entry(rule).or_insert(0);
        *count += 1;
        if *count > max {
            match outcome
                .held_back
                .iter_mut()
                .find(|h| h.rule == finding.rule)
            {
                Some(held) => held.count += 1,
                None => outcome.held_back.push(HeldBack {
                    rule: finding.rule,
                    count: 1,
                }),
            }
            return;
        }
        outcome.findings.push(finding);
    }
}

fn len<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
