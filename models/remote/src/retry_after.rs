//! When a provider wants to be asked again.

use jiff::Timestamp;

/// More than a day is not waited for; whoever retries has a bound of its own, far below.
const MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds to wait: `retry-after-ms` where there is one, else `retry-after` in seconds or as
/// a date. `None` where neither says anything understandable.
pub(crate) fn retry_after_ms<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    now: Timestamp,
) -> Option<u64> {
    let exact = header("retry-after-ms").and_then(|value| milliseconds(value, 1.0));
    exact.or_else(|| {
        let value = header("retry-after")?;
        milliseconds(value, 1000.0).or_else(|| until(value, now))
    })
}

/// Milliseconds of a duration as Google writes it in a body: `37s`, `0.5s`.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    milliseconds(text.trim().strip_suffix('s')?, 1000.0)
}

fn milliseconds(value: &str, unit_ms: f64) -> Option<u64> {
    let number: f64 = value.trim().parse().ok()?;
    // Casts saturate; what is no number is no answer.
    (number >= 0.0).then(|| ((number * unit_ms).ceil() as u64).min(MAX_MS))
}

fn until(value: &str, now: Timestamp) -> Option<u64> {
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    let wait = at.as_millisecond().saturating_sub(now.as_millisecond());
    Some(u64::try_from(wait).unwrap_or(0).min(MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&str, &'static str)]) -> Option<u64> {
        let now: Timestamp = "2026-11-20T20:00:00Z".parse().unwrap();
        let find = |name: &str| {
            let header = headers.iter().find(|(it, _)| *it == name);
            header.map(|(_, value)| *value)
        };
        retry_after_ms(find, now)
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read_and_bounded() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(7000));
        assert_eq!(wait(&[("retry-after", " 0.5 ")]), Some(500));
        assert_eq!(
            wait(&[("retry-after", "7"), ("retry-after-ms", "1250")]),
            Some(1250)
        );
        let date = "Fri, 20 Nov 2026 20:00:30 GMT";
        assert_eq!(wait(&[("retry-after", date)]), Some(30_000));
        let past = "Fri, 20 Nov 2026 19:00:00 GMT";
        assert_eq!(wait(&[("retry-after", past)]), Some(0));
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(MAX_MS));
        for nonsense in ["", "soon", "-1", "NaN"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(wait(&[]), None);
        assert_eq!(duration_ms("37.5s"), Some(37_500));
        assert_eq!(duration_ms("37"), None);
    }
}
