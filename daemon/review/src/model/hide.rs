//! The secrets of a whole diff, and texts without them.

use std::{
    collections::HashMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

use crate::{
    Review,
    engine::secrets::SecretSpan,
    rules::secret,
    view::{DiffView, FileView, HunkView, LineKind},
};

/// What stands where a secret stood.
pub(crate) const HIDDEN: &str = "[redacted]";
/// Shorter secrets are only hidden where they were found, not wherever they occur.
const EVERYWHERE_MIN_CHARS: usize = 6;
/// Lines of a key of several lines that are shorter are not told from other text.
const PART_MIN_CHARS: usize = 16;
/// More secrets than this in one diff are hidden where they stand only.
const EVERYWHERE_MAX: usize = 20_000;
/// How much of a path or a hunk's header is looked at and shown.
pub(crate) const LABEL_MAX_BYTES: usize = 2_000;

/// How many secrets of a kind were hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redacted {
    /// Id of the rule that knows the kind.
    pub kind: String,
    /// Distinct secrets.
    pub count: u32,
}

/// A secret's number in the book.
pub(crate) type SecretId = u32;

/// The places in one text that hold a secret, sorted, not overlapping.
pub(crate) type TextSpots = Vec<(Range<usize>, SecretId)>;

/// A place in a side's text that holds a secret.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) range: Range<usize>,
    pub(crate) id: SecretId,
}

/// The secrets of one hunk.
#[derive(Clone, Debug, Default)]
pub(crate) struct HunkSecrets {
    pub(crate) new: Vec<Spot>,
    pub(crate) old: Vec<Spot>,
}

/// Every secret of a diff.
#[derive(Clone, Default)]
pub(crate) struct SecretBook {
    kinds: Vec<&'static str>,
    ids: HashMap<String, SecretId>,
    /// Texts that are hidden wherever they occur, with their secret.
    texts: Vec<(String, SecretId)>,
    everywhere: Option<AhoCorasick>,
}

/// The secrets by place: per file and hunk. A file is `None` where a rule failed on it.
pub(crate) type Places = Vec<Option<Vec<HunkSecrets>>>;

impl SecretBook {
    /// Reads the whole diff, and texts that belong to no file.
    pub(crate) fn read(review: &Review<'_>, view: &DiffView<'_>, texts: &[&str]) -> (Self, Places) {
        let mut book = Self::default();
        let mut places = Vec::with_capacity(view.files.len());
        for file in &view.files {
            if file.left_out.is_some() {
                places.push(Some(Vec::new()));
                continue;
            }
            // A rule with a defect costs the file, as in the first layer: what can't be searched for
            // secrets isn't sent.
            let read = catch_unwind(AssertUnwindSafe(|| Self::of_file(review, file)));
            let Ok((hunks, labels)) = read else {
                places.push(None);
                continue;
            };
            for (text, spans) in labels {
                for span in spans {
                    book.note(&text, &span);
                }
            }
            let noted = hunks.iter().zip(&file.hunks).map(|((new, old), hunk)| {
                let mut spots = |spans: &[SecretSpan], text: &str| {
                    let spots = spans.iter().map(|span| Spot {
                        range: span.range.clone(),
                        id: book.note(text, span),
                    });
                    spots.collect::<Vec<Spot>>()
                };
                HunkSecrets {
                    new: spots(new, &hunk.new.text),
                    old: spots(old, &hunk.old.text),
                }
            });
            let noted = noted.collect();
            places.push(Some(noted));
        }
        for text in texts {
            let found = catch_unwind(AssertUnwindSafe(|| review.secrets_in_text(text)));
            for span in found.unwrap_or_default() {
                book.note(text, &span);
            }
        }
        book.close();
        (book, places)
    }

    /// Reads texts that belong to no diff: the book, and where each text's own secrets stand.
    /// `None` where a rule failed on one of them: what can't be searched isn't sent.
    pub(crate) fn of_texts(review: &Review<'_>, texts: &[&str]) -> Option<(Self, Vec<TextSpots>)> {
        let mut book = Self::default();
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            let found = catch_unwind(AssertUnwindSafe(|| review.secrets_in_text(text))).ok()?;
            let spots = found
                .iter()
                .map(|span| (span.range.clone(), book.note(text, span)));
            places.push(spots.collect());
        }
        book.close();
        Some((book, places))
    }

    /// Spans per hunk (new side, old side) and in the labels.
    #[expect(clippy::type_complexity, reason = "one caller takes it apart at once")]
    fn of_file(
        review: &Review<'_>,
        file: &FileView<'_>,
    ) -> (
        Vec<(Vec<SecretSpan>, Vec<SecretSpan>)>,
        Vec<(String, Vec<SecretSpan>)>,
    ) {
        let sides = |hunk: &HunkView<'_>| {
            let adds = hunk.lines.iter().any(|line| line.kind == LineKind::Added);
            if !adds {
                return (Vec::new(), Vec::new());
            }
            (
                review.secrets_in(file, &hunk.new),
                review.secrets_in(file, &hunk.old),
            )
        };
        let hunks = file.hunks.iter().map(sides).collect();
        let mut labels: Vec<&str> = vec![file.path];
        labels.extend(file.old_path);
        labels.extend(file.hunks.iter().map(|hunk| hunk.section));
        labels.sort_unstable();
        labels.dedup();
        let labels = labels
            .into_iter()
            .filter(|label| !label.is_empty())
            .map(|label| {
                let label = &label[..label.floor_char_boundary(LABEL_MAX_BYTES)];
                (label.to_owned(), review.secrets_in_text(label))
            })
            .filter(|(_, spans)| !spans.is_empty())
            .collect();
        (hunks, labels)
    }

    fn note(&mut self, text: &str, span: &SecretSpan) -> SecretId {
        let secret = text.get(span.range.clone()).unwrap_or_default();
        if let Some(id) = self.ids.get(secret) {
            return *id;
        }
        let id = SecretId::try_from(self.kinds.len()).unwrap_or(SecretId::MAX);
        self.kinds.push(span.kind);
        self.ids.insert(secret.to_owned(), id);
        let lines = secret.lines().count();
        for line in secret.lines().map(str::trim) {
            let min = if lines > 1 {
                PART_MIN_CHARS
            } else {
                EVERYWHERE_MIN_CHARS
            };
            if line.chars().count() >= min && self.texts.len() < EVERYWHERE_MAX {
                self.texts.push((line.to_owned(), id));
            }
        }
        id
    }

    /// Id of the rule that knows a secret.
    pub(crate) fn kind(&self, id: SecretId) -> Option<&'static str> {
        let index = usize::try_from(id).ok()?;
        self.kinds.get(index).copied()
    }

    fn close(&mut self) {
        if self.texts.is_empty() {
            return;
        }
        self.everywhere = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.texts.iter().map(|(text, _)| text))
            .ok();
    }

    /// `text` without secrets: those at `spots`, and those known from elsewhere. `None` where it
    /// holds none. The secrets that were hidden are added to `hidden`.
    pub(crate) fn hide(
        &self,
        text: &str,
        spots: &[(Range<usize>, SecretId)],
        hidden: &mut Vec<SecretId>,
    ) -> Option<String> {
        let before = hidden.len();
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, id) in spots {
            if range.end <= at || text.get(range.clone()).is_none() {
                continue;
            }
            let start = range.start.max(at);
            self.elsewhere(&text[at..start], &mut out, hidden);
            // Of a range that overlaps the last one only the rest is new.
            if range.start >= at {
                out.push_str(HIDDEN);
            }
            hidden.push(*id);
            at = range.end;
        }
        self.elsewhere(&text[at..], &mut out, hidden);
        (hidden.len() > before || out.len() != text.len()).then_some(out)
    }

    /// `text` without secrets, for a text that stands nowhere in the diff.
    pub(crate) fn clean(&self, text: &str) -> String {
        let known = secret::find(text)
            .into_iter()
            .map(|found| (found.range, SecretId::MAX))
            .collect::<Vec<_>>();
        self.hide(text, &known, &mut Vec::new())
            .unwrap_or_else(|| text.to_owned())
    }

    fn elsewhere(&self, text: &str, out: &mut String, hidden: &mut Vec<SecretId>) {
        let mut at = 0;
        if let Some(everywhere) = &self.everywhere {
            for found in everywhere.find_iter(text) {
                out.push_str(&text[at..found.start()]);
                out.push_str(HIDDEN);
                hidden.push(self.texts[found.pattern().as_usize()].1);
                at = found.end();
            }
        }
        out.push_str(&text[at..]);
    }

    /// Distinct secrets among `hidden`, by kind.
    pub(crate) fn counted(&self, hidden: impl IntoIterator<Item = SecretId>) -> Vec<Redacted> {
        let mut ids: Vec<SecretId> = hidden.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut counts: Vec<Redacted> = Vec::new();
        for id in ids {
            let Some(kind) = self.kind(id) else { continue };
            match counts.iter_mut().find(|redacted| redacted.kind == kind) {
                Some(redacted) => redacted.count += 1,
                None => counts.push(Redacted {
                    kind: kind.to_owned(),
                    count: 1,
                }),
            }
        }
        counts.sort_by(|a, b| a.kind.cmp(&b.kind));
        counts
    }
}
