//! All rules over one file.

use super::{
    Review,
    mask::Secrets,
    matcher::{RuleSet, bit},
    place::{Placement, Raw},
};
use crate::{
    coverage::LeftOut,
    language::Language,
    rule::{Check, Hit, Place, Placed, Rule, Sink},
    silence::{self, InlineAllow},
    view::{FileView, HunkView},
};

/// What the rules say of one file, before fingerprints and silences.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) raws: Vec<Raw>,
    pub(super) hunks: u32,
    pub(super) added_lines: u32,
}

/// A hit and where it came from.
pub(super) struct Candidate {
    pub(super) rule: usize,
    /// `None` for a fault of the file as a whole.
    pub(super) hunk: Option<usize>,
    pub(super) hit: Hit,
}

pub(super) fn looks_at(rule: &Rule, language: Language) -> bool {
    rule.languages.is_empty() || rule.languages.contains(&language)
}

/// A range that lies in the side and on character borders.
pub(super) fn is_valid(hunk: &HunkView<'_>, hit: &Hit) -> bool {
    hit.range.start <= hit.range.end && hunk.new.text.get(hit.range.clone()).is_some()
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
    pub(super) fn check(&self, file: &FileView<'_>, marked_by_change: bool) -> Checked {
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
        if wanted != 0 {
            for (index, hunk) in file.hunks.iter().enumerate() {
                let added = hunk.new.lines.iter().filter(|l| l.changed).count();
                if added == 0 {
                    continue;
                }
                if reviewed {
                    checked.hunks += 1;
                    checked.added_lines += u32::try_from(added).unwrap_or(u32::MAX);
                }
                let awake = self.table.matcher.wake(&hunk.new, wanted, false);
                woken |= awake;
                let before = candidates.len();
                let ran = awake & hunk_rules;
                self.hunk(file, index, ran, &mut candidates, &mut secrets);
                // Another rule may quote a context line that holds a secret.
                if candidates.len() > before {
                    let rest = wanted & hunk_rules & self.masking & !ran;
                    let awake = self.table.matcher.wake(&hunk.new, rest, true);
                    self.hunk(file, index, awake & rest, &mut candidates, &mut secrets);
                }
            }
        }
        let at_file_level =
            reviewed || matches!(file.left_out, Some(LeftOut::Binary | LeftOut::DeleteOnly));
        if at_file_level {
            for (index, rule) in self.table.rules_of(file_rules & self.enabled) {
                if !rule.triggers.is_empty() && woken & bit(index) == 0 {
                    continue;
                }
                if let Check::File(check) = rule.check {
                    let mut sink = Sink::default();
                    check(file, &mut sink);
                    self.take(index, 0, false, sink, file, &mut candidates, &mut secrets);
                }
            }
        }
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

    fn hunk(
        &self,
        file: &FileView<'_>,
        hunk_index: usize,
        set: RuleSet,
        candidates: &mut Vec<Candidate>,
        secrets: &mut Secrets,
    ) {
        for (index, rule) in self.table.rules_of(set) {
            if let Check::Hunk(check) = rule.check {
                let mut sink = Sink::default();
                check(file, &file.hunks[hunk_index], &mut sink);
                self.take(index, hunk_index, true, sink, file, candidates, secrets);
            }
        }
    }

    /// Takes over what one rule reported.
    #[expect(
        clippy::too_many_arguments,
        reason = "two of them are where the result goes"
    )]
    fn take(
        &self,
        rule: usize,
        default_hunk: usize,
        only_added: bool,
        sink: Sink,
        file: &FileView<'_>,
        candidates: &mut Vec<Candidate>,
        secrets: &mut Secrets,
    ) {
        for Placed { place, hit } in sink.hits {
            let index = match place {
                Place::Hunk(index) => index.unwrap_or(default_hunk),
                Place::File(_) | Place::InFile(..) => {
                    if self.enabled & bit(rule) != 0 {
                        candidates.push(Candidate {
                            rule,
                            hunk: None,
                            hit,
                        });
                    }
                    continue;
                }
            };
            let Some(hunk) = file.hunks.get(index) else {
                continue;
            };
            for secret in &hit.secrets {
                secrets.note(index, &hunk.new, secret.clone());
            }
            let counts = self.enabled & bit(rule) != 0
                && is_valid(hunk, &hit)
                && !hunk.new.lines.is_empty()
                && (!only_added || hunk.new.touches_change(&hit.range));
            if counts {
                candidates.push(Candidate {
                    rule,
                    hunk: Some(index),
                    hit,
                });
            }
        }
    }
}
