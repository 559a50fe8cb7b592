//! Reads a diff on standard input and prints its findings as JSON lines, then one line that says
//! how many files it has and how many were reviewed. `--strict` turns the opt-in rules on.

use std::io::{self, Read as _, Write as _};

use convergio_review::{Review, ReviewOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut diff = Vec::new();
    io::stdin().lock().read_to_end(&mut diff)?;
    let strict = std::env::args().any(|argument| argument == "--strict");
    let review = Review::new(
        &diff,
        ReviewOptions {
            strict,
            findings_per_rule_and_file_max: u32::MAX,
            ..Default::default()
        },
    )?;
    let (outcomes, summary) = review.collect();
    let mut out = io::stdout().lock();
    for finding in outcomes.iter().flat_map(|outcome| &outcome.findings) {
        serde_json::to_writer(&mut out, finding)?;
        writeln!(out)?;
    }
    let summary = serde_json::json!({
        "files": summary.coverage.files,
        "reviewed": summary.coverage.files_reviewed,
        "added_lines": summary.coverage.added_lines_reviewed,
        "incomplete": summary.incomplete,
    });
    writeln!(out, "{summary}")?;
    Ok(())
}
