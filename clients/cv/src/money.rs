//! Money as a person types and reads it; in between it is a whole number of nano-USD.

const NANO_PER_USD: i64 = 1_000_000_000;
/// More than anybody means.
const USD_MAX: i64 = 1_000_000;
const DECIMALS: usize = 9;

/// Decimal USD, for instance `0.25`, as nano-USD. No floating point comes near it.
pub fn parse(text: &str) -> Result<i64, String> {
    let refused = || "use US dollars, for instance 0.25".to_owned();
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
        return Err(refused());
    }
    if part.len() > DECIMALS {
        return Err(format!("{DECIMALS} decimals at most"));
    }
    let whole: i64 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| refused())?,
    };
    if whole > USD_MAX {
        return Err(format!("{USD_MAX} US dollars at most"));
    }
    let part: i64 = format!("{part:0<DECIMALS$}")
        .parse()
        .map_err(|_| refused())?;
    Ok(whole * NANO_PER_USD + part)
}

/// Exactly, as a decimal number: `0.0083`, `2`.
pub fn decimal(nano: i64) -> String {
    let sign = if nano < 0 { "-" } else { "" };
    let nano = nano.unsigned_abs();
    let (whole, part) = (
        nano / NANO_PER_USD.unsigned_abs(),
        nano % NANO_PER_USD.unsigned_abs(),
    );
    let part = format!("{part:09}");
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

/// Exactly, as a person writes an amount: `2.00`, `0.0083`.
pub fn dollars(nano: i64) -> String {
    let exact = decimal(nano);
    match exact.split_once('.') {
        None => exact + ".00",
        Some((_, part)) if part.len() == 1 => exact + "0",
        Some(_) => exact,
    }
}

/// For a person: `$0.0083`, `$1.20`, `less than $0.0001`.
pub fn shown(nano: i64) -> String {
    /// A ten-thousandth of a dollar.
    const FINE: u64 = 100_000;
    /// A cent.
    const CENT: u64 = 10_000_000;
    let sign = if nano < 0 { "-" } else { "" };
    let amount = nano.unsigned_abs();
    match amount {
        0 => "$0".to_owned(),
        1..FINE => format!("less than {sign}$0.0001"),
        _ if amount < 100 * CENT && !amount.is_multiple_of(CENT) => {
            let fine = (amount + FINE / 2) / FINE;
            format!("{sign}${}.{:04}", fine / 10_000, fine % 10_000)
        }
        _ => {
            let cents = (amount + CENT / 2) / CENT;
            format!(
                "{sign}${}.{:02}",
                crate::render::words::grouped(cents / 100),
                cents % 100
            )
        }
    }
}

/// As [`shown`], in the width of a column.
pub fn plot(nano: i64) -> String {
    shown(nano).replace("less than ", "<")
}

/// To the last digit, and to the cent at least: `$0.003612`, `$0.50`.
pub fn exact(nano: i64) -> String {
    if nano == 0 {
        return "$0".to_owned();
    }
    let text = dollars(nano);
    match text.strip_prefix('-') {
        Some(amount) => format!("-${amount}"),
        None => format!("${text}"),
    }
}

/// A round amount that is enough: the next one of two digits, and of whole cents.
pub fn round_up(nano: i64) -> i64 {
    const CENT: i64 = 10_000_000;
    let mut step = CENT;
    while nano / step >= 100 {
        step = step.saturating_mul(10);
    }
    let rest = nano.rem_euclid(step);
    match rest {
        0 => nano,
        _ => nano.saturating_add(step - rest),
    }
}

/// A difference: `+$0.09`, `-$0.50`.
pub fn signed(nano: i64) -> String {
    let sign = if nano > 0 { "+" } else { "" };
    format!("{sign}{}", exact(nano))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dollars_are_read_exactly_or_not_at_all() {
        for (text, nano) in [
            ("2", 2_000_000_000),
            ("2.00", 2_000_000_000),
            ("$0.25", 250_000_000),
            (".5", 500_000_000),
            ("0.000000001", 1),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(nano), "{text}");
        }
        for bad in [
            "",
            ".",
            "-1",
            "1,5",
            "1e3",
            "0.0000000001",
            "1000001",
            "two",
            "99999999999999999999",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn written_amounts_have_cents() {
        assert_eq!(dollars(2_000_000_000), "2.00");
        assert_eq!(dollars(2_500_000_000), "2.50");
        assert_eq!(dollars(8_300_000), "0.0083");
    }

    #[test]
    fn exact_amounts_lose_nothing() {
        assert_eq!(exact(3_612_000), "$0.003612");
        assert_eq!(exact(1), "$0.000000001");
        assert_eq!(signed(90_000_000), "+$0.09");
        assert_eq!(signed(-500_000_000), "-$0.50");
        assert_eq!(signed(1_000_000_000), "+$1.00");
        assert_eq!(exact(0), "$0");
        assert_eq!(plot(1), "<$0.0001");
    }

    #[test]
    fn round_amounts_are_enough() {
        for (nano, round) in [
            (1, 10_000_000),
            (10_000_000, 10_000_000),
            (130_000_001, 140_000_000),
            (1_000_315_000, 1_100_000_000),
            (5_000_000_000, 5_000_000_000),
            (5_000_300_000, 5_100_000_000),
            (123_400_000_000, 130_000_000_000),
        ] {
            assert_eq!(round_up(nano), round, "{nano}");
        }
        assert_eq!(round_up(i64::MAX), i64::MAX);
    }

    #[test]
    fn amounts_read_well() {
        for (nano, text) in [
            (0, "$0"),
            (99_999, "less than $0.0001"),
            (8_300_000, "$0.0083"),
            (20_000_000, "$0.02"),
            (999_960_000, "$1.0000"),
            (1_234_567_890, "$1.23"),
            (2_000_000_000, "$2.00"),
            (1_234_000_000_000, "$1,234.00"),
        ] {
            assert_eq!(shown(nano), text, "{nano}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_means_the_amount(nano in 0i64..=1_000_000_000_000_000) {
            prop_assert_eq!(parse(&decimal(nano)), Ok(nano));
            prop_assert_eq!(parse(&dollars(nano)), Ok(nano));
        }
    }
}
