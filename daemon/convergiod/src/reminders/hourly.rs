//! How many reminders are shown in an hour.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What was shown within the last hour, by the daemon's own clock: whatever somebody does to the
/// wall's, an hour is an hour.
#[derive(Default)]
pub(super) struct Hourly(VecDeque<Instant>);

impl Hourly {
    /// How many more may be shown now.
    pub(super) fn room(&mut self, now: Instant, most: usize) -> usize {
        while let Some(first) = self.0.front()
            && now.saturating_duration_since(*first) >= HOUR
        {
            self.0.pop_front();
        }
        most.saturating_sub(self.0.len())
    }

    /// One was shown.
    pub(super) fn count(&mut self, now: Instant) {
        self.0.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_again_an_hour_after_each() {
        let mut hourly = Hourly::default();
        let begun = Instant::now();
        let at = |minutes: u64| begun + Duration::from_secs(60 * minutes);
        assert_eq!(hourly.room(at(0), 2), 2);
        hourly.count(at(0));
        hourly.count(at(30));
        assert_eq!(hourly.room(at(59), 2), 0);
        assert_eq!(hourly.room(at(60), 2), 1);
        assert_eq!(hourly.room(at(90), 2), 2);
        // Fewer than were shown already: none, and no underflow.
        hourly.count(at(91));
        hourly.count(at(91));
        assert_eq!(hourly.room(at(91), 1), 0);
    }
}
