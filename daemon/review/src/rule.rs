//! What a rule is. A rule is one file in [`crate::rules`] plus one row in its table.

use std::ops::Range;

use crate::{
    finding::Severity,
    language::Language,
    view::{DiffView, FileView, HunkView},
};

/// A deterministic check on what a change adds.
pub struct Rule {
    /// Stable kebab-case name, used in `cv:allow(id)`, configuration and documentation.
    pub id: &'static str,
    /// Severity of its findings unless one says otherwise.
    pub severity: Severity,
    /// Names the fault in at most 80 characters ("TLS verification turned off").
    pub title: &'static str,
    /// One line: why it matters.
    pub reason: &'static str,
    /// The documentation page's text in Markdown: what it finds, what it leaves alone, what to do.
    pub explain: &'static str,
    /// Languages that it looks at; empty means every text file.
    pub languages: &'static [Language],
    /// Literals (ASCII, matched without regard to case), one of which must stand in a hunk's
    /// added lines before `check` is called for it; empty means always. This is what makes
    /// 50,000 lines cheap: all rules' triggers are searched in one pass.
    pub triggers: &'static [&'static str],
    /// True for a rule that is too noisy to be on by default.
    pub strict_only: bool,
    /// True where a silence that the diff itself adds must not count (secrets, hidden text).
    pub never_silenced_by_change: bool,
    /// The check itself.
    pub check: Check,
}

/// At which level a rule looks. Every function reports through [`Sink`].
pub enum Check {
    /// Called per hunk whose added lines hold a trigger.
    Hunk(fn(&FileView<'_>, &HunkView<'_>, &mut Sink)),
    /// Called once per file that has hunks (or is binary) and is reviewed.
    File(fn(&FileView<'_>, &mut Sink)),
    /// Called once per diff, after all files (dependency without its lock file, and so on).
    Diff(fn(&DiffView<'_>, &mut Sink)),
}

/// One hit of a rule, before the engine places, masks and fingerprints it.
pub struct Hit {
    /// Byte range in the hunk's new side (`HunkView::new.text`). Hits that touch no added line
    /// are dropped by the engine, so a rule may match freely over context.
    pub range: Range<usize>,
    /// Point at the range with a caret (true), or take whole lines as the fault (false).
    pub caret: bool,
    /// Replaces the rule's severity.
    pub severity: Option<Severity>,
    /// Replaces the rule's title.
    pub title: Option<String>,
    /// A concrete scenario in which it bites.
    pub trigger: String,
    /// 0 to 1.
    pub confidence: f32,
    /// The whole lines that `range` touches are replaced by this text (no final newline).
    pub fix: Option<Fix>,
    /// Byte ranges in the new side that must be masked wherever they are quoted.
    pub secrets: Vec<Range<usize>>,
}

/// A mechanical remedy for a [`Hit`].
pub enum Fix {
    /// Replace this byte range of the new side by the text. The engine widens it to whole lines.
    Replace(Range<usize>, String),
    /// Remove every line that the byte range touches.
    RemoveLines(Range<usize>),
}

impl Hit {
    /// A hit that points at `range` with a caret, at confidence 0.9.
    pub fn at(range: Range<usize>, trigger: impl Into<String>) -> Self {
        Self {
            range,
            caret: true,
            severity: None,
            title: None,
            trigger: trigger.into(),
            confidence: 0.9,
            fix: None,
            secrets: Vec::new(),
        }
    }

    /// A hit that takes the whole lines of `range` as the fault, at confidence 0.9.
    pub fn lines(range: Range<usize>, trigger: impl Into<String>) -> Self {
        Self {
            caret: false,
            ..Self::at(range, trigger)
        }
    }

    /// Adds a remedy.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// Where rules put what they found. The engine knows which rule, file and hunk is being checked.
#[derive(Default)]
pub struct Sink {
    pub(crate) hits: Vec<Placed>,
}

/// A hit and the place it belongs to.
pub(crate) struct Placed {
    pub(crate) place: Place,
    pub(crate) hit: Hit,
}

/// What a hit's range refers to.
pub(crate) enum Place {
    /// The hunk under check, or the numbered hunk of the file under check.
    Hunk(Option<usize>),
    /// The file as a whole (a binary, a missing lock file): line 1, no range.
    File(Option<String>),
    /// A hunk of a file of the diff, both by their index.
    InFile(usize, usize),
}

impl Sink {
    /// Reports a hit in the hunk under check (for [`Check::Hunk`]).
    pub fn hit(&mut self, hit: Hit) {
        self.hits.push(Placed {
            place: Place::Hunk(None),
            hit,
        });
    }

    /// Reports a hit in hunk `index` of the file under check (for [`Check::File`]).
    pub fn hit_in(&mut self, index: usize, hit: Hit) {
        self.hits.push(Placed {
            place: Place::Hunk(Some(index)),
            hit,
        });
    }

    /// Reports a hit in hunk `hunk` of the diff's file `file` (for [`Check::Diff`]).
    pub fn hit_in_file(&mut self, file: usize, hunk: usize, hit: Hit) {
        self.hits.push(Placed {
            place: Place::InFile(file, hunk),
            hit,
        });
    }

    /// Reports a fault of the whole file at `path` (or of the file under check).
    pub fn file(&mut self, path: Option<&str>, trigger: impl Into<String>, title: Option<String>) {
        let mut hit = Hit::lines(0..0, trigger);
        hit.title = title;
        self.hits.push(Placed {
            place: Place::File(path.map(str::to_owned)),
            hit,
        });
    }
}
