//! iCalendar in and out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod producers;
mod round_trip;

use convergio_tasks::ics::{Import, Item, import};

/// A calendar around lines.
fn calendar(inner: &str) -> String {
    let inner = inner
        .trim()
        .lines()
        .map(str::trim_start)
        .collect::<Vec<_>>()
        .join("\r\n");
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//T//EN\r\n{inner}\r\nEND:VCALENDAR\r\n")
}

fn read(inner: &str) -> Import {
    import(calendar(inner).as_bytes()).unwrap()
}

/// One item, and nothing left out.
fn one(inner: &str) -> Item {
    let mut found = read(inner);
    assert_eq!(found.left_out, []);
    assert_eq!(found.items.len(), 1);
    found.items.remove(0)
}

/// What was left out, as `name×count`.
fn left_out(found: &Import) -> Vec<String> {
    found
        .left_out
        .iter()
        .map(|left| format!("{}×{}", left.what, left.count))
        .collect()
}
