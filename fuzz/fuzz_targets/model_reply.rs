//! Arbitrary text as a model's answer: it is read or said to be unreadable, within bounds.

#![no_main]

use convergio_review::model::{parse_reply, parse_verdicts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    let reply = parse_reply(&text);
    assert!(reply.findings.len() <= 200 && reply.problems.len() <= 16);
    assert!(reply.understood || reply.findings.is_empty());
    for finding in &reply.findings {
        assert!(finding.line_start <= finding.line_end);
        assert!((0.0..=1.0).contains(&finding.confidence));
        assert!(finding.quote.len() <= 16 * 1024 && finding.title.len() <= 16 * 1024);
    }
    let verdicts = parse_verdicts(&text);
    assert!(verdicts.verdicts.len() <= 200 && verdicts.problems.len() <= 16);
});
