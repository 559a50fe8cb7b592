//! Arbitrary bytes as a diff: the reviewer ends, and whatever it finds is placed, bounded and
//! named as the contract says.

#![no_main]

use std::ops::ControlFlow;

use convergio_review::{Review, ReviewOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let options = ReviewOptions { strict: true, ..ReviewOptions::default() };
    let review = Review::new(input, options).expect("the options name no rule");
    let summary = review.run(|outcome| {
        for finding in &outcome.findings {
            assert!(finding.line_range.0 <= finding.line_range.1);
            assert!(finding.title.chars().count() <= 80, "{}", finding.title);
            assert!(finding.evidence.split('\n').count() <= 10);
            assert_eq!(finding.fingerprint.len(), 64);
            assert!(finding.columns.is_none_or(|(start, end)| start < end));
            if let Some(suggestion) = &finding.suggestion {
                let lines = suggestion.line_range.1 - suggestion.line_range.0 + 1;
                assert!(lines <= 10);
                assert_eq!(suggestion.original.split('\n').count(), lines as usize);
            }
        }
        ControlFlow::Continue(())
    });
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    assert!(summary.coverage.files_reviewed <= summary.coverage.files);
});
