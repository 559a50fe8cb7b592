//! Spending as a picture: one bar a row, in proportion to the dearest, whatever the width.

use convergio_contract::usage::UsageRow;

use crate::{
    money,
    output::{
        escape,
        layout::{Layout, Piece, columns},
        paint::Role,
    },
};

/// Columns where nobody says how many there are.
const COLUMNS_DEFAULT: usize = 80;
/// The widest bar.
const BAR_MAX_COLUMNS: usize = 40;
/// The narrowest.
const BAR_MIN_COLUMNS: usize = 3;
/// The widest name in front of a bar.
const NAME_MAX_COLUMNS: usize = 28;

/// A bar in proportion to the dearest, in eighths of a column; whatever cost anything has one.
pub fn bar(nano: i64, dearest: i64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let (nano, dearest) = (nano.max(0).unsigned_abs(), dearest.max(1).unsigned_abs());
    if nano == 0 {
        return String::new();
    }
    let all = u128::from(nano) * (width as u128) * 8 / u128::from(dearest);
    let all = usize::try_from(all).unwrap_or(0).clamp(1, width * 8);
    format!("{}{}", "█".repeat(all / 8), EIGHTHS[all % 8])
}

/// The name of a row in so many columns; of a day that does not fit, month and day.
fn name(row: &UsageRow, room: usize) -> String {
    let name = match row.key.as_str() {
        "" => "(none)".to_owned(),
        key => escape::line(key).into_owned(),
    };
    if columns(&name) <= room {
        return name;
    }
    if name.parse::<jiff::civil::Date>().is_ok() {
        return name[5..].to_owned();
    }
    let mut short = String::from("…");
    let mut tail: Vec<char> = Vec::new();
    for c in name.chars().rev() {
        tail.push(c);
        if columns(&tail.iter().collect::<String>()) >= room {
            tail.pop();
            break;
        }
    }
    short.extend(tail.into_iter().rev());
    short
}

/// One line a row: name, amount, bar. Rows keep their order, and fit the width.
pub fn plot(rows: &[UsageRow], layout: Layout) -> String {
    let width = layout.width.unwrap_or(COLUMNS_DEFAULT).max(20);
    let dearest = rows
        .iter()
        .map(|row| row.amount_nano_usd)
        .max()
        .unwrap_or(0);
    let amounts: Vec<String> = rows
        .iter()
        .map(|row| money::plot(row.amount_nano_usd))
        .collect();
    let of_amounts = amounts.iter().map(|text| columns(text)).max().unwrap_or(0);
    // Wide names give way before the bars do.
    let room = width.saturating_sub(of_amounts + BAR_MIN_COLUMNS * 2 + 4);
    let names: Vec<String> = rows
        .iter()
        .map(|row| name(row, room.clamp(5, NAME_MAX_COLUMNS)))
        .collect();
    let of_names = names.iter().map(|text| columns(text)).max().unwrap_or(0);
    let bars = width
        .saturating_sub(of_names + of_amounts + 4)
        .clamp(BAR_MIN_COLUMNS, BAR_MAX_COLUMNS);
    let mut out = String::new();
    for ((row, name), amount) in rows.iter().zip(&names).zip(&amounts) {
        let gap = " ".repeat(of_names - columns(name));
        let pad = " ".repeat(of_amounts - columns(amount));
        let pieces = [
            Piece::new("", format!("{name}{gap}  {pad}{amount}"), Role::Plain),
            Piece::new("  ", bar(row.amount_nano_usd, dearest, bars), Role::Good),
        ];
        // What is laid out here fits: nothing is to be wrapped.
        let whole = Layout {
            width: None,
            ..layout
        };
        out.push_str(whole.pieces(&pieces, 0).trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, nano: i64) -> UsageRow {
        UsageRow {
            key: key.to_owned(),
            runs: 1,
            attempts: 1,
            open: 0,
            input_tokens: 0,
            cached_input_tokens: 0,
            output_tokens: 0,
            amount_nano_usd: nano,
            estimated: 0,
            held_nano_usd: 0,
            adjusted_nano_usd: 0,
        }
    }

    #[test]
    fn bars_keep_their_proportion() {
        assert_eq!(bar(0, 10, 20), "");
        assert_eq!(bar(5, 10, 20).chars().count(), 10);
        assert_eq!(bar(i64::MAX, i64::MAX, 20).chars().count(), 20);
        assert_eq!(bar(1, i64::MAX, 20), "▏");
        assert_eq!(bar(3, 16, 2), "▍");
    }

    #[test]
    fn a_plot_fits_whatever_the_width() {
        let rows = [
            row("2026-11-20", 1_234_567_890),
            row("2026-11-19", 100),
            row("2026-11-18", 617_283_945),
        ];
        for width in 20..=120 {
            let layout = Layout {
                width: Some(width),
                color: false,
            };
            let text = plot(&rows, layout);
            for line in text.lines() {
                assert!(columns(line) <= width, "{width}: {line}");
            }
            assert_eq!(text.lines().count(), 3);
        }
        let narrow = Layout {
            width: Some(40),
            color: false,
        };
        assert_eq!(
            plot(&rows, narrow),
            "2026-11-20     $1.23  ██████████████████\n\
             2026-11-19  <$0.0001  ▏\n\
             2026-11-18   $0.6173  █████████\n"
        );
        let models = [
            row("a/very-long-name-of-a-model-that-goes-on", 5),
            row("", 3),
        ];
        assert!(plot(&models, narrow).contains('…'));
        assert!(plot(&models, narrow).contains("(none)"));
    }
}
