//! Whether an address is this machine's own.

use std::net::IpAddr;

/// Empty, or an origin whose host is this machine's loopback.
pub(crate) fn on_this_machine(destination: &str) -> bool {
    if destination.is_empty() {
        return true;
    }
    let Some((_, rest)) = destination.split_once("://") else {
        return false;
    };
    if rest.contains(['/', '@', '?', '#', '\\']) {
        return false;
    }
    let host = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, _)| host),
        None => Some(rest.split_once(':').map_or(rest, |(host, _)| host)),
    };
    host.is_some_and(|host| {
        host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for origin in [
            "",
            "http://127.0.0.1:11434",
            "http://localhost:11434",
            "http://LOCALHOST",
            "http://[::1]:8080",
            "https://127.9.9.9",
        ] {
            assert!(on_this_machine(origin), "{origin}");
        }
        for origin in [
            "https://api.example.com",
            "http://192.168.1.2:11434",
            "http://0.0.0.0:11434",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com",
            "http://127.0.0.1.example.com",
            "http://[fe80::1]:80",
            "http://[::1",
            "localhost:11434",
            "http://",
            "http://evil/127.0.0.1",
        ] {
            assert!(!on_this_machine(origin), "{origin}");
        }
    }
}
