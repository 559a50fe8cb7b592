use super::*;
use crate::{Review, ReviewOptions};

#[test]
fn a_source_file_that_git_calls_binary_is_told_from_a_picture() {
    let binary = |path: &str, old: &str, new: &str| {
        format!(
            "diff --git a/{path} b/{path}\n{old}index 1111111..2222222\nBinary files {new} differ\n"
        )
    };
    let added = |path: &str| {
        let new = format!("/dev/null and b/{path}");
        binary(path, "new file mode 100644\n", &new)
    };
    let deleted = binary(
        "gone.php",
        "deleted file mode 100644\n",
        "a/gone.php and /dev/null",
    );
    let diff = added("f.php")
        + &added("logo.png")
        + &added("vendor/x.js")
        + &added("yarn.lock")
        + &added("Info.plist")
        + &deleted
        + &binary("q.sql", "", "a/q.sql and b/q.sql")
        + "diff --git a/a.cs b/b.cs\nsimilarity index 100%\nrename from a.cs\nrename to b.cs\n";
    let review = Review::new(diff.as_bytes(), ReviewOptions::default()).unwrap();
    let summary = review.collect().1;
    let hidden: Vec<_> = summary
        .coverage
        .left_out
        .iter()
        .filter(|l| l.reason == LeftOut::BinarySource)
        .map(|l| l.path.as_str())
        .collect();
    assert_eq!(hidden, ["f.php", "q.sql"]);
    assert_eq!(summary.coverage.files, 8);
}

#[test]
fn of_a_very_long_line_a_part_is_checked_and_that_is_counted() {
    let long = format!("eval(input()); {} eval(input())", "x ".repeat(10_000));
    let diff = format!("--- a/x.py\n+++ b/x.py\n@@ -0,0 +1,2 @@\n+{long}\n+breakpoint()\n");
    let review = Review::new(diff.as_bytes(), ReviewOptions::default()).unwrap();
    let (outcomes, summary) = review.collect();
    let lines: Vec<_> = outcomes[0]
        .findings
        .iter()
        .map(|f| (f.rule.as_str(), f.line_range.0))
        .collect();
    assert_eq!(lines, [("dynamic-code", 1), ("debug-leftover", 2)]);
    assert!(
        outcomes[0].findings[0].suggestion.is_none(),
        "the line is not known to its end"
    );
    assert_eq!(summary.coverage.long_lines_cut, 1);
    assert_eq!(summary.coverage.cut_files, ["x.py"]);
}
