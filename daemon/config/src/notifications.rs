//! When reminders are shown, and how many.

use crate::forms::hours_of_day;
use crate::keys::{
    NOTIFICATIONS_CRITICAL, NOTIFICATIONS_ENABLED, NOTIFICATIONS_MAX_PER_HOUR,
    NOTIFICATIONS_QUIET_HOURS,
};
use crate::settings::Settings;
use crate::value::Value;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// What the user says about reminders on the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotificationSettings {
    /// They are shown at all.
    pub enabled: bool,
    /// Shown one by one in an hour at most, 1 to 1,000.
    pub max_per_hour: u64,
    /// Those of high priority pass quiet hours, and a server may let them pass its own.
    pub high_is_critical: bool,
    /// From this minute after midnight to that one, past midnight where the second is less.
    pub quiet_hours: Option<(u16, u16)>,
}

impl NotificationSettings {
    /// Minutes until quiet hours end, where they hold at this minute after midnight.
    pub fn quiet_for(&self, minute: u16) -> Option<u16> {
        let (from, until) = self.quiet_hours?;
        let holds = match from < until {
            true => (from..until).contains(&minute),
            false => minute >= from || minute < until,
        };
        holds.then(|| (until + DAY - minute.min(DAY)) % DAY)
    }
}

impl Settings {
    /// What holds for reminders on the desktop.
    pub fn notifications(&self) -> NotificationSettings {
        let hours = self.entry(&NOTIFICATIONS_QUIET_HOURS.dotted());
        let quiet_hours = hours.and_then(|(_, entry)| match &entry.value {
            Value::Word(hours) => hours_of_day(hours),
            _ => None,
        });
        NotificationSettings {
            enabled: self.value(&NOTIFICATIONS_ENABLED),
            max_per_hour: self.value(&NOTIFICATIONS_MAX_PER_HOUR),
            high_is_critical: self.value(&NOTIFICATIONS_CRITICAL) == "high",
            quiet_hours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_hold_past_midnight_and_say_when_they_end() {
        let settings = |quiet_hours| NotificationSettings {
            quiet_hours,
            ..Settings::defaults().notifications()
        };
        let night = settings(Some((22 * 60, 7 * 60)));
        for (minute, left) in [
            (22 * 60 - 1, None),
            (22 * 60, Some(9 * 60)),
            (DAY - 1, Some(7 * 60 + 1)),
            (0, Some(7 * 60)),
            (7 * 60 - 1, Some(1)),
            (7 * 60, None),
        ] {
            assert_eq!(night.quiet_for(minute), left, "{minute}");
        }
        let noon = settings(Some((12 * 60, 13 * 60)));
        assert_eq!(noon.quiet_for(12 * 60 + 30), Some(30));
        assert_eq!(noon.quiet_for(13 * 60), None);
        assert_eq!(noon.quiet_for(0), None);
        assert_eq!(settings(None).quiet_for(0), None);
    }

    #[test]
    fn nothing_is_quiet_or_critical_unless_somebody_says_so() {
        let defaults = Settings::defaults().notifications();
        assert_eq!(
            defaults,
            NotificationSettings {
                enabled: true,
                max_per_hour: 30,
                high_is_critical: false,
                quiet_hours: None,
            }
        );
    }
}
