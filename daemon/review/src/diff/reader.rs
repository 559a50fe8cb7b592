//! From text to files: one pass over the lines, whoever wrote the diff.

use std::borrow::Cow;

use memchr::memchr;

use super::{Diff, PROBLEMS_MAX, Problem, ProblemKind, commit::Commit, draft::Draft, hunk, path};
use crate::view::Change;

/// A cursor over lines without their `\n`.
#[derive(Clone)]
pub(super) struct Lines<'d> {
    rest: &'d str,
    done: u32,
}

impl<'d> Lines<'d> {
    fn new(text: &'d str) -> Self {
        Self {
            rest: text,
            done: 0,
        }
    }

    /// Number of the next line, 1-based.
    fn number(&self) -> u32 {
        self.done.saturating_add(1)
    }

    pub(super) fn peek(&self) -> Option<&'d str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.rest.as_bytes()).unwrap_or(self.rest.len());
        Some(&self.rest[..end])
    }

    pub(super) fn next(&mut self) -> Option<&'d str> {
        let line = self.peek()?;
        self.rest = self.rest.get(line.len() + 1..).unwrap_or("");
        self.done = self.done.saturating_add(1);
        Some(line)
    }

    /// True where `---`, `+++` and `@@` follow each other.
    pub(super) fn at_plain_file(&self) -> bool {
        if !self.rest.starts_with("--- ") {
            return false;
        }
        let mut ahead = self.clone();
        ahead.next();
        ahead.next().is_some_and(|l| l.starts_with("+++ "))
            && ahead.peek().is_some_and(|l| l.starts_with("@@ -"))
    }
}

/// Reads a diff. Never fails; see [`Diff::problems`].
pub fn parse(text: &str) -> Diff<'_> {
    let mut reader = Reader {
        lines: Lines::new(text),
        diff: Diff::default(),
        draft: None,
        in_prose: true,
        prelude: (0, None),
        commit: Commit::None,
    };
    reader.run();
    reader.diff
}

struct Reader<'d> {
    lines: Lines<'d>,
    diff: Diff<'d>,
    draft: Option<Draft<'d>>,
    /// Inside a commit or mail header, whose text is nobody's loss.
    in_prose: bool,
    /// Prose before the first file; it counts only if no file follows.
    prelude: (u32, Option<u32>),
    /// The commit that the prose tells of; what git says of one without changes is no loss.
    commit: Commit,
}

impl<'d> Reader<'d> {
    fn run(&mut self) {
        while let Some(line) = self.lines.peek() {
            self.line(line);
        }
        self.finish();
        if self.diff.files.is_empty() {
            self.diff.unparsed.lines += self.prelude.0;
            self.diff.unparsed.first_line = self.prelude.1.or(self.diff.unparsed.first_line);
        }
    }

    fn line(&mut self, line: &'d str) {
        // Most lines outside of hunks start with one of few letters.
        let first = line.as_bytes().first().copied().unwrap_or(b'\n');
        let read = match first {
            b'd' => self.diff_header(line) || self.extended(line),
            b'@' => self.hunk_header(line),
            b'-' | b'+' => self.sides(line),
            b'I' => self.svn_index(line),
            b'B' | b'F' | b'G' | b'C' => self.binary(line) || self.commit(line),
            b'S' => self.submodule_log(line) || self.commit(line),
            b'O' => self.only_in(line),
            b'P' => self.svn_properties(line),
            b'i' | b'o' | b'n' | b's' | b'r' | b'c' => self.extended(line) || self.commit(line),
            _ => false,
        };
        if !read {
            self.stray(line, first);
        }
    }

    fn begin(&mut self, draft: Draft<'d>) {
        self.finish();
        self.draft = Some(draft);
        self.in_prose = false;
    }

    fn problem(&mut self, line: u32, kind: ProblemKind) {
        self.diff.incomplete = true;
        if self.diff.problems.len() < PROBLEMS_MAX {
            self.diff.problems.push(Problem { line, kind });
        }
    }

    fn diff_header(&mut self, line: &'d str) -> bool {
        let number = self.lines.number();
        if let Some(rest) = line.strip_prefix("diff --git ") {
            let header = path::git_header(rest);
            if header.is_none() {
                self.problem(number, ProblemKind::BadFileHeader);
            }
            self.begin(Draft {
                header,
                ..Draft::default()
            });
        } else if let Some(rest) = line
            .strip_prefix("diff --cc ")
            .or_else(|| line.strip_prefix("diff --combined "))
        {
            let rest = rest.trim_end_matches('\r');
            let named = path::unquote(rest).map(|(path, _)| path);
            self.begin(Draft {
                named,
                ..Draft::default()
            });
        } else if line.starts_with("diff -") {
            // Mercurial's `diff -r REV -r REV PATH` names the path; GNU diff's own line tells
            // nothing that `---` and `+++` don't.
            let named = line
                .strip_prefix("diff -r ")
                .filter(|rest| path::is_hg(rest))
                .and_then(path::hg)
                .map(Cow::Borrowed);
            self.begin(Draft {
                named,
                ..Draft::default()
            });
        } else {
            return false;
        }
        self.lines.next();
        true
    }

    fn extended(&mut self, line: &'d str) -> bool {
        let Some(draft) = &mut self.draft else {
            return false;
        };
        if !draft.hunks.is_empty() {
            return false;
        }
        let line = line.trim_end_matches('\r');
        let mode = |text: &str| u32::from_str_radix(text.trim(), 8).ok();
        let moved = |text: &'d str| path::unquote(text).map(|(path, _)| path);
        if let Some(rest) = line.strip_prefix("old mode ") {
            draft.old_mode = mode(rest);
        } else if let Some(rest) = line.strip_prefix("new mode ") {
            draft.new_mode = mode(rest);
        } else if let Some(rest) = line.strip_prefix("new file mode ") {
            draft.new_mode = mode(rest);
            draft.change = Some(Change::Added);
        } else if let Some(rest) = line.strip_prefix("deleted file mode ") {
            draft.old_mode = mode(rest);
            draft.change = Some(Change::Deleted);
        } else if let Some(rest) = line.strip_prefix("rename from ") {
            draft.moved_from = moved(rest);
            draft.change = Some(Change::Renamed);
        } else if let Some(rest) = line.strip_prefix("rename to ") {
            draft.moved_to = moved(rest);
        } else if let Some(rest) = line.strip_prefix("copy from ") {
            draft.moved_from = moved(rest);
            draft.change = Some(Change::Copied);
        } else if let Some(rest) = line.strip_prefix("copy to ") {
            draft.moved_to = moved(rest);
        } else if let Some(rest) = line.strip_prefix("index ") {
            if let Some((_, modes)) = rest.split_once(' ') {
                let found = mode(modes);
                draft.old_mode = draft.old_mode.or(found);
                draft.new_mode = draft.new_mode.or(found);
            }
        } else if !(line.starts_with("similarity index ")
            || line.starts_with("dissimilarity index ")
            || line.starts_with("mode "))
        {
            return false;
        }
        self.lines.next();
        true
    }

    fn sides(&mut self, line: &'d str) -> bool {
        if let Some(rest) = line.strip_prefix("--- ") {
            let mut ahead = self.lines.clone();
            ahead.next();
            let Some(new) = ahead.peek().and_then(|l| l.strip_prefix("+++ ")) else {
                return false;
            };
            // svn announces properties so, too: a fresh draft where this one has its sides.
            if self
                .draft
                .as_ref()
                .is_none_or(|d| d.old.is_some() || !d.is_bare())
            {
                self.begin(Draft::default());
            }
            if let Some(draft) = &mut self.draft {
                draft.old = Some(path::side(rest));
                draft.new = Some(path::side(new));
            }
            self.in_prose = false;
            self.lines.next();
            self.lines.next();
            if self.lines.peek().is_none() {
                self.problem(self.lines.number(), ProblemKind::NoHunk);
            }
            return true;
        }
        // The mail's signature, and the line between its message and the diffstat.
        let trimmed = line.trim_end();
        if trimmed == "--" || trimmed == "---" {
            self.finish();
            self.in_prose = true;
            self.lines.next();
            return true;
        }
        false
    }

    fn hunk_header(&mut self, line: &'d str) -> bool {
        if !line.starts_with("@@") {
            return false;
        }
        let number = self.lines.number();
        match hunk::read(&mut self.lines) {
            Ok((hunk, problem)) => {
                if let Some(kind) = problem {
                    self.problem(self.lines.number(), kind);
                }
                match &mut self.draft {
                    Some(draft) => draft.hunks.push(hunk),
                    None => self.problem(number, ProblemKind::OrphanHunk),
                }
            }
            Err(kind) => self.problem(number, kind),
        }
        true
    }

    fn svn_index(&mut self, line: &'d str) -> bool {
        let Some(rest) = line.strip_prefix("Index: ") else {
            return false;
        };
        let named = Some(Cow::Borrowed(rest.trim_end()));
        self.begin(Draft {
            named,
            ..Draft::default()
        });
        self.lines.next();
        if self.lines.peek().is_some_and(|l| l.starts_with("====")) {
            self.lines.next();
        }
        true
    }

    /// Properties are no content: everything up to the next file is passed over.
    fn svn_properties(&mut self, line: &'d str) -> bool {
        let Some(rest) = line.strip_prefix("Property changes on: ") else {
            return false;
        };
        if self.draft.is_none() {
            let named = Some(Cow::Borrowed(rest.trim_end()));
            self.begin(Draft {
                named,
                ..Draft::default()
            });
        }
        self.lines.next();
        while let Some(line) = self.lines.peek() {
            if line.starts_with("Index: ")
                || line.starts_with("diff ")
                || line.starts_with("--- ") && self.lines.at_plain_file()
            {
                break;
            }
            self.lines.next();
        }
        true
    }

    fn binary(&mut self, line: &'d str) -> bool {
        let trimmed = line.trim_end();
        if trimmed == "GIT binary patch" && self.draft.is_some() {
            self.lines.next();
            let size = self.binary_patch();
            if let Some(draft) = &mut self.draft {
                draft.binary = Some(size);
            }
            return true;
        }
        let svn = trimmed.starts_with("Cannot display: file marked as a binary type");
        let hg = trimmed.starts_with("Binary file ") && trimmed.ends_with(" has changed");
        let differ = ["Binary files ", "Files "].iter().find_map(|start| {
            trimmed
                .strip_prefix(start)?
                .strip_suffix(" differ")?
                .split_once(" and ")
        });
        if let Some((old, new)) = differ {
            // A plain `diff -r` has no header of its own before this line.
            let own = self
                .draft
                .as_ref()
                .is_some_and(|d| d.is_bare() && (d.header.is_some() || d.named.is_some()));
            if !own {
                self.begin(Draft {
                    old: Some(path::side(old)),
                    new: Some(path::side(new)),
                    ..Draft::default()
                });
            }
        } else if hg {
            let name = &trimmed["Binary file ".len()..trimmed.len() - " has changed".len()];
            if self.draft.is_none() {
                self.begin(Draft {
                    named: Some(Cow::Borrowed(name)),
                    ..Draft::default()
                });
            }
        } else if !svn {
            return false;
        }
        let Some(draft) = &mut self.draft else {
            return false;
        };
        draft.binary = draft.binary.or(Some(None));
        self.lines.next();
        if svn
            && self
                .lines
                .peek()
                .is_some_and(|l| l.starts_with("svn:mime-type"))
        {
            self.lines.next();
        }
        true
    }

    /// Passes over both halves of a binary patch; the first `literal` is the new file's size.
    fn binary_patch(&mut self) -> Option<u64> {
        let mut size = None;
        let mut halves = 0;
        while halves < 2 {
            let Some(head) = self.lines.peek() else { break };
            let literal = head.strip_prefix("literal ");
            if literal.is_none() && !head.starts_with("delta ") {
                break;
            }
            if halves == 0 {
                size = literal.and_then(|text| text.trim_end().parse().ok());
            }
            halves += 1;
            self.lines.next();
            while let Some(line) = self.lines.peek() {
                if line.starts_with("diff ") {
                    return size;
                }
                self.lines.next();
                if line.trim_end().is_empty() {
                    break;
                }
            }
        }
        size
    }

    fn submodule_log(&mut self, line: &'d str) -> bool {
        let Some(rest) = line.strip_prefix("Submodule ") else {
            return false;
        };
        let Some((name, revisions)) = rest.split_once(' ') else {
            return false;
        };
        if !revisions.contains("..") && !revisions.starts_with("contains ") {
            return false;
        }
        self.begin(Draft {
            named: Some(Cow::Borrowed(name)),
            submodule: true,
            ..Draft::default()
        });
        self.lines.next();
        while self
            .lines
            .peek()
            .is_some_and(|l| l.starts_with("  > ") || l.starts_with("  < "))
        {
            self.lines.next();
        }
        true
    }

    fn only_in(&mut self, line: &'d str) -> bool {
        let Some(rest) = line.strip_prefix("Only in ") else {
            return false;
        };
        let Some((folder, name)) = rest.trim_end().split_once(": ") else {
            return false;
        };
        let named = Some(Cow::Owned(format!(
            "{}/{name}",
            folder.trim_end_matches('/')
        )));
        self.begin(Draft {
            named,
            not_shown: true,
            ..Draft::default()
        });
        self.lines.next();
        true
    }

    /// The start of a commit (`git log -p`, `git show`) or of a mail (`git format-patch`).
    fn commit(&mut self, line: &'d str) -> bool {
        let hash = line
            .strip_prefix("commit ")
            .or_else(|| line.strip_prefix("From "))
            .or_else(|| line.strip_prefix("changeset:"));
        let is_start = hash.is_some_and(|rest| {
            let digits = rest
                .trim_start()
                .bytes()
                .take_while(|b| b.is_ascii_hexdigit())
                .count();
            digits >= 7 || line.starts_with("changeset:") && digits > 0
        });
        if is_start {
            self.finish();
            self.in_prose = true;
            self.commit = Commit::starts(line);
            self.lines.next();
        }
        is_start
    }

    fn stray(&mut self, line: &'d str, first: u8) {
        let number = self.lines.number();
        self.lines.next();
        if line.trim().is_empty() {
            return;
        }
        if self.in_prose && self.diff.files.is_empty() {
            if self.commit.tells(line) {
                return;
            }
            self.prelude.0 = self.prelude.0.saturating_add(1);
            self.prelude.1 = self.prelude.1.or(Some(number));
            return;
        }
        if self.in_prose {
            return;
        }
        let after_hunk = self.draft.as_ref().is_some_and(|d| !d.hunks.is_empty());
        if after_hunk && matches!(first, b'+' | b'-' | b' ') {
            self.problem(number, ProblemKind::ExcessLines);
        }
        self.diff.unparsed.lines = self.diff.unparsed.lines.saturating_add(1);
        self.diff.unparsed.first_line = self.diff.unparsed.first_line.or(Some(number));
    }

    fn finish(&mut self) {
        if let Some(draft) = self.draft.take()
            && let Some(file) = draft.finish()
        {
            self.diff.files.push(file);
        }
    }
}
