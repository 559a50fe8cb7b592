//! Amounts as others write them: more digits than we count, exponents, a sign.

/// Nano-USD in a dollar.
const NANO_DIGITS: i64 = 9;
/// Digits that are looked at; more is no amount.
const TEXT_BYTES_MAX: usize = 64;

/// An amount (`0.8958740000000000`, `6e-05`, `-1.20`) as nano-USD, rounded half to even.
/// `per_dollar` says of what: 1 for dollars, 100 for cents. `None` for what is no number or beyond
/// what can be counted.
#[must_use]
pub(super) fn nano_usd(text: &str, per_dollar: u32) -> Option<i64> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (number, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
        return None;
    }
    let mut value: i128 = 0;
    // Trailing zeros carry nothing, and others write many.
    let part = part.trim_end_matches('0');
    for digit in whole.bytes().chain(part.bytes()) {
        value = value
            .checked_mul(10)?
            .checked_add(i128::from(digit - b'0'))?;
    }
    // The value counts 10^-scale dollars or cents.
    let scale = i64::try_from(part.len())
        .ok()?
        .checked_sub(i64::from(exponent))?;
    let shift = NANO_DIGITS.checked_sub(scale)?;
    let per_dollar = i128::from(per_dollar.max(1));
    let rounded = if value == 0 {
        0
    } else if shift >= 0 {
        half_even(
            value.checked_mul(10_i128.checked_pow(u32::try_from(shift).ok()?)?)?,
            per_dollar,
        )
    } else {
        match u32::try_from(-shift)
            .ok()
            .and_then(|n| 10_i128.checked_pow(n))
        {
            Some(unit) => half_even(value, unit.checked_mul(per_dollar)?),
            // Less than can be told from nothing.
            None => 0,
        }
    };
    let nano = i64::try_from(rounded).ok()?;
    Some(if negative { -nano } else { nano })
}

fn half_even(value: i128, unit: i128) -> i128 {
    let (down, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let above = match (rest.saturating_mul(2)).cmp(&unit) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => down % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    down + i128::from(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_others_are_read_exactly() {
        for (text, per_dollar, nano) in [
            ("0.8958740000000000", 1, 895_874_000),
            ("123.78912", 100, 1_237_891_200),
            ("6e-05", 1, 60_000),
            ("1E2", 1, 100_000_000_000),
            ("-1.20", 1, -1_200_000_000),
            ("0", 1, 0),
            ("0.0000000005", 1, 0),
            ("0.0000000015", 1, 2),
            ("0.00000000050000001", 1, 1),
            ("1e-50", 1, 0),
            (".5", 1, 500_000_000),
        ] {
            assert_eq!(nano_usd(text, per_dollar), Some(nano), "{text}");
        }
        for bad in [
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1e99",
            "NaN",
            "inf",
            "0x1",
            "1,5",
            "$1",
            "--1",
            "+1",
            "1e99999999999",
            "99999999999999999999",
        ] {
            assert_eq!(nano_usd(bad, 1), None, "{bad}");
        }
    }
}
