//! What `git show`, `git log` and `hg log` say of a commit before its changes: a merge without
//! conflicts, or an empty commit, has nothing else.

/// Which form the commit's header has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// There is none, or a form whose text is not told from any other prose.
    None,
    /// git's own, which indents messages.
    Git,
    /// Mercurial's, a summary without a message.
    Mercurial,
}

impl Commit {
    /// The form, by its first line.
    pub(super) fn starts(line: &str) -> Self {
        if line.starts_with("commit ") {
            Self::Git
        } else if line.starts_with("changeset:") {
            Self::Mercurial
        } else {
            Self::None
        }
    }

    /// Whether a line that is not blank belongs to such a header or message.
    pub(super) fn tells(self, line: &str) -> bool {
        let names: &[&str] = match self {
            Self::None => return false,
            Self::Git if line.starts_with("    ") => return true,
            Self::Git => &[
                "Merge:",
                "Author:",
                "AuthorDate:",
                "Commit:",
                "CommitDate:",
                "Date:",
                "Reflog:",
                "Reflog message:",
                "Notes:",
                "Notes (",
            ],
            Self::Mercurial => &[
                "branch:",
                "bookmark:",
                "date:",
                "parent:",
                "phase:",
                "summary:",
                "tag:",
                "user:",
            ],
        };
        names.iter().any(|name| line.starts_with(name))
    }
}

#[cfg(test)]
mod tests {
    use crate::diff::parse;

    const MERGE: &str = "commit 0b77ab5e4a21 (HEAD -> main)\nMerge: 1a2b3c4 5d6e7f8\n\
        Author: A <a@example.org>\nDate:   Fri Nov 20 19:00:00 2026 +0000\n\n    \
        Merge branch 'topic'\n\n    With more to say:\n    - of it\n\nNotes:\n    Tested\n";

    #[test]
    fn a_commit_that_changes_nothing_is_no_text_that_was_not_read() {
        let mercurial = "changeset:   3:1a2b3c4d5e6f\ntag:         tip\n\
            parent:      1:0123456789ab\nuser:        A\ndate:        Fri Nov 20\n\
            summary:     Merge\n\n";
        for text in [MERGE, &format!("{MERGE}\n{MERGE}"), mercurial] {
            let diff = parse(text);
            assert_eq!(diff.unparsed.lines, 0, "{text}");
            assert!(diff.files.is_empty() && !diff.incomplete, "{text}");
        }
    }

    #[test]
    fn other_prose_is() {
        for (text, first_line) in [
            ("Dear all,\n    commit 0b77ab5e4a21 is bad\n", 1),
            ("Author: A\nDate: today\n", 1),
            ("commit early and often\nDate: today\n", 1),
            ("commit 0b77ab5e4a21\nAuthor: A\n\n    Fix\n\nand more\n", 6),
            ("From 0b77ab5e4a21 on\n    it is bad\n", 2),
        ] {
            let unparsed = parse(text).unparsed;
            assert!(unparsed.lines > 0, "{text}");
            assert_eq!(unparsed.first_line, Some(first_line), "{text}");
        }
        let with_stat = format!("{MERGE}\n a.py | 2 +-\n 1 file changed\n");
        assert_eq!(parse(&with_stat).unparsed.lines, 2);
    }
}
