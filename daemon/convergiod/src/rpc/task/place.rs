//! Where and in which words somebody asks, and times as they are read and said there.

use convergio_contract::{
    RpcError,
    task::{RepeatBasis, TaskDue, TaskLocale, TaskNotice, TaskReading, TaskRepeat},
};
use convergio_tasks::{
    Basis, Repeat,
    book::{self, NewTimes, TaskRow, Times},
    when::{self, Answer, DateOrder, Here, Language, Shifted, When, WhenError},
};
use jiff::{Timestamp, Zoned, civil::DateTime, tz::TimeZone};

use crate::{failure, menu};

/// Who asks: zone, words, time.
#[derive(Clone)]
pub(super) struct Place {
    /// For the grammar.
    pub(super) here: Here,
    /// IANA name of the zone.
    zone: String,
}

impl Place {
    /// As a client says it; what it does not say is the daemon's.
    pub(super) fn of(locale: &TaskLocale, now_ms: i64) -> Result<Self, RpcError> {
        let zone = match &locale.zone {
            Some(name) => book::zone(name).map_err(super::told)?,
            None => TimeZone::system(),
        };
        // A machine that names no zone is told the time of the world's.
        let (name, zone) = match zone.iana_name() {
            Some(name) if !zone.is_unknown() => (name.to_owned(), zone),
            _ => ("UTC".to_owned(), TimeZone::UTC),
        };
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_else(|_| Timestamp::now());
        let mut languages: Vec<Language> = Vec::new();
        let named = locale.languages.iter().filter_map(|name| {
            match name.get(..2)?.to_ascii_lowercase().as_str() {
                "en" => Some(Language::English),
                "it" => Some(Language::Italian),
                _ => None,
            }
        });
        for language in named.chain([Language::English, Language::Italian]) {
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        Ok(Self {
            here: Here {
                now: now.to_zoned(zone),
                languages,
                date_order: locale.day_first.map(|first| match first {
                    true => DateOrder::DayMonth,
                    false => DateOrder::MonthDay,
                }),
                past: false,
            },
            zone: name,
        })
    }

    /// The language that is answered in.
    pub(super) fn language(&self) -> Language {
        self.here
            .languages
            .first()
            .copied()
            .unwrap_or(Language::English)
    }

    /// The same, for the menu's words.
    pub(super) fn menu_language(&self) -> menu::Language {
        match self.language() {
            Language::English => menu::Language::English,
            Language::Italian => menu::Language::Italian,
        }
    }

    /// The zone.
    pub(super) fn zone(&self) -> &TimeZone {
        self.here.now.time_zone()
    }

    /// Its IANA name.
    pub(super) fn zone_name(&self) -> &str {
        &self.zone
    }

    /// A time as the book takes it. A zone without a name is read here.
    pub(super) fn times(&self, found: &When) -> NewTimes {
        let (zone, due) = match found.due.time_zone().iana_name() {
            Some(name) => (name.to_owned(), found.start()),
            None => (
                self.zone.clone(),
                found.due.with_time_zone(self.zone().clone()).datetime(),
            ),
        };
        NewTimes {
            due,
            zone,
            all_day: found.all_day,
        }
    }

    /// What is due, in words.
    pub(super) fn said(&self, task: &TaskRow) -> String {
        let Some(times) = &task.times else {
            return String::new();
        };
        let mut said = match zoned(times) {
            Some(due) => when::describe(
                &When {
                    due,
                    all_day: times.all_day,
                    repeat: task.repeat.clone(),
                    shifted: None,
                    spans: Vec::new(),
                },
                self.language(),
                &self.here.now,
            ),
            None => times.due.to_string(),
        };
        if !matches!(task.remind_before_min.as_slice(), [0]) {
            said.push_str(" · ");
            said.push_str(&reminders(&task.remind_before_min, self.language()));
        }
        said
    }

    /// One way to read a text, with a text that has it alone.
    pub(super) fn reading(&self, title: &str, found: &When) -> TaskReading {
        let times = self.times(found);
        TaskReading {
            title: title.to_owned(),
            due: Some(TaskDue {
                local: local(times.due, times.all_day),
                at_ms: found.due.timestamp().as_millisecond(),
                zone: times.zone,
            }),
            repeat: found.repeat.as_ref().map(repeat),
            said: when::describe(found, self.language(), &self.here.now),
            when: self.phrase(found),
            notices: self.clock_notice(found).into_iter().collect(),
        }
    }

    /// What clocks do at that time.
    pub(super) fn clock_notice(&self, found: &When) -> Option<TaskNotice> {
        let italian = self.language() == Language::Italian;
        let due = found.due.strftime("%H:%M");
        let (kind, text) = match found.shifted.as_ref()? {
            Shifted::Gap { asked } => {
                let asked = asked.strftime("%H:%M");
                let text = match italian {
                    false => format!("clocks skip {asked} on that day: it is {due}"),
                    true => format!("quel giorno le {asked} non ci sono: vale {due}"),
                };
                ("time_shifted", text)
            }
            Shifted::Overlap { .. } => {
                let text = match italian {
                    false => format!("clocks show {due} twice on that day: it is the first"),
                    true => format!("quel giorno le {due} vengono due volte: vale la prima"),
                };
                ("time_twice", text)
            }
        };
        Some(TaskNotice {
            kind: kind.to_owned(),
            text,
            hint: None,
        })
    }

    /// A text that is read in this way alone: in words where they are, else in digits.
    fn phrase(&self, found: &When) -> String {
        let digits = local(found.due.datetime(), found.all_day);
        let digits = digits.strip_suffix(":00").unwrap_or(&digits).to_owned();
        let named = found
            .due
            .time_zone()
            .iana_name()
            .map(|zone| format!("{digits}[{zone}]"));
        let words = when::phrase(found, self.language(), self.here.now.time_zone());
        let alone = |text: &String| {
            matches!(when::parse(text, &self.here), Ok(Answer::One(read))
                if read.due.timestamp() == found.due.timestamp()
                    && read.all_day == found.all_day
                    && read.repeat == found.repeat)
        };
        [Some(digits.clone()), named, Some(words)]
            .into_iter()
            .flatten()
            .find(alone)
            .unwrap_or(digits)
    }
}

/// `2026-11-22T09:00:00`, or the day alone.
fn local(due: DateTime, all_day: bool) -> String {
    if all_day {
        due.date().to_string()
    } else {
        due.to_string()
    }
}

fn zoned(times: &Times) -> Option<Zoned> {
    let zone = TimeZone::get(&times.zone).ok()?;
    Some(
        Timestamp::from_millisecond(times.due_ms)
            .ok()?
            .to_zoned(zone),
    )
}

/// When a task is due, as it travels.
pub(super) fn due(times: &Times) -> TaskDue {
    TaskDue {
        local: local(times.due, times.all_day),
        zone: times.zone.clone(),
        at_ms: times.due_ms,
    }
}

/// A rule as it travels.
pub(super) fn repeat(repeat: &Repeat) -> TaskRepeat {
    TaskRepeat {
        rrule: repeat.rrule.clone(),
        basis: match repeat.basis {
            Basis::Schedule => RepeatBasis::Schedule,
            Basis::AfterCompletion => RepeatBasis::AfterCompletion,
        },
    }
}

/// A rule as the book takes it.
pub(super) fn new_repeat(repeat: &TaskRepeat) -> Repeat {
    Repeat {
        rrule: repeat.rrule.clone(),
        basis: match repeat.basis {
            RepeatBasis::Schedule => Basis::Schedule,
            RepeatBasis::AfterCompletion => Basis::AfterCompletion,
        },
    }
}

/// Why a text is no time.
pub(super) fn not_understood(error: &WhenError) -> RpcError {
    failure::invalid(error.to_string())
        .why("nothing was changed: a time is understood whole or not at all")
        .hint("cv remind --dry-run \"call Mario tomorrow at 9\"")
}

/// Minutes before, in words.
fn reminders(minutes: &[u32], language: Language) -> String {
    let (none, at, before) = match language {
        Language::English => ("no reminder", "reminder when due", "before"),
        Language::Italian => ("nessun promemoria", "promemoria alla scadenza", "prima"),
    };
    if minutes.is_empty() {
        return none.to_owned();
    }
    let each: Vec<String> = minutes
        .iter()
        .map(|minutes| match minutes {
            0 => at.to_owned(),
            minutes => format!("{} {before}", span(*minutes, language)),
        })
        .collect();
    each.join(", ")
}

/// `10 min`, `2 h`, `3 d`: the unit that leaves nothing over.
fn span(minutes: u32, language: Language) -> String {
    const HOUR: u32 = 60;
    const DAY: u32 = 24 * HOUR;
    let day = match language {
        Language::English => "d",
        Language::Italian => "g",
    };
    match minutes {
        days if days.is_multiple_of(DAY) => format!("{} {day}", days / DAY),
        hours if hours.is_multiple_of(HOUR) => format!("{} h", hours / HOUR),
        other => format!("{other} min"),
    }
}
