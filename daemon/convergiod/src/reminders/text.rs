//! What a reminder says, in English and Italian. Titles and notes are text of people: whatever
//! stands in them is shown and drives nothing.

use convergio_contract::task::{Occurrence as Told, OccurrenceState};
use convergio_tasks::book::{Fate, Occurrence};
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::menu::Language;

/// Characters of a title that are shown: the rest is in the task.
const TITLE_MAX_CHARS: usize = 200;
/// Characters of notes that are shown.
const NOTES_MAX_CHARS: usize = 600;

/// The words of one language.
struct Words {
    open: &'static str,
    late: &'static str,
    earlier_one: &'static str,
    earlier: &'static str,
    more_one: &'static str,
    more: &'static str,
    day: &'static str,
    works: &'static str,
    test: &'static str,
}

const ENGLISH: Words = Words {
    open: "Open",
    late: "late",
    earlier_one: "1 earlier one",
    earlier: "earlier ones",
    more_one: "1 more reminder",
    more: "more reminders",
    day: "d",
    works: "Reminders are shown like this",
    test: "Notifications work",
};

const ITALIAN: Words = Words {
    open: "Apri",
    late: "di ritardo",
    earlier_one: "1 precedente",
    earlier: "precedenti",
    more_one: "Un altro promemoria",
    more: "altri promemoria",
    day: "g",
    works: "I promemoria si vedono così",
    test: "Le notifiche funzionano",
};

fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Italian => &ITALIAN,
    }
}

/// Labels of the three buttons.
pub(super) fn labels(language: Language) -> [&'static str; 3] {
    let menu = language.words();
    [menu.done, menu.snooze_minutes, words(language).open]
}

/// A moment in a zone; the first of all where it is none.
fn zoned(at_ms: i64, zone: TimeZone) -> Zoned {
    Timestamp::from_millisecond(at_ms)
        .unwrap_or_default()
        .to_zoned(zone)
}

/// `Sun 22 Nov, 09:00 · 2 h late · 3 earlier ones`: the same however often it is asked for.
pub(super) fn said(occurrence: &Occurrence, language: Language, here: &TimeZone) -> String {
    let own = || TimeZone::get(&occurrence.zone).ok();
    let zone = match occurrence.all_day {
        true => own().unwrap_or_else(|| here.clone()),
        false => here.clone(),
    };
    let due = zoned(occurrence.due_ms, zone.clone());
    let mut said = language
        .words()
        .date(&due, &zoned(occurrence.fired_ms, zone));
    if !occurrence.all_day {
        said.push_str(&due.strftime(", %H:%M").to_string());
    }
    let words = words(language);
    if occurrence.is_late() {
        let late_ms = occurrence.fired_ms.saturating_sub(occurrence.fire_ms);
        said.push_str(&format!(" · {} {}", span(late_ms, words), words.late));
    }
    match occurrence.missed {
        0 => {}
        1 => said.push_str(&format!(" · {}", words.earlier_one)),
        many => said.push_str(&format!(" · {many} {}", words.earlier)),
    }
    said
}

/// `2 h`: the greatest unit alone.
fn span(ms: i64, words: &Words) -> String {
    let minutes = ms / 60_000;
    match (minutes / (24 * 60), minutes / 60) {
        (days @ 1.., _) => format!("{days} {}", words.day),
        (_, hours @ 1..) => format!("{hours} h"),
        _ => format!("{minutes} min"),
    }
}

/// As it travels.
pub(crate) fn told(occurrence: &Occurrence, language: Language, here: &TimeZone) -> Told {
    Told {
        occurrence_id: occurrence.id,
        task_id: occurrence.task_id,
        number: occurrence.number,
        title: occurrence.title.clone(),
        due_ms: occurrence.due_ms,
        fire_ms: occurrence.fire_ms,
        fired_ms: occurrence.fired_ms,
        late: occurrence.is_late(),
        missed: occurrence.missed,
        state: match occurrence.state {
            Fate::Claimed => OccurrenceState::Claimed,
            Fate::Shown => OccurrenceState::Shown,
            Fate::Missed => OccurrenceState::Missed,
            Fate::Seen => OccurrenceState::Seen,
            Fate::Done => OccurrenceState::Done,
            Fate::Snoozed => OccurrenceState::Snoozed,
            Fate::Dismissed => OccurrenceState::Dismissed,
        },
        said: said(occurrence, language, here),
    }
}

/// A title on one line: what cannot be seen is in sight, what is longer ends in `…`.
pub(super) fn title(text: &str) -> String {
    inert(text, TITLE_MAX_CHARS, false)
}

/// Notes on their lines.
pub(super) fn notes(text: &str) -> String {
    inert(text, NOTES_MAX_CHARS, true)
}

/// `3 more reminders`.
pub(super) fn more(count: usize, language: Language) -> String {
    let words = words(language);
    match count {
        1 => words.more_one.to_owned(),
        many => format!("{many} {}", words.more),
    }
}

/// Title and body of `cv notify test`.
pub(crate) fn test(language: Language) -> (&'static str, &'static str) {
    let words = words(language);
    (words.test, words.works)
}

/// Characters that turn what follows, or are there and cannot be seen.
fn is_hidden(one: char) -> bool {
    matches!(
        one,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn inert(text: &str, most: usize, lines: bool) -> String {
    let mut plain = String::with_capacity(text.len().min(4 * most));
    for (count, one) in text.trim().chars().enumerate() {
        if count == most {
            plain.push('…');
            break;
        }
        match one {
            '\n' if lines => plain.push('\n'),
            '\n' | '\r' | '\t' => plain.push(' '),
            hidden if hidden.is_control() || is_hidden(hidden) => {
                plain.push('\u{fffd}');
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use convergio_contract::Uuid;

    use super::*;

    fn occurrence(due: &str) -> Occurrence {
        let due_ms = due.parse::<Zoned>().unwrap().timestamp().as_millisecond();
        Occurrence {
            id: Uuid::nil(),
            task_id: Uuid::nil(),
            number: 12,
            title: "call Mario".to_owned(),
            due_ms,
            before_min: 0,
            snooze: 0,
            fire_ms: due_ms,
            fired_ms: due_ms + 5,
            missed: 0,
            state: Fate::Claimed,
            shown_as: None,
            all_day: false,
            zone: "Europe/Rome".to_owned(),
        }
    }

    #[test]
    fn a_reminder_says_when_how_late_and_what_it_stands_for() {
        let rome = TimeZone::get("Europe/Rome").unwrap();
        let mut reminder = occurrence("2026-11-22T09:00[Europe/Rome]");
        let both = |reminder: &Occurrence| {
            [Language::English, Language::Italian].map(|language| said(reminder, language, &rome))
        };
        assert_eq!(both(&reminder), ["Sun 22 Nov, 09:00", "dom 22 nov, 09:00"]);
        // In the time of where the person is, not of where it was written.
        let london = TimeZone::get("Europe/London").unwrap();
        let there = said(&reminder, Language::English, &london);
        assert_eq!(there, "Sun 22 Nov, 08:00");
        for (late_ms, missed, english, italian) in [
            (59_999, 0, "", ""),
            (60_000, 0, " · 1 min late", " · 1 min di ritardo"),
            (
                7_200_000,
                1,
                " · 2 h late · 1 earlier one",
                " · 2 h di ritardo · 1 precedente",
            ),
            (
                31 * 86_400_000,
                3,
                " · 31 d late · 3 earlier ones",
                " · 31 g di ritardo · 3 precedenti",
            ),
        ] {
            reminder.fired_ms = reminder.fire_ms + late_ms;
            reminder.missed = missed;
            let [in_english, in_italian] = both(&reminder);
            assert_eq!(in_english, format!("Sun 22 Nov, 09:00{english}"));
            assert_eq!(in_italian, format!("dom 22 nov, 09:00{italian}"));
        }
    }

    #[test]
    fn a_whole_day_is_that_day_wherever_one_is() {
        let mut reminder = occurrence("2026-11-22T00:00[Europe/Rome]");
        reminder.all_day = true;
        let york = TimeZone::get("America/New_York").unwrap();
        assert_eq!(said(&reminder, Language::English, &york), "Sun 22 Nov");
    }

    #[test]
    fn titles_are_one_line_in_which_nothing_hides() {
        for (text, shown) in [
            ("call Mario", "call Mario"),
            ("-rf \"x\" & <b>'y'</b>", "-rf \"x\" & <b>'y'</b>"),
            ("a\nb\tc", "a b c"),
            ("a\u{202e}gpj\u{1b}[2J", "a\u{fffd}gpj\u{fffd}[2J"),
            ("👩\u{200d}🔬 è già", "👩\u{200d}🔬 è già"),
        ] {
            assert_eq!(title(text), shown);
        }
        let long = title(&"è".repeat(5_000));
        assert_eq!(long.chars().count(), TITLE_MAX_CHARS + 1);
        assert!(long.ends_with('…'));
        assert_eq!(notes("a\nb\u{7}"), "a\nb\u{fffd}");
    }
}
