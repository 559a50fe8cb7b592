//! Arbitrary bytes as a provider's export: it is read whole or refused by its line, within bounds.

#![no_main]

use convergio_ledger::{INVOICE_LINES_MAX, parse_invoice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for provider in [None, Some("acme")] {
        let Ok(invoice) = parse_invoice(input, provider) else {
            continue;
        };
        assert!(invoice.lines.len() <= INVOICE_LINES_MAX);
        let (first, last) = (invoice.first_day, invoice.last_day);
        assert!(first <= last);
        for line in &invoice.lines {
            assert!(line.line > 0 && !line.provider.is_empty());
            assert!(first.is_some_and(|first| first <= line.day));
            assert!(last.is_some_and(|last| line.day <= last));
            assert!(line.quantity.is_some() || line.amount_nano.is_some());
            assert!(line.quantity.is_none() || line.resource.is_some());
            for name in line.model.iter().chain([&line.provider]) {
                assert!(name.len() <= 256 && !name.chars().any(char::is_control));
            }
        }
    }
});
