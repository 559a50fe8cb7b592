//! A time in words, said back, in the user's language.

mod label;
mod repeat;

use jiff::Zoned;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::{Language, Shifted, When};

pub use repeat::describe_repeat;

pub(super) use label::label;

fn weekday_short(day: Weekday, language: Language) -> &'static str {
    let at = usize::from(day.to_monday_zero_offset().unsigned_abs());
    match language {
        Language::English => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][at],
        Language::Italian => ["lun", "mar", "mer", "gio", "ven", "sab", "dom"][at],
    }
}

fn weekday(day: Weekday, language: Language) -> &'static str {
    let at = usize::from(day.to_monday_zero_offset().unsigned_abs());
    match language {
        Language::English => [
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ][at],
        Language::Italian => [
            "lunedì",
            "martedì",
            "mercoledì",
            "giovedì",
            "venerdì",
            "sabato",
            "domenica",
        ][at],
    }
}

#[rustfmt::skip]
fn month(month: i8, language: Language) -> &'static str {
    let at = usize::from(month.unsigned_abs()).clamp(1, 12) - 1;
    match language {
        Language::English => [
            "January", "February", "March", "April", "May", "June", "July", "August", "September",
            "October", "November", "December",
        ][at],
        Language::Italian => [
            "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto",
            "settembre", "ottobre", "novembre", "dicembre",
        ][at],
    }
}

fn month_short(number: i8, language: Language) -> &'static str {
    let name = month(number, language);
    name.get(..3).unwrap_or(name)
}

/// `Sun 22 Nov`, with its year where that is not this one.
fn date(date: Date, language: Language, now: &Zoned) -> String {
    let mut out = format!(
        "{} {} {}",
        weekday_short(date.weekday(), language),
        date.day(),
        month_short(date.month(), language)
    );
    if date.year() != now.year() {
        out.push_str(&format!(" {}", date.year()));
    }
    out
}

fn clock_format(due: &Zoned) -> &'static str {
    if due.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    }
}

fn clock(due: &Zoned) -> String {
    due.strftime(clock_format(due)).to_string()
}

/// The name of a zone where it is another than the user's and shows another time.
fn zone_name(due: &Zoned, home: &TimeZone) -> Option<String> {
    let zone = due.time_zone();
    if zone == home {
        return None;
    }
    Some(match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => due.strftime("%:z").to_string(),
    })
}

/// What was understood, in words: `Sun 22 Nov, 09:00, in 23 h`, `dom 22 nov, 09:00, tra 23 ore`,
/// the year where it is another, the zone where it is not `now`'s, and how it comes again.
#[must_use]
pub fn describe(when: &When, language: Language, now: &Zoned) -> String {
    let mut out = date(when.due.date(), language, now);
    if !when.all_day {
        out.push_str(", ");
        out.push_str(&clock(&when.due));
    }
    if let Some(zone) = zone_name(&when.due, now.time_zone()) {
        out.push_str(&format!(" ({zone})"));
    }
    out.push_str(", ");
    out.push_str(&distance(when, language, now));
    if let Some(repeat) = &when.repeat {
        out.push_str("; ");
        out.push_str(&describe_repeat(repeat, language, when.due.time_zone()));
    }
    out
}

/// `in 20 min`, `in 6 h`, `in 3 days`, `today`, `2 h ago`.
fn distance(when: &When, language: Language, now: &Zoned) -> String {
    let today = now.with_time_zone(when.due.time_zone().clone()).date();
    let days = today
        .until(when.due.date())
        .map_or(0, |span| span.get_days());
    let seconds = when
        .due
        .timestamp()
        .as_second()
        .saturating_sub(now.timestamp().as_second());
    let near = seconds.abs() < 48 * 3600 && !when.all_day;
    if near {
        let minutes = seconds.abs() / 60;
        let long = match (minutes, language) {
            (0, Language::English) => return "now".to_owned(),
            (0, Language::Italian) => return "adesso".to_owned(),
            (1..60, Language::English) => format!("{minutes} min"),
            (1, Language::Italian) => "1 minuto".to_owned(),
            (2..60, Language::Italian) => format!("{minutes} minuti"),
            _ => hours(minutes, language),
        };
        return ahead_or_ago(&long, seconds > 0, language);
    }
    let long = match (days.abs(), language) {
        (0, Language::English) => return "today".to_owned(),
        (0, Language::Italian) => return "oggi".to_owned(),
        (1, _) => {
            return match (days > 0, language) {
                (true, Language::English) => "tomorrow",
                (true, Language::Italian) => "domani",
                (false, Language::English) => "yesterday",
                (false, Language::Italian) => "ieri",
            }
            .to_owned();
        }
        (n, Language::English) => format!("{n} days"),
        (n, Language::Italian) => format!("{n} giorni"),
    };
    ahead_or_ago(&long, days > 0, language)
}

fn hours(minutes: i64, language: Language) -> String {
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let whole = match (hours, language) {
        (_, Language::English) => format!("{hours} h"),
        (1, Language::Italian) => "1 ora".to_owned(),
        (_, Language::Italian) => format!("{hours} ore"),
    };
    match (hours < 6 && minutes > 0, language) {
        (true, Language::English) => format!("{whole} {minutes} min"),
        (true, Language::Italian) => format!("{whole} e {minutes} min"),
        (false, _) => whole,
    }
}

fn ahead_or_ago(long: &str, ahead: bool, language: Language) -> String {
    match (ahead, language) {
        (true, Language::English) => format!("in {long}"),
        (true, Language::Italian) => format!("tra {long}"),
        (false, Language::English) => format!("{long} ago"),
        (false, Language::Italian) => format!("{long} fa"),
    }
}

/// A text that [`parse`](super::parse) reads as this time alone, whatever the order of dates:
/// `2026-11-22 09:00`, `every Monday at 09:00 from 2026-11-23`. The zone stands there where it is
/// not `home`'s. A rule that the words do not cover stands without its rule.
#[must_use]
pub fn phrase(when: &When, language: Language, home: &TimeZone) -> String {
    let zone = zone_name(&when.due, home)
        .map(|zone| format!(" {zone}"))
        .unwrap_or_default();
    let Some(rule) = when
        .repeat
        .as_ref()
        .and_then(|repeat| repeat::in_words(repeat, language, when.due.time_zone()))
    else {
        return once(when, &zone);
    };
    let time = if when.all_day {
        String::new()
    } else {
        let at = match language {
            Language::English => "at",
            Language::Italian => "alle",
        };
        format!(" {at} {}", when.start().strftime(clock_format(&when.due)))
    };
    let from = match language {
        Language::English => "from",
        Language::Italian => "dal",
    };
    format!(
        "{}{time}{zone} {from} {}{}",
        rule.words,
        when.start().date(),
        rule.end
    )
}

/// A time without a rule, in digits. The second of a time that clocks show twice needs its offset.
fn once(when: &When, zone: &str) -> String {
    let day = when.due.date();
    if when.all_day {
        return format!("{day}{zone}");
    }
    let first = when
        .due
        .time_zone()
        .to_ambiguous_zoned(when.due.datetime())
        .compatible();
    if first.is_ok_and(|first| first.timestamp() == when.due.timestamp()) {
        return format!("{day} {}{zone}", when.due.strftime(clock_format(&when.due)));
    }
    when.due.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// What happened to a time at which clocks change, in words.
#[must_use]
pub fn describe_shift(shifted: &Shifted, due: &Zoned, language: Language) -> String {
    match (shifted, language) {
        (Shifted::Gap { asked }, Language::English) => format!(
            "clocks go forward on that day and {} does not exist: {} it is",
            asked.strftime("%H:%M"),
            clock(due)
        ),
        (Shifted::Gap { asked }, Language::Italian) => format!(
            "quel giorno si passa all'ora legale e le {} non esistono: saranno le {}",
            asked.strftime("%H:%M"),
            clock(due)
        ),
        (Shifted::Overlap { .. }, Language::English) => {
            format!(
                "clocks go back on that day and {} comes twice: it is the first",
                clock(due)
            )
        }
        (Shifted::Overlap { .. }, Language::Italian) => format!(
            "quel giorno torna l'ora solare e le {} vengono due volte: vale la prima",
            clock(due)
        ),
    }
}
