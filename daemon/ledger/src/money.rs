//! Money without floats: `i64` nano-USD, products in `i128`.

/// Nano-USD in a dollar.
const NANO: i64 = 1_000_000_000;
/// Units that a rate is for.
const MILLION: i128 = 1_000_000;
/// Nano-USD in a cent.
const CENT: i64 = NANO / 100;
/// Nano-USD in the last digit of an exact amount.
const TENTH_OF_MILL: i64 = NANO / 10_000;

/// What is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number of dollars.
    #[error("not an amount: digits and at most one point, for instance 2.00")]
    NotDecimal,
    /// More digits behind the point than are counted.
    #[error("more than nine digits behind the point")]
    TooFine,
    /// More than can be counted (about nine thousand million dollars).
    #[error("more money than can be counted")]
    TooLarge,
}

/// Reads dollars (`2`, `2.00`, `$0.5`) as nano-USD; a price for a million units is read the same
/// way. Exact: nothing is rounded.
///
/// # Errors
/// What is no such number: a sign, an exponent, a comma, more than nine digits behind the point.
pub fn parse_usd(text: &str) -> Result<i64, MoneyError> {
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    if text.ends_with('.') {
        return Err(MoneyError::NotDecimal);
    }
    if fraction.len() > 9 {
        return Err(MoneyError::TooFine);
    }
    let whole: i64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
    let fraction: i64 = format!("{fraction:0<9}")
        .parse()
        .map_err(|_| MoneyError::TooFine)?;
    whole
        .checked_mul(NANO)
        .and_then(|nano| nano.checked_add(fraction))
        .ok_or(MoneyError::TooLarge)
}

/// What `quantity` units cost at a rate for a million, rounded half to even.
///
/// # Errors
/// [`MoneyError::TooLarge`] beyond `i64`.
pub fn line(quantity: u64, nano_per_million: i64) -> Result<i64, MoneyError> {
    half_even(product(quantity, nano_per_million), MILLION)
}

/// As [`line`], rounded up: for what is held.
///
/// # Errors
/// [`MoneyError::TooLarge`] beyond `i64`.
pub fn line_up(quantity: u64, nano_per_million: i64) -> Result<i64, MoneyError> {
    narrow(up(product(quantity, nano_per_million), MILLION))
}

/// Millionths of a nano-USD.
pub(crate) fn product(quantity: u64, nano_per_million: i64) -> i128 {
    // 64 by 63 bits: fits.
    i128::from(quantity) * i128::from(nano_per_million)
}

/// A sum of products as nano-USD, half to even.
pub(crate) fn settle_up(millionths: i128) -> Result<i64, MoneyError> {
    half_even(millionths, MILLION)
}

fn half_even(value: i128, unit: i128) -> Result<i64, MoneyError> {
    let (down, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let above = match (rest * 2).cmp(&unit) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => down % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    narrow(down + i128::from(above))
}

fn up(value: i128, unit: i128) -> i128 {
    value.div_euclid(unit) + i128::from(value.rem_euclid(unit) != 0)
}

fn narrow(nano: i128) -> Result<i64, MoneyError> {
    i64::try_from(nano).map_err(|_| MoneyError::TooLarge)
}

/// An amount to read: dollars with four digits behind the point, rounded half to even, and with two
/// where it is whole cents; `$0` for nothing and `<$0.0001` for less than can be shown.
#[must_use]
pub fn usd(nano: i64) -> String {
    if nano == 0 {
        return "$0".to_owned();
    }
    if nano > 0 && nano < TENTH_OF_MILL {
        return "<$0.0001".to_owned();
    }
    match nano % CENT {
        0 => usd_cents(nano),
        _ => shown(nano, TENTH_OF_MILL, 4),
    }
}

/// A total to read: dollars and cents, rounded half to even.
#[must_use]
pub fn usd_cents(nano: i64) -> String {
    shown(nano, CENT, 2)
}

fn shown(nano: i64, unit: i64, digits: usize) -> String {
    // Dividing makes it smaller: there is nothing to overflow.
    let units = half_even(i128::from(nano), i128::from(unit)).unwrap_or(i64::MAX);
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    let per_dollar = (NANO / unit).unsigned_abs();
    format!(
        "{sign}${}.{:0digits$}",
        units / per_dollar,
        units % per_dollar
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dollars_are_read_exactly_or_not_at_all() {
        for (text, nano) in [
            ("0", 0),
            ("3.00", 3_000_000_000),
            ("$0.5", 500_000_000),
            ("0.000000001", 1),
            ("0.1", 100_000_000),
            ("9223372036.854775807", i64::MAX),
            ("007", 7_000_000_000),
        ] {
            assert_eq!(parse_usd(text), Ok(nano), "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "1.2.3", "$", "$$1", "0x1",
            "١", "NaN", "1_000",
        ] {
            assert_eq!(parse_usd(text), Err(MoneyError::NotDecimal), "{text:?}");
        }
        assert_eq!(parse_usd("0.0000000001"), Err(MoneyError::TooFine));
        assert_eq!(parse_usd("9223372036.854775808"), Err(MoneyError::TooLarge));
        assert_eq!(parse_usd("99999999999999999999"), Err(MoneyError::TooLarge));
    }

    #[test]
    fn lines_round_half_to_even_and_holds_round_up() {
        // quantity, rate, line, held
        for (quantity, rate, nearest, above) in [
            (0, 3_000_000_000, 0, 0),
            (1, 3_000_000_000, 3_000, 3_000),
            (1_000_000, 1, 1, 1),
            (499_999, 1, 0, 1),
            (500_000, 1, 0, 1),
            (500_001, 1, 1, 1),
            (1_500_000, 1, 2, 2),
            (2_500_000, 1, 2, 3),
            (3_500_000, 1, 4, 4),
            (12_304, 3_750_000_000, 46_140_000, 46_140_000),
            (550, 15_000_000_000, 8_250_000, 8_250_000),
        ] {
            assert_eq!(line(quantity, rate), Ok(nearest), "{quantity} at {rate}");
            assert_eq!(line_up(quantity, rate), Ok(above), "{quantity} at {rate}");
        }
        assert_eq!(line(u64::MAX, i64::MAX), Err(MoneyError::TooLarge));
        assert_eq!(line_up(u64::MAX, i64::MAX), Err(MoneyError::TooLarge));
    }

    #[test]
    fn amounts_read_well() {
        for (nano, exact, total) in [
            (0, "$0", "$0.00"),
            (1, "<$0.0001", "$0.00"),
            (99_999, "<$0.0001", "$0.00"),
            (100_000, "$0.0001", "$0.00"),
            (12_300_000, "$0.0123", "$0.01"),
            (5_000_000, "$0.0050", "$0.00"),
            (15_000_000, "$0.0150", "$0.02"),
            (999_999_999, "$1.0000", "$1.00"),
            (12_345_678_900, "$12.3457", "$12.35"),
            (-5_000_000_000, "-$5.00", "-$5.00"),
            (i64::MAX, "$9223372036.8548", "$9223372036.85"),
        ] {
            assert_eq!(usd(nano), exact);
            assert_eq!(usd_cents(nano), total);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_whole_is_read_back(cents in 0..1_000_000_000_i64) {
            let nano = cents * CENT;
            prop_assert_eq!(parse_usd(&usd_cents(nano)), Ok(nano));
        }

        #[test]
        fn a_hold_is_never_below_its_line(quantity in 0..1_000_000_000_000_u64, rate in 0..1_000_000_000_000_i64) {
            if let (Ok(nearest), Ok(above)) = (line(quantity, rate), line_up(quantity, rate)) {
                prop_assert!(above >= nearest && above - nearest <= 1);
            }
        }
    }
}
