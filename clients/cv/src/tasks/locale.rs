//! Where the user is and which words are theirs: zone, language, order of dates.

use convergio_contract::task::{TaskDue, TaskLocale};
use jiff::{
    Timestamp, Zoned,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::words::{Language, Words};
use crate::context::Surroundings;

/// The user's place, and now.
#[derive(Clone, Debug)]
pub struct Here {
    /// The words of their language.
    pub words: &'static Words,
    /// Now, in their zone.
    pub now: Zoned,
    /// As the daemon is told.
    pub locale: TaskLocale,
}

impl Here {
    /// From the environment, at this moment.
    pub fn of(surroundings: &Surroundings) -> Self {
        Self::at(surroundings.locale.as_deref(), Zoned::now())
    }

    /// With a locale's name, at a moment.
    pub fn at(name: Option<&str>, now: Zoned) -> Self {
        let name = Name::of(name.unwrap_or_default());
        let language = name.language();
        let zone = now.time_zone().iana_name();
        Self {
            words: language.unwrap_or(Language::English).words(),
            locale: TaskLocale {
                // Where the system does not say, the daemon's own zone is as good a guess.
                zone: zone
                    .filter(|zone| *zone != "Etc/Unknown")
                    .map(str::to_owned),
                languages: match language {
                    None => Vec::new(),
                    Some(Language::English) => vec!["en".to_owned(), "it".to_owned()],
                    Some(Language::Italian) => vec!["it".to_owned(), "en".to_owned()],
                },
                day_first: name.day_first(),
            },
            now,
        }
    }

    /// The user's zone.
    pub fn zone(&self) -> TimeZone {
        self.now.time_zone().clone()
    }

    /// The day that a task is due on here.
    pub fn day_of(&self, due: &TaskDue) -> Date {
        match whole_day(due) {
            // A day is the same day everywhere.
            Some(day) => day,
            None => self.moment(due.at_ms).date(),
        }
    }

    /// A task's time has passed; a whole day's, when the day has.
    pub fn has_passed(&self, due: &TaskDue) -> bool {
        match whole_day(due) {
            Some(day) => day < self.now.date(),
            None => due.at_ms < self.now.timestamp().as_millisecond(),
        }
    }

    /// `today 09:00`, `Sun 22 Nov 09:00`, `Mon 1 Mar 2027`.
    pub fn due(&self, due: &TaskDue) -> String {
        let day = self.day(self.day_of(due));
        if whole_day(due).is_some() {
            return day;
        }
        format!("{day} {}", clock(&self.moment(due.at_ms)))
    }

    /// The same of a moment.
    pub fn at_ms(&self, ms: i64) -> String {
        let at = self.moment(ms);
        format!("{} {}", self.day(at.date()), clock(&at))
    }

    /// `today`, `Sun 22 Nov`, `Mon 1 Mar 2027`.
    pub fn day(&self, day: Date) -> String {
        let words = self.words;
        let today = self.now.date();
        if day == today {
            return words.today.to_owned();
        }
        if today.tomorrow().is_ok_and(|next| next == day) {
            return words.tomorrow.to_owned();
        }
        if today.yesterday().is_ok_and(|last| last == day) {
            return words.yesterday.to_owned();
        }
        let weekday =
            words.weekdays[usize::from(day.weekday().to_monday_zero_offset().unsigned_abs()) % 7];
        let month = words.months[usize::from(day.month().unsigned_abs()).saturating_sub(1) % 12];
        let mut text = format!("{weekday} {} {month}", day.day());
        if day.year() != today.year() {
            text.push_str(&format!(" {}", day.year()));
        }
        text
    }

    fn moment(&self, ms: i64) -> Zoned {
        Timestamp::from_millisecond(ms)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(self.zone())
    }
}

fn clock(at: &Zoned) -> String {
    at.strftime("%H:%M").to_string()
}

/// The day of a time that is a day.
fn whole_day(due: &TaskDue) -> Option<Date> {
    // A time of day parses as a date as well.
    if due.local.parse::<DateTime>().is_ok() && due.local.contains('T') {
        return None;
    }
    due.local.parse().ok()
}

/// A locale's name, `it_IT.UTF-8`, in its parts.
struct Name {
    language: String,
    region: String,
}

impl Name {
    fn of(name: &str) -> Self {
        let plain = name.split(['.', '@']).next().unwrap_or_default();
        let (language, region) = plain.split_once(['_', '-']).unwrap_or((plain, ""));
        Self {
            language: language.to_ascii_lowercase(),
            region: region.to_ascii_uppercase(),
        }
    }

    /// None where it is none of ours, or says nothing, as `C` does.
    fn language(&self) -> Option<Language> {
        match self.language.as_str() {
            "en" => Some(Language::English),
            "it" => Some(Language::Italian),
            _ => None,
        }
    }

    /// Whether 3/4 is the third of April; none where both are written.
    fn day_first(&self) -> Option<bool> {
        match (self.language.as_str(), self.region.as_str()) {
            ("en", "US" | "PH") => Some(false),
            ("en", "GB" | "IE" | "AU" | "NZ" | "IN" | "SG" | "HK" | "MT") => Some(true),
            (_, "US" | "CA" | "ZA") => None,
            (
                "it" | "fr" | "de" | "es" | "pt" | "nl" | "pl" | "cs" | "sk" | "ro" | "da" | "nb"
                | "nn" | "fi" | "el" | "tr" | "ru" | "uk" | "bg" | "hr" | "sl" | "ca",
                _,
            ) => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn here(name: &str) -> Here {
        let now: Zoned = "2026-11-21T15:00:00[Europe/Rome]".parse().expect("a time");
        Here::at(Some(name), now)
    }

    fn due(local: &str, at: &str) -> TaskDue {
        TaskDue {
            local: local.to_owned(),
            zone: "Europe/Rome".to_owned(),
            at_ms: at.parse::<Timestamp>().expect("a time").as_millisecond(),
        }
    }

    #[test]
    fn a_locales_name_says_language_and_order_of_dates() {
        for (name, languages, day_first) in [
            ("it_IT.UTF-8", &["it", "en"][..], Some(true)),
            ("it", &["it", "en"], Some(true)),
            ("IT_ch@euro", &["it", "en"], Some(true)),
            ("en_US.UTF-8", &["en", "it"], Some(false)),
            ("en_GB", &["en", "it"], Some(true)),
            ("en_CA", &["en", "it"], None),
            ("en", &["en", "it"], None),
            ("de_DE.UTF-8", &[], Some(true)),
            ("ja_JP.UTF-8", &[], None),
            ("C.UTF-8", &[], None),
            ("POSIX", &[], None),
            ("", &[], None),
        ] {
            let here = here(name);
            assert_eq!(here.locale.languages, languages, "{name}");
            assert_eq!(here.locale.day_first, day_first, "{name}");
            assert_eq!(here.locale.zone.as_deref(), Some("Europe/Rome"));
        }
    }

    #[test]
    fn times_are_said_from_where_the_user_stands() {
        let english = here("en_GB");
        let italian = here("it_IT");
        let cases = [
            (
                "2026-11-21T16:30:00",
                "2026-11-21T15:30:00Z",
                "today 16:30",
                "oggi 16:30",
            ),
            (
                "2026-11-22T09:00:00",
                "2026-11-22T08:00:00Z",
                "tomorrow 09:00",
                "domani 09:00",
            ),
            ("2026-11-20", "2026-11-19T23:00:00Z", "yesterday", "ieri"),
            (
                "2026-11-26T09:00:00",
                "2026-11-26T08:00:00Z",
                "Thu 26 Nov 09:00",
                "gio 26 nov 09:00",
            ),
            (
                "2027-03-01",
                "2027-02-28T23:00:00Z",
                "Mon 1 Mar 2027",
                "lun 1 mar 2027",
            ),
        ];
        for (local, at, in_english, in_italian) in cases {
            let due = due(local, at);
            assert_eq!(english.due(&due), in_english);
            assert_eq!(italian.due(&due), in_italian);
        }
        assert!(english.has_passed(&due("2026-11-21T14:59:00", "2026-11-21T13:59:00Z")));
        // The day is not over.
        assert!(!english.has_passed(&due("2026-11-21", "2026-11-20T23:00:00Z")));
        assert!(english.has_passed(&due("2026-11-20", "2026-11-19T23:00:00Z")));
    }
}
