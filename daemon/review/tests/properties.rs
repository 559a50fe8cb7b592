//! What holds for every input.

use convergio_review::{
    Review, ReviewOptions,
    diff::{decode, parse},
    view::{DiffView, FileView, LineKind},
};
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "src/a.rs", "src/b.py", "web/c.ts", "d.go", "e.rb", "f.php", "g.sh", "h.vue", "i.sql", "j.ex",
    "k.lua", "l.cs", "m.swift", "n.yml", "o.html", "p.pl", "q.kt", "r.tf", "s.ps1", "t.cpp",
];

/// Lines that begin and end things in many languages.
fn line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "'",
            "`",
            "\"\"\"",
            "'''",
            "/*",
            "*/",
            "//",
            "#",
            "--",
            "<!--",
            "-->",
            "${",
            "}",
            "{",
            "(",
            ")",
            "\\",
            "<<EOF",
            "EOF",
            "r#\"",
            "\"#",
            "@\"",
            "$\"",
            "f\"",
            "=begin",
            "=end",
            "<script>",
            "</script>",
            "%w[",
            "]",
            "[[",
            "]]",
            "~r/",
            "/",
            "R\"x(",
            ")x\"",
            "é",
            "\u{202e}",
            "cv:allow(secret)",
            "eval(",
            "password = ",
            "except:",
            "TODO",
            "#[cfg(test)]",
            "mod tests {",
        ])
        .prop_map(str::to_owned),
        "[a-z =]{0,8}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
struct Line {
    kind: LineKind,
    text: String,
}

fn marked() -> impl Strategy<Value = Line> {
    let kind = prop::sample::select(vec![LineKind::Context, LineKind::Added, LineKind::Removed]);
    (kind, line()).prop_map(|(kind, text)| Line { kind, text })
}

fn hunks() -> impl Strategy<Value = Vec<(u32, Vec<Line>)>> {
    prop::collection::vec((1_u32..1_000, prop::collection::vec(marked(), 1..20)), 1..4)
}

/// Writes the diff, and what its reader must give back: path, kind, text, old and new number.
type Row = (LineKind, String, Option<u32>, Option<u32>);

fn written(name: &str, hunks: &[(u32, Vec<Line>)]) -> (String, Vec<Row>) {
    let mut text = format!("diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n");
    let mut rows = Vec::new();
    for (start, lines) in hunks {
        let count = |not| lines.iter().filter(|l| l.kind != not).count();
        let (old, new) = (count(LineKind::Added), count(LineKind::Removed));
        text += &format!("@@ -{start},{old} +{},{new} @@ fn section\n", start + 7);
        let (mut old_line, mut new_line) = (*start, start + 7);
        for line in lines {
            let (mark, old, new) = match line.kind {
                LineKind::Context => (' ', Some(old_line), Some(new_line)),
                LineKind::Added => ('+', None, Some(new_line)),
                LineKind::Removed => ('-', Some(old_line), None),
            };
            old_line += u32::from(old.is_some());
            new_line += u32::from(new.is_some());
            text += &format!("{mark}{}\n", line.text);
            rows.push((line.kind, line.text.clone(), old, new));
        }
    }
    (text, rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn lines_keep_their_kind_text_and_numbers(hunks in hunks()) {
        let (text, rows) = written("src/a.rs", &hunks);
        let diff = parse(&text);
        prop_assert!(!diff.incomplete, "{:?}\n{text}", diff.problems);
        prop_assert_eq!(diff.unparsed.lines, 0);
        let read: Vec<Row> = diff.files[0]
            .hunks
            .iter()
            .flat_map(|h| &h.lines)
            .map(|l| (l.kind, l.text.to_owned(), l.old_line, l.new_line))
            .collect();
        prop_assert_eq!(read, rows);
    }

    #[test]
    fn masked_texts_have_the_length_and_the_lines_of_the_text(
        name in prop::sample::select(NAMES.to_vec()),
        hunks in hunks(),
    ) {
        let (text, _) = written(name, &hunks);
        let diff = parse(&text);
        let view = FileView::build(&diff.files[0]);
        for side in view.hunks.iter().flat_map(|h| [&h.new, &h.old]) {
            for masked in [&side.code, &side.live] {
                prop_assert_eq!(masked.len(), side.text.len());
                for (m, t) in masked.bytes().zip(side.text.bytes()) {
                    prop_assert!(m == t || m == b' ' && t != b'\n');
                }
            }
            for (c, l) in side.code.bytes().zip(side.live.bytes()) {
                prop_assert!(c == l || c == b' ', "code shows no more than live");
            }
        }
    }

    #[test]
    fn a_review_of_any_lines_is_calm_and_in_order(
        name in prop::sample::select(NAMES.to_vec()),
        hunks in hunks(),
    ) {
        let (text, _) = written(name, &hunks);
        let options = ReviewOptions { strict: true, ..ReviewOptions::default() };
        let (outcomes, _) = Review::new(text.as_bytes(), options).unwrap().collect();
        for outcome in outcomes {
            prop_assert!(outcome.findings.is_sorted_by_key(|f| f.line_range.0));
            for finding in outcome.findings {
                prop_assert!(finding.line_range.0 <= finding.line_range.1);
                prop_assert!(finding.title.chars().count() <= 80);
                prop_assert!(finding.evidence.lines().count() <= 10);
            }
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = decode(&bytes);
        let diff = parse(&text.text);
        let _ = DiffView { files: diff.files.iter().map(FileView::build).collect() };
        let _ = Review::new(&bytes, ReviewOptions::default()).unwrap().collect();
    }

    #[test]
    fn broken_diffs_never_panic(
        name in prop::sample::select(NAMES.to_vec()),
        hunks in hunks(),
        cut in any::<prop::sample::Index>(),
        put in any::<prop::sample::Index>(),
        junk in prop::sample::select(vec![
            "@@ -1 +1 @@\n", "@@@ -1 -1 +1 @@@\n", "--- a\n+++ b\n", "diff --git \"a\\", "\\ No newline\n",
            "GIT binary patch\nliteral 9\n", "Index: x\n", "+", "\x1b[31m", "commit 12345678\n", "\r\n",
            "rename from \"\\777\n", "@@ -99999999999999999999 +0,99999999999 @@\n",
        ]),
    ) {
        let (text, _) = written(name, &hunks);
        let mut bytes = text.into_bytes();
        bytes.truncate(cut.index(bytes.len()));
        let at = put.index(bytes.len() + 1);
        bytes.splice(at..at, junk.bytes());
        let _ = Review::new(&bytes, ReviewOptions::default()).unwrap().collect();
    }
}
