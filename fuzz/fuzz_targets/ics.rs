//! No calendar breaks what reads it, what is taken over is written and read again as it was, and
//! every rule in it has a next time or none, soon.

#![no_main]

use convergio_tasks::ics;
use jiff::{Timestamp, civil};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(found) = ics::import(text) else { return };
    let now = Timestamp::UNIX_EPOCH;
    let written = ics::export(&found.items, now);
    let again = ics::import(written.as_bytes()).expect("what we write can be read");
    assert_eq!(found.items.len(), again.items.len());
    assert_eq!(again.left_out, []);
    assert_eq!(ics::export(&again.items, now), written);
    let start = civil::date(2026, 11, 22).at(9, 0, 0, 0);
    for rule in found.items.iter().filter_map(|item| item.rule.as_ref()) {
        let text = rule.to_string();
        let read = convergio_tasks::recur::Rule::parse(&text).expect("a rule as it is written");
        assert_eq!(&read, rule);
        if let Some(next) = rule.next_after(start, start) {
            assert!(next > start);
        }
    }
});
