//! Which of two versions is older.

/// This build's version.
pub(crate) const OURS: &str = env!("CARGO_PKG_VERSION");

/// Major, minor, patch, and whether it is a release and not before one.
fn parse(version: &str) -> Option<(u64, u64, u64, bool)> {
    let version = version.split('+').next()?;
    let (numbers, release) = match version.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (version, true),
    };
    let mut parts = numbers.split('.').map(|part| part.parse().ok());
    let parsed = (parts.next()??, parts.next()??, parts.next()??, release);
    parts.next().is_none().then_some(parsed)
}

/// Compares a client's version with the daemon's; `None` if the client's cannot be read.
pub(crate) fn compare(client: &str, daemon: &str) -> Option<std::cmp::Ordering> {
    Some(parse(client)?.cmp(&parse(daemon)?))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn versions_compare_by_number_and_pre_releases_come_first() {
        for (client, daemon, order) in [
            ("0.1.0", "0.1.0", Some(Equal)),
            ("0.10.0", "0.9.9", Some(Greater)),
            ("1.0.0-rc.1", "1.0.0", Some(Less)),
            ("1.0.0+build5", "1.0.0", Some(Equal)),
            ("dev", "1.0.0", None),
            ("1.0", "1.0.0", None),
            ("1.0.0.0", "1.0.0", None),
        ] {
            assert_eq!(compare(client, daemon), order, "{client} {daemon}");
        }
        assert!(parse(OURS).is_some());
    }
}
