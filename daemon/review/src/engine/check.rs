//! All rules over one file.

use std::cmp::Reverse;

use super::{
    Review,
    mask::Secrets,
    matcher::{RuleSet, bit},
    novelty::{Removed, keep_new},
    place::{Placement, Raw},
};
use crate::{
    coverage::LeftOut,
    language::Language,
    rule::{Check, Hit, Place, Placed, Rule, Sink},
    silence::{self, InlineAllow},
    view::{FileView, HunkView, LineKind, LineView, build::LINE_MAX_BYTES},
};

/// What the rules say of one file, before fingerprints and silences.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) raws: Vec<Raw>,
    pub(super) hunks: u32,
    pub(super) added_lines: u32,
    pub(super) long_lines: u32,
    /// A rule panicked: nothing is known of the file.
    pub(super) failed: bool,
}

/// A hit and where it came from.
pub(super) struct Candidate {
    pub(super) rule: usize,
    /// `None` for a fault of the file as a whole.
    pub(super) hunk: Option<usize>,
    pub(super) hit: Hit,
}

fn looks_at(rule: &Rule, language: Language) -> bool {
    rule.languages.is_empty() || rule.languages.contains(&language)
}

/// A range that lies in the side and on character borders.
pub(super) fn is_valid(hunk: &HunkView<'_>, hit: &Hit) -> bool {
    hit.range.start <= hit.range.end && hunk.new.text.get(hit.range.clone()).is_some()
}

/// Several patterns of a rule may find the same fault: of hits that overlap and begin on one line
/// the gravest stays, else the first.
pub(super) fn one_per_place(rule: &Rule, hunk: &HunkView<'_>, sink: &mut Sink) {
    if sink.hits.len() < 2 || !sink.hits.iter().all(|p| is_valid(hunk, &p.hit)) {
        return;
    }
    sink.hits
        .sort_by_key(|p| (p.hit.range.start, Reverse(p.hit.range.end)));
    let severity = |hit: &Hit| hit.severity.unwrap_or(rule.severity);
    sink.hits.dedup_by(|later, first| {
        let (later, first) = (&mut later.hit, &mut first.hit);
        let starts = [first.range.start, later.range.start].map(|at| hunk.new.line_at(at));
        if later.range.start >= first.range.end || starts[0] != starts[1] {
            return false;
        }
        if severity(later) > severity(first) {
            std::mem::swap(later, first);
        }
        first.secrets.append(&mut later.secrets);
        first.fix = first.fix.take().or(later.fix.take());
        true
    });
}

impl Review<'_> {
    /// The rules that know `language`.
    fn for_language(&self, set: RuleSet, language: Language) -> RuleSet {
        self.table
            .rules_of(set)
            .filter(|(_, rule)| looks_at(rule, language))
            .fold(0, |all, (index, _)| all | bit(index))
    }

    /// The rules of `set` that look at hunks, and those that look at files.
    fn by_level(&self, set: RuleSet) -> (RuleSet, RuleSet) {
        let mut levels = (0, 0);
        for (index, rule) in self.table.rules_of(set) {
            match rule.check {
                Check::Hunk(_) => levels.0 |= bit(index),
                Check::File(_) => levels.1 |= bit(index),
                Check::Diff(_) => {}
            }
        }
        levels
    }

    /// Runs the hunk and file rules over `file`.
    pub(super) fn check(
        &self,
        file: &FileView<'_>,
        marked_by_change: bool,
        removed: &Removed<'_>,
    ) -> Checked {
        let mut checked = Checked::default();
        let reviewed = file.left_out.is_none();
        let known = self.for_language(self.enabled | self.masking, file.language);
        let (hunk_rules, file_rules) = self.by_level(known);
        let mut candidates = Vec::new();
        let mut secrets = Secrets::default();
        let mut woken = 0;
        let wanted = if reviewed {
            known
        } else if marked_by_change {
            known & self.masking
        } else {
            0
        };
        let mut ran = vec![0; file.hunks.len()];
        if reviewed || wanted != 0 {
            for (index, hunk) in file.hunks.iter().enumerate() {
                let added = hunk.new.lines.iter().filter(|l| l.changed).count();
                if added == 0 {
                    continue;
                }
                if reviewed {
                    checked.hunks += 1;
                    checked.added_lines += u32::try_from(added).unwrap_or(u32::MAX);
                    let long = |l: &&LineView<'_>| {
                        l.kind == LineKind::Added && l.text.len() > LINE_MAX_BYTES
                    };
                    let long = hunk.lines.iter().filter(long).count();
                    checked.long_lines += u32::try_from(long).unwrap_or(u32::MAX);
                }
                let awake = self.table.matcher.wake(&hunk.new, wanted, false);
                woken |= awake;
                ran[index] = awake & hunk_rules;
                let mut take = Take {
                    file,
                    enabled: self.enabled,
                    candidates: &mut candidates,
                    secrets: &mut secrets,
                };
                self.hunk(index, ran[index], &mut take);
            }
        }
        let at_file_level = reviewed
            || matches!(
                file.left_out,
                Some(LeftOut::Binary | LeftOut::BinarySource | LeftOut::DeleteOnly)
            );
        if at_file_level {
            for (index, rule) in self.table.rules_of(file_rules & self.enabled) {
                if !rule.triggers.is_empty() && woken & bit(index) == 0 {
                    continue;
                }
                if let Check::File(check) = rule.check {
                    let mut sink = Sink::default();
                    check(file, &mut sink);
                    let mut take = Take {
                        file,
                        enabled: self.enabled,
                        candidates: &mut candidates,
                        secrets: &mut secrets,
                    };
                    take.hits(index, 0, false, sink);
                }
            }
        }
        keep_new(self.table.rules, file, removed, &mut candidates);
        self.mask_context(
            file,
            hunk_rules & self.masking,
            &ran,
            &candidates,
            &mut secrets,
        );
        secrets.settle();
        let allows: Vec<Vec<InlineAllow>> = if candidates.is_empty() {
            Vec::new()
        } else {
            file.hunks.iter().map(silence::inline_allows).collect()
        };
        let placement = Placement {
            rules: self.table.rules,
            file,
            secrets: &secrets,
            allows: &allows,
        };
        checked.raws = placement.place(candidates);
        checked
    }

    fn hunk(&self, hunk_index: usize, set: RuleSet, take: &mut Take<'_, '_>) {
        for (index, rule) in self.table.rules_of(set) {
            if let Check::Hunk(check) = rule.check {
                let mut sink = Sink::default();
                let hunk = &take.file.hunks[hunk_index];
                check(take.file, hunk, &mut sink);
                one_per_place(rule, hunk, &mut sink);
                take.hits(index, hunk_index, true, sink);
            }
        }
    }

    /// A finding may quote a context line that holds a secret, which no added line has woken a
    /// rule for: those rules look at the quoted hunks again, for what has to be masked.
    pub(super) fn mask_context(
        &self,
        file: &FileView<'_>,
        masking: RuleSet,
        ran: &[RuleSet],
        candidates: &[Candidate],
        secrets: &mut Secrets,
    ) {
        let mut quoted: Vec<usize> = candidates.iter().filter_map(|c| c.hunk).collect();
        quoted.sort_unstable();
        quoted.dedup();
        for index in quoted {
            let rest = masking & !ran.get(index).copied().unwrap_or(0);
            let awake = self.table.matcher.wake(&file.hunks[index].new, rest, true);
            let mut none = Vec::new();
            let mut take = Take {
                file,
                enabled: 0,
                candidates: &mut none,
                secrets,
            };
            self.hunk(index, awake & rest, &mut take);
        }
    }

    /// The rules that know this language, look at hunks and know secrets.
    pub(super) fn masking_for(&self, language: Language) -> RuleSet {
        self.by_level(self.for_language(self.masking, language)).0
    }
}

/// Where the hits of one file go.
struct Take<'a, 'd> {
    file: &'a FileView<'d>,
    /// Rules whose hits count; the others only tell what to mask.
    enabled: RuleSet,
    candidates: &'a mut Vec<Candidate>,
    secrets: &'a mut Secrets,
}

impl Take<'_, '_> {
    /// Takes over what one rule reported.
    fn hits(&mut self, rule: usize, default_hunk: usize, only_added: bool, sink: Sink) {
        let enabled = self.enabled & bit(rule) != 0;
        for Placed { place, hit } in sink.hits {
            let index = match place {
                Place::Hunk(index) => index.unwrap_or(default_hunk),
                Place::File(_) | Place::InFile(..) => {
                    if enabled {
                        self.candidates.push(Candidate {
                            rule,
                            hunk: None,
                            hit,
                        });
                    }
                    continue;
                }
            };
            let Some(hunk) = self.file.hunks.get(index) else {
                continue;
            };
            for secret in &hit.secrets {
                self.secrets.note(index, &hunk.new, secret.clone());
            }
            let counts = enabled
                && is_valid(hunk, &hit)
                && !hunk.new.lines.is_empty()
                && (!only_added || hunk.new.touches_change(&hit.range));
            if counts {
                self.candidates.push(Candidate {
                    rule,
                    hunk: Some(index),
                    hit,
                });
            }
        }
    }
}
