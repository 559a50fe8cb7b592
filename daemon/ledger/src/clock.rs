//! When it is, as the caller says: nothing below reads a clock.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// A moment, by two clocks: the one that people set, and one that only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970, UTC.
    pub wall_ms: i64,
    /// Changes with every start of the machine; nil where it is unknown.
    pub boot_id: Uuid,
    /// Nanoseconds since the machine started, sleep included.
    pub mono_ns: i64,
}

#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
/// Goes on while the machine sleeps, there.
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

impl Now {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        static BOOT: OnceLock<Uuid> = OnceLock::new();
        let boot_id = *BOOT.get_or_init(|| {
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(Uuid::nil())
        });
        let wall_ms = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
        let since_boot = clock_gettime(SINCE_BOOT);
        Self {
            wall_ms,
            boot_id,
            mono_ns: since_boot
                .tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(since_boot.tv_nsec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_goes_forward_within_one_boot() {
        let (one, two) = (Now::system(), Now::system());
        assert_eq!(one.boot_id, two.boot_id);
        assert!(two.mono_ns >= one.mono_ns && one.mono_ns > 0);
        assert!(one.wall_ms > 1_600_000_000_000);
    }
}
