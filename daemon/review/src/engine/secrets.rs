//! Which secrets a text holds, whoever asks: wider than what the rules report, since what is
//! hidden once too often costs nothing, and what has left the machine can't be called back.

use std::ops::Range;

use super::{Review, matcher::bit};
use crate::{
    language::{Language, Role},
    rule::{Check, Sink},
    rules::secret,
    view::{FileView, HunkView, LineKind, LineView, Side, build},
};

/// A secret in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretSpan {
    /// Its bytes.
    pub(crate) range: Range<usize>,
    /// Id of the rule that knows it.
    pub(crate) kind: &'static str,
}

impl Review<'_> {
    /// The secrets in a text of `file`: in added lines, context and removed lines alike, and in
    /// tests and documents too, where the rules take them for made up. Sorted, not overlapping.
    pub(crate) fn secrets_in(&self, file: &FileView<'_>, side: &Side) -> Vec<SecretSpan> {
        let masking = self.masking_for(file.language);
        let awake = self.table.matcher.wake(side, masking, true) & masking;
        let mut spans: Vec<SecretSpan> = secret::find(&side.text)
            .into_iter()
            .map(|found| SecretSpan {
                range: found.range,
                kind: secret::RULE.id,
            })
            .collect();
        if awake != 0 {
            let mut side = side.clone();
            for line in &mut side.lines {
                line.in_test = false;
                line.changed = true;
            }
            let hunk = HunkView {
                lines: Vec::new(),
                section: "",
                new: side,
                old: Side::default(),
            };
            let shipped = FileView {
                role: Role::Source,
                hunks: Vec::new(),
                ..*file
            };
            for (index, rule) in self.table.rules_of(masking) {
                let Check::Hunk(check) = rule.check else {
                    continue;
                };
                if awake & bit(index) == 0 {
                    continue;
                }
                let mut sink = Sink::default();
                check(&shipped, &hunk, &mut sink);
                let found = sink.hits.into_iter().flat_map(|placed| placed.hit.secrets);
                spans.extend(
                    found
                        .filter(|range| hunk.new.text.get(range.clone()).is_some())
                        .map(|range| SecretSpan {
                            range,
                            kind: rule.id,
                        }),
                );
            }
        }
        settle(spans)
    }

    /// The secrets in a text that belongs to no hunk: a path, a hunk's header, a commit message.
    pub(crate) fn secrets_in_text(&self, text: &str) -> Vec<SecretSpan> {
        let lines: Vec<LineView<'_>> = text
            .split('\n')
            .map(|text| LineView {
                kind: LineKind::Added,
                text,
                crlf: false,
                old_line: None,
                new_line: Some(1),
            })
            .collect();
        let side = build::side(&lines, "", Language::Unknown, Role::Source, LineKind::Added);
        self.secrets_in(&FileView::nameless(), &side)
    }
}

/// Sorted and merged; of two that overlap the first names the kind.
fn settle(mut spans: Vec<SecretSpan>) -> Vec<SecretSpan> {
    spans.retain(|span| !span.range.is_empty());
    spans.sort_by_key(|span| (span.range.start, std::cmp::Reverse(span.range.end)));
    let mut merged: Vec<SecretSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                last.range.end = last.range.end.max(span.range.end);
            }
            _ => merged.push(span),
        }
    }
    merged
}
