//! Findings and places in words, for prompts and for sentences.

use super::{
    Boundary,
    hide::SecretBook,
    plan::Chunk,
    prompt::Candidate,
    text::{shown, squashed},
};
use crate::Finding;

/// Files that are named in one sentence.
const NAMED_MAX: usize = 5;

/// A finding's texts as a prompt shows them.
pub(crate) struct Worded {
    place: String,
    title: String,
    body: String,
    trigger: String,
    quote: String,
}

impl Worded {
    /// In one line each, kept from imitating a fence.
    pub(crate) fn new(finding: &Finding, book: &SecretBook, boundary: &Boundary) -> Self {
        let plain = |text: &str| shown(&squashed(text), boundary);
        let (first, last) = finding.line_range;
        let lines = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        Self {
            place: plain(&format!("{}:{lines}", book.clean(&finding.path))),
            title: plain(&finding.title),
            body: plain(&finding.body),
            trigger: plain(&finding.trigger),
            quote: plain(&finding.evidence),
        }
    }

    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            place: self.place.clone(),
            title: &self.title,
            body: &self.body,
            trigger: &self.trigger,
            quote: &self.quote,
        }
    }
}

/// The files of a chunk, the first of them by name.
pub(crate) fn files(chunk: &Chunk) -> String {
    let paths = chunk.paths();
    let mut named: Vec<&str> = paths.iter().map(|path| &**path).collect();
    let more = named.len().saturating_sub(NAMED_MAX);
    named.truncate(NAMED_MAX);
    let mut out = named.join(", ");
    if more > 0 {
        let files = if more == 1 { "file" } else { "files" };
        out.push_str(&format!(" and {more} more {files}"));
    }
    out
}
