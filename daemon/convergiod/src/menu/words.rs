//! The menu's words, in English and Italian.

use jiff::{Zoned, civil::Weekday};

/// A language that the menu speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// Italian.
    Italian,
}

impl Language {
    /// Of a locale's name: `it`, `it_IT.UTF-8`; English for all that is not Italian.
    pub(crate) fn of(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next();
        match language.unwrap_or_default().eq_ignore_ascii_case("it") {
            true => Self::Italian,
            false => Self::English,
        }
    }

    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Italian => "it",
        }
    }

    /// Its words.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Italian => &ITALIAN,
        }
    }
}

/// What is said, in one language.
pub(crate) struct Words {
    pub(super) waiting_title: &'static str,
    pub(super) next_title: &'static str,
    pub(super) nothing_next: &'static str,
    pub(super) running_title: &'static str,
    pub(super) approvals_title: &'static str,
    pub(super) models_title: &'static str,
    pub(crate) done: &'static str,
    pub(crate) snooze_minutes: &'static str,
    pub(super) snooze_tomorrow: &'static str,
    pub(super) dismiss: &'static str,
    pub(super) cancel: &'static str,
    pub(super) pause: &'static str,
    pub(super) held_back: &'static str,
    pub(super) today: &'static str,
    pub(super) tomorrow: &'static str,
    pub(super) yesterday: &'static str,
    pub(super) due: &'static str,
    pub(super) since: &'static str,
    pub(super) spent_of: &'static str,
    pub(super) spent: &'static str,
    pub(super) held: &'static str,
    pub(super) used_up: &'static str,
    pub(super) one_waits: &'static str,
    pub(super) many_wait: &'static str,
    pub(super) next: &'static str,
    pub(super) running: &'static str,
    pub(super) spent_today: &'static str,
    pub(super) one_finding: &'static str,
    pub(super) findings: &'static str,
    pub(super) characters: &'static str,
    pub(super) more: fn(u64) -> String,
    pub(super) review: &'static str,
    pub(super) question: &'static str,
    pub(super) program: &'static str,
    pub(super) battery: &'static str,
    pub(super) offline: &'static str,
    pub(super) sleep: &'static str,
    pub(super) not_saving: &'static str,
    pub(super) broken_settings: &'static str,
    pub(super) unread: &'static str,
    pub(super) said_done: &'static str,
    pub(super) said_snoozed: &'static str,
    pub(super) said_dismissed: &'static str,
    pub(super) said_cancelled: &'static str,
    pub(super) said_paused: &'static str,
    pub(super) said_resumed: &'static str,
    weekdays: [&'static str; 7],
    months: [&'static str; 12],
}

static ENGLISH: Words = Words {
    waiting_title: "Waiting for you",
    next_title: "Next reminders",
    nothing_next: "No reminders",
    running_title: "Running",
    approvals_title: "Waiting for your yes",
    models_title: "Models in memory",
    done: "Done",
    snooze_minutes: "Snooze 10 min",
    snooze_tomorrow: "Snooze to tomorrow",
    dismiss: "Dismiss",
    cancel: "Cancel",
    pause: "Pause background work",
    held_back: "Background work waits",
    today: "today",
    tomorrow: "tomorrow",
    yesterday: "yesterday",
    due: "for",
    since: "since",
    spent_of: "of",
    spent: "Spent today",
    held: "held",
    used_up: "budget used up",
    one_waits: "1 reminder waits",
    many_wait: "reminders wait",
    next: "next",
    running: "running",
    spent_today: "today",
    one_finding: "1 finding",
    findings: "findings",
    characters: "characters",
    more: |hidden| format!("{hidden} more"),
    review: "Review",
    question: "Question",
    program: "Program",
    battery: "on battery",
    offline: "no network",
    sleep: "going to sleep",
    not_saving: "Nothing is being saved",
    broken_settings: "The settings cannot be read",
    unread: "Some of this could not be read",
    said_done: "Done",
    said_snoozed: "Later",
    said_dismissed: "Dismissed",
    said_cancelled: "Cancelled",
    said_paused: "Background work waits",
    said_resumed: "Background work goes on",
    weekdays: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    months: [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ],
};

static ITALIAN: Words = Words {
    waiting_title: "Ti aspettano",
    next_title: "Prossimi promemoria",
    nothing_next: "Nessun promemoria",
    running_title: "In corso",
    approvals_title: "Aspettano il tuo sì",
    models_title: "Modelli in memoria",
    done: "Fatto",
    snooze_minutes: "Rimanda di 10 min",
    snooze_tomorrow: "Rimanda a domani",
    dismiss: "Ignora",
    cancel: "Annulla",
    pause: "Sospendi il lavoro in background",
    held_back: "Il lavoro in background aspetta",
    today: "oggi",
    tomorrow: "domani",
    yesterday: "ieri",
    due: "per",
    since: "da",
    spent_of: "di",
    spent: "Spesi oggi",
    held: "impegnati",
    used_up: "budget esaurito",
    one_waits: "1 promemoria in attesa",
    many_wait: "promemoria in attesa",
    next: "prossimo",
    running: "in corso",
    spent_today: "oggi",
    one_finding: "1 segnalazione",
    findings: "segnalazioni",
    characters: "caratteri",
    more: |hidden| match hidden {
        1 => "un altro".to_owned(),
        many => format!("altri {many}"),
    },
    review: "Revisione",
    question: "Domanda",
    program: "Programma",
    battery: "a batteria",
    offline: "senza rete",
    sleep: "il computer si sospende",
    not_saving: "Non si salva nulla",
    broken_settings: "Le impostazioni non si leggono",
    unread: "Una parte non si è potuta leggere",
    said_done: "Fatto",
    said_snoozed: "Più tardi",
    said_dismissed: "Ignorato",
    said_cancelled: "Annullato",
    said_paused: "Il lavoro in background aspetta",
    said_resumed: "Il lavoro in background riprende",
    weekdays: ["lun", "mar", "mer", "gio", "ven", "sab", "dom"],
    months: [
        "gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic",
    ],
};

/// A moment as it is said now: `15:00`, `tomorrow 09:00`, `Tue 24 Nov, 09:00`.
pub(crate) fn moment(at: &Zoned, now: &Zoned, all_day: bool, language: Language) -> String {
    language.words().moment(at, now, all_day)
}

impl Words {
    /// A moment as it is said now: `15:00`, `tomorrow 09:00`, `Tue 24 Nov, 09:00`.
    pub(super) fn moment(&self, at: &Zoned, now: &Zoned, all_day: bool) -> String {
        let days = at
            .date()
            .since(now.date())
            .map_or(i32::MAX, |span| span.get_days());
        let day = match days {
            0 if !all_day => String::new(),
            0 => self.today.to_owned(),
            1 => self.tomorrow.to_owned(),
            -1 => self.yesterday.to_owned(),
            _ => self.date(at, now),
        };
        if all_day {
            return day;
        }
        let time = at.strftime("%H:%M").to_string();
        match days {
            0 => time,
            -1 | 1 => format!("{day} {time}"),
            _ => format!("{day}, {time}"),
        }
    }

    /// `Tue 24 Nov`, with the year where it is another one.
    pub(crate) fn date(&self, at: &Zoned, now: &Zoned) -> String {
        let weekday = match at.weekday() {
            Weekday::Monday => self.weekdays[0],
            Weekday::Tuesday => self.weekdays[1],
            Weekday::Wednesday => self.weekdays[2],
            Weekday::Thursday => self.weekdays[3],
            Weekday::Friday => self.weekdays[4],
            Weekday::Saturday => self.weekdays[5],
            Weekday::Sunday => self.weekdays[6],
        };
        let month = usize::try_from(at.month() - 1).ok();
        let month = month.and_then(|month| self.months.get(month));
        let date = format!("{weekday} {} {}", at.day(), month.unwrap_or(&""));
        match at.year() == now.year() {
            true => date,
            false => format!("{date} {}", at.year()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_as_people_say_them() {
        let at = |text: &str| text.parse::<Zoned>().unwrap();
        let now = at("2026-11-21T14:00[Europe/Rome]");
        for (moment, all_day, english, italian) in [
            ("2026-11-21T15:00", false, "15:00", "15:00"),
            ("2026-11-21T00:00", true, "today", "oggi"),
            ("2026-11-22T09:00", false, "tomorrow 09:00", "domani 09:00"),
            ("2026-11-22T00:00", true, "tomorrow", "domani"),
            ("2026-11-20T23:30", false, "yesterday 23:30", "ieri 23:30"),
            (
                "2026-11-24T09:05",
                false,
                "Tue 24 Nov, 09:05",
                "mar 24 nov, 09:05",
            ),
            ("2027-02-07T00:00", true, "Sun 7 Feb 2027", "dom 7 feb 2027"),
            (
                "2027-01-01T08:00",
                false,
                "Fri 1 Jan 2027, 08:00",
                "ven 1 gen 2027, 08:00",
            ),
        ] {
            let moment = at(&format!("{moment}[Europe/Rome]"));
            let said = |language: Language| language.words().moment(&moment, &now, all_day);
            assert_eq!(said(Language::English), english);
            assert_eq!(said(Language::Italian), italian);
        }
    }

    #[test]
    fn a_locale_names_its_language() {
        for (locale, italian) in [
            ("it", true),
            ("it_IT.UTF-8", true),
            ("IT-ch", true),
            ("en_US.UTF-8", false),
            ("C", false),
            ("", false),
            ("ita", false),
        ] {
            assert_eq!(
                Language::of(locale) == Language::Italian,
                italian,
                "{locale}"
            );
        }
    }
}
