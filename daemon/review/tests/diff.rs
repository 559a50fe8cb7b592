//! Diffs as the tools write them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

use convergio_review::{
    diff::{Diff, FileDiff, ProblemKind, decode, parse},
    view::{Change, LineKind},
};

fn one<'d>(diff: &'d Diff<'d>) -> &'d FileDiff<'d> {
    assert_eq!(diff.files.len(), 1, "{diff:?}");
    assert!(!diff.incomplete, "{:?}", diff.problems);
    &diff.files[0]
}

fn added(file: &FileDiff<'_>) -> Vec<(u32, String)> {
    file.hunks
        .iter()
        .flat_map(|h| &h.lines)
        .filter(|l| l.kind == LineKind::Added)
        .map(|l| (l.new_line.unwrap(), l.text.to_owned()))
        .collect()
}

#[test]
fn git_modified() {
    let diff = parse(
        "diff --git a/src/a b.rs b/src/a b.rs\nindex 1..2 100644\n--- a/src/a b.rs\t\n+++ b/src/a b.rs\t\n@@ -10,3 +10,4 @@ fn main() {\n one\n-two\n+2\n+three\n four\n",
    );
    let file = one(&diff);
    assert_eq!(file.path, "src/a b.rs");
    assert_eq!(file.change, Change::Modified);
    assert_eq!(file.new_mode, Some(0o100_644));
    assert_eq!(file.hunks[0].section, "fn main() {");
    assert_eq!(added(file), [(11, "2".into()), (12, "three".into())]);
    assert_eq!(diff.unparsed.lines, 0);
}

#[test]
fn prefixes() {
    for (header, old, new) in [
        ("diff --git x/y.py x/y.py", "x/y.py", "x/y.py"),
        ("diff --git i/x/y.py w/x/y.py", "i/x/y.py", "w/x/y.py"),
        ("diff --git c/x/y.py i/x/y.py", "c/x/y.py", "i/x/y.py"),
        ("diff --git o/x/y.py w/x/y.py", "o/x/y.py", "w/x/y.py"),
        (
            "diff --git old/x/y.py new/x/y.py",
            "old/x/y.py",
            "new/x/y.py",
        ),
    ] {
        let text = format!("{header}\n--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n");
        let diff = parse(&text);
        assert_eq!(one(&diff).path, "x/y.py", "{header}");
    }
}

#[test]
fn a_new_file_without_prefix_keeps_its_folder() {
    let diff = parse(
        "diff --git b/y.py b/y.py\nnew file mode 100644\n--- /dev/null\n+++ b/y.py\n@@ -0,0 +1 @@\n+b\n",
    );
    assert_eq!(one(&diff).path, "b/y.py");
}

#[test]
fn quoted_paths() {
    let diff = parse(
        "diff --git \"a/caf\\303\\251 \\\"x\\\".py\" \"b/caf\\303\\251 \\\"x\\\".py\"\nnew file mode 100755\n--- /dev/null\n+++ \"b/caf\\303\\251 \\\"x\\\".py\"\n@@ -0,0 +1 @@\n+b\n",
    );
    assert_eq!(one(&diff).path, "café \"x\".py");
    assert_eq!(one(&diff).new_mode, Some(0o100_755));
}

#[test]
fn renames_copies_modes_and_deletions() {
    let diff = parse(concat!(
        "diff --git a/old.py b/dir/new.py\nsimilarity index 90%\nrename from old.py\nrename to dir/new.py\n--- a/old.py\n+++ b/dir/new.py\n@@ -1 +1 @@\n-a\n+b\n",
        "diff --git a/x.py b/y.py\nsimilarity index 100%\ncopy from x.py\ncopy to y.py\n",
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n",
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\nindex 1..0\n--- a/gone.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n---- b\n",
        "diff --git a/empty b/empty\nnew file mode 100644\nindex 0000000..e69de29\n",
    ));
    let seen: Vec<_> = diff
        .files
        .iter()
        .map(|f| (f.path.as_ref(), f.old_path.as_deref(), f.change))
        .collect();
    assert_eq!(
        seen,
        [
            ("dir/new.py", Some("old.py"), Change::Renamed),
            ("y.py", Some("x.py"), Change::Copied),
            ("run.sh", None, Change::Modified),
            ("gone.py", None, Change::Deleted),
            ("empty", None, Change::Added),
        ]
    );
    assert_eq!(diff.files[3].hunks[0].lines[1].text, "--- b");
    assert!(!diff.incomplete);
}

#[test]
fn binaries() {
    let diff = parse(concat!(
        "diff --git a/a.png b/a.png\nnew file mode 100644\nindex 0..1\nBinary files /dev/null and b/a.png differ\n",
        "diff --git a/b.bin b/b.bin\nindex 0..1\nGIT binary patch\nliteral 5242880\nzcmV;abc\n\nliteral 0\nHcmV?d00001\n\n",
        "Binary files old/c.gif and new/c.gif differ\n",
        "diff --git a/d.py b/d.py\n--- a/d.py\n+++ b/d.py\n@@ -1 +1 @@\n-a\n+b\n",
    ));
    let seen: Vec<_> = diff
        .files
        .iter()
        .map(|f| (f.path.as_ref(), f.binary))
        .collect();
    assert_eq!(
        seen,
        [
            ("a.png", Some(None)),
            ("b.bin", Some(Some(5_242_880))),
            ("c.gif", Some(None)),
            ("d.py", None),
        ]
    );
}

#[test]
fn no_newline_and_crlf() {
    let diff = parse(
        "diff --git a/x b/x\r\n--- a/x\r\n+++ b/x\r\n@@ -1 +1 @@\r\n-a\r\n\\ No newline at end of file\r\n+b\r\n\\ No newline at end of file\r\n",
    );
    let file = one(&diff);
    assert_eq!(file.path, "x");
    assert_eq!(added(file), [(1, "b".into())]);
    assert!(file.hunks[0].lines[1].crlf);
    assert_eq!(diff.unparsed.lines, 0);
}

#[test]
fn combined_merge() {
    let diff = parse(
        "diff --cc src/x.py\nindex 1,2..3\n--- a/src/x.py\n+++ b/src/x.py\n@@@ -1,3 -1,3 +1,4 @@@ def f\n  one\n- two\n -zwei\n++deux\n +only\n  three\n",
    );
    let file = one(&diff);
    assert_eq!(file.path, "src/x.py");
    assert_eq!(added(file), [(2, "deux".into())]);
    let removed: Vec<_> = file.hunks[0]
        .lines
        .iter()
        .filter(|l| l.kind == LineKind::Removed)
        .map(|l| (l.old_line, l.text))
        .collect();
    assert_eq!(removed, [(Some(2), "two")]);
    assert_eq!(file.hunks[0].lines.last().unwrap().new_line, Some(4));
}

#[test]
fn submodules() {
    let diff = parse(concat!(
        "diff --git a/lib b/lib\nindex 1111111..2222222 160000\n--- a/lib\n+++ b/lib\n@@ -1 +1 @@\n-Subproject commit 1111111\n+Subproject commit 2222222\n",
        "Submodule other 1111111..2222222:\n  > A message\n  < Another\n",
    ));
    assert_eq!(diff.files.len(), 2);
    assert!(diff.files.iter().all(|f| f.submodule));
    assert_eq!(diff.files[1].path, "other");
}

#[test]
fn mercurial() {
    let diff = parse(
        "# HG changeset patch\n# User x\ndiff -r 1234567890ab -r abcdef123456 src/x.py\n--- a/src/x.py\tThu Jan 01 00:00:00 1970 +0000\n+++ b/src/x.py\tFri Jan 02 00:00:00 1970 +0000\n@@ -1,1 +1,2 @@\n a\n+b\n",
    );
    assert_eq!(one(&diff).path, "src/x.py");
    assert_eq!(diff.unparsed.lines, 0);
}

#[test]
fn subversion() {
    let diff = parse(concat!(
        "Index: src/x.py\n===================================================================\n--- src/x.py\t(revision 12)\n+++ src/x.py\t(working copy)\n@@ -1 +1,2 @@\n a\n+b\n",
        "\nProperty changes on: src/x.py\n___________________________________________________________________\nAdded: svn:executable\n## -0,0 +1 ##\n+*\n\\ No newline at end of property\n",
        "Index: logo.png\n===================================================================\nCannot display: file marked as a binary type.\nsvn:mime-type = application/octet-stream\n",
        "Index: new.py\n===================================================================\n--- new.py\t(nonexistent)\n+++ new.py\t(working copy)\n@@ -0,0 +1 @@\n+c\n",
    ));
    let seen: Vec<_> = diff
        .files
        .iter()
        .map(|f| (f.path.as_ref(), f.binary.is_some(), f.change))
        .collect();
    assert_eq!(
        seen,
        [
            ("src/x.py", false, Change::Modified),
            ("logo.png", true, Change::Modified),
            ("new.py", false, Change::Added)
        ]
    );
    assert!(!diff.incomplete);
}

#[test]
fn plain_diff() {
    let diff = parse(concat!(
        "diff -ur old/src/x.py new/src/x.py\n--- old/src/x.py\t2020-01-01 00:00:00.000000000 +0000\n+++ new/src/x.py\t2020-01-02 00:00:00.000000000 +0000\n@@ -1 +1 @@\n-a\n+b\n",
        "Only in new/src: y.py\n",
        "--- z.py.orig\t2020-01-01\n+++ z.py\t2020-01-02\n@@ -1 +1 @@\n-a\n+b\n",
    ));
    let seen: Vec<_> = diff
        .files
        .iter()
        .map(|f| (f.path.as_ref(), f.not_shown))
        .collect();
    assert_eq!(
        seen,
        [("src/x.py", false), ("new/src/y.py", true), ("z.py", false)]
    );
    assert!(!diff.incomplete);
    assert_eq!(diff.unparsed.lines, 0);
}

#[test]
fn several_commits_and_mails() {
    let diff = parse(concat!(
        "commit 0123456789abcdef0123456789abcdef01234567 (HEAD)\nAuthor: A <a@example.com>\nDate:   today\n\n    A message\n    + with a plus\n    diff --git is a command\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n\n",
        "commit 1123456789abcdef0123456789abcdef01234567\nAuthor: A <a@example.com>\n\n    Another\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c\n",
        "From 2123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.com>\nSubject: [PATCH] x\n\n---\n x | 2 +-\n 1 file changed\n\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n-- \n2.39.0\n\n",
    ));
    let paths: Vec<_> = diff.files.iter().map(|f| f.path.as_ref()).collect();
    assert_eq!(paths, ["x", "x", "y"]);
    assert!(!diff.incomplete, "{:?}", diff.problems);
    assert_eq!(diff.unparsed.lines, 0);
}

#[test]
fn content_that_looks_like_a_header() {
    let diff = parse(concat!(
        "--- a/x.sql\n+++ b/x.sql\n@@ -1,3 +1,3 @@\n--- a/old comment\n+++ b/new comment\n select 1;\n select 2;\n",
        "--- a/y.sql\n+++ b/y.sql\n@@ -1 +1 @@\n--- gone\n+++ came\n@@ -9 +9 @@\n-a\n+b\n",
    ));
    assert_eq!(diff.files.len(), 2);
    assert_eq!(added(&diff.files[0]), [(1, "++ b/new comment".into())]);
    assert_eq!(diff.files[1].hunks.len(), 2);
    assert!(!diff.incomplete, "{:?}", diff.problems);
}

#[test]
fn no_diff_at_all_is_said() {
    let diff = parse("hello\nworld\n");
    assert!(diff.files.is_empty());
    assert_eq!(diff.unparsed.lines, 2);
    assert!(parse("").files.is_empty());
    assert_eq!(parse("\n\n").unparsed.lines, 0);
}

#[test]
fn truncation_and_garbage_are_said() {
    let head = "diff --git a/x b/x\n--- a/x\n+++ b/x\n";
    for (body, kind) in [
        ("", ProblemKind::NoHunk),
        ("@@ -1,3 +1,4 @@\n a\n+b\n", ProblemKind::TruncatedHunk),
        ("@@ -1,1 +1,2 @@\n a\n+b\n+c\n", ProblemKind::ExcessLines),
        ("@@ -1,x +1,2 @@\n a\n+b\n", ProblemKind::BadHunkHeader),
        ("@@ -1 +1\n-a\n+b\n", ProblemKind::BadHunkHeader),
        ("@@ -1,9 +1,9 @@\n a\nrubbish\n", ProblemKind::TruncatedHunk),
    ] {
        let text = format!("{head}{body}");
        let diff = parse(&text);
        assert!(diff.incomplete, "{body}");
        assert_eq!(diff.problems[0].kind, kind, "{body}");
    }
    assert_eq!(
        parse("@@ -1 +1 @@\n-a\n+b\n").problems[0].kind,
        ProblemKind::OrphanHunk
    );
    let text = format!("{head}@@ -1,9 +1,9 @@\n a\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n");
    let diff = parse(&text);
    assert_eq!(
        diff.files.len(),
        2,
        "a cut hunk does not swallow the next file"
    );
    assert!(diff.incomplete);
}

#[test]
fn lying_counts_cost_nothing() {
    let text = "--- a/x\n+++ b/x\n@@ -1,99999999999999999999 +4294967295,18446744073709551615 @@\n a\n+b\n+c\n";
    let diff = parse(text);
    assert!(diff.incomplete);
    assert_eq!(diff.files[0].hunks[0].lines.len(), 3);
    assert_eq!(diff.files[0].hunks[0].lines[2].new_line, Some(u32::MAX));
}

#[test]
fn a_coloured_diff_reads_like_a_plain_one() {
    let coloured = b"\x1b[1mdiff --git a/x b/x\x1b[m\n\x1b[1m--- a/x\x1b[m\n\x1b[1m+++ b/x\x1b[m\n\x1b[36m@@ -1 +1 @@\x1b[m\n\x1b[31m-a\x1b[m\n\x1b[32m+\x1b[m\x1b[32mb\x1b[m\n";
    let text = decode(coloured);
    let diff = parse(&text.text);
    assert_eq!(added(one(&diff)), [(1, "b".into())]);
}
