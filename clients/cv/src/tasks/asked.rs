//! What a task is made of, as options say it.

use convergio_contract::task::{RepeatBasis, TaskFields, TaskRepeat};

use super::{again::Command, words::Words};

/// Minutes before a task is due, as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// No reminder.
    None,
    /// So many minutes before.
    Minutes(u32),
}

/// `10m`, `2h`, `1d`, `1w`, `0`, `none`.
pub fn before(text: &str) -> Result<Before, String> {
    let refused = || "use a number with m, h, d or w, for instance 10m; or none".to_owned();
    if text == "none" {
        return Ok(Before::None);
    }
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" | "m" | "min" => 1,
        "h" => 60,
        "d" | "g" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return Err(refused()),
    };
    let number: Option<u32> = number.parse().ok();
    let minutes = number.and_then(|number| number.checked_mul(factor));
    minutes.map(Before::Minutes).ok_or_else(refused)
}

/// A priority as an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PriorityArg {
    /// First.
    #[value(alias = "h")]
    High,
    /// As usual.
    #[value(alias = "m")]
    Medium,
    /// When there is time.
    #[value(alias = "l")]
    Low,
    /// None.
    None,
}

impl PriorityArg {
    const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::None => "none",
        }
    }
}

/// A tag, with or without its plus.
fn tag(text: &str) -> Result<String, String> {
    let tag = text.strip_prefix('+').unwrap_or(text);
    if tag.is_empty() || tag.chars().any(char::is_whitespace) {
        return Err("a tag is a word without spaces".to_owned());
    }
    Ok(tag.to_owned())
}

/// Options that say what a task is made of.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Made {
    /// When: `tomorrow at 9`, `2026-12-24 18:00`. The words are then the title as they stand;
    /// `none` takes a time away.
    #[arg(long, value_name = "WHEN", value_hint = clap::ValueHint::Other)]
    pub at: Option<String>,
    /// How it comes again: `monday`, `2 weeks`, `3 days after completion`, or a rule,
    /// `FREQ=WEEKLY;BYDAY=MO`; `none` for once.
    #[arg(long, value_name = "RULE", value_hint = clap::ValueHint::Other)]
    pub every: Option<String>,
    /// Remind so long before, for instance `10m`, `2h`, `1d`; may be given again. `0`: at its time.
    #[arg(long, value_name = "TIME", value_parser = before, value_delimiter = ',')]
    pub before: Vec<Before>,
    /// A tag; may be given again.
    #[arg(long = "tag", value_name = "TAG", value_parser = tag, value_delimiter = ',',
          value_hint = clap::ValueHint::Other)]
    pub tags: Vec<String>,
    /// What it belongs to, for instance `house.garden`.
    #[arg(long, value_name = "NAME", value_hint = clap::ValueHint::Other)]
    pub project: Option<String>,
    /// How much it matters.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub priority: Option<PriorityArg>,
    /// More of it than the title.
    #[arg(long, value_name = "TEXT", value_hint = clap::ValueHint::Other)]
    pub notes: Option<String>,
    /// The task that it is a part of.
    #[arg(long, value_name = "N", value_hint = clap::ValueHint::Other)]
    pub parent: Option<String>,
}

/// When and how often, as two options and the words of a sentence say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// For `fields.when`.
    pub when: Option<String>,
    /// For `fields.repeat`.
    pub repeat: Option<TaskRepeat>,
    /// To be read together with the sentence.
    pub beside: Option<String>,
}

impl Made {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.at.is_none() && self.every.is_none() && self.rest().is_empty()
    }

    /// Times, in the words of the user's language.
    pub fn times(&self, words: &Words) -> Times {
        let at = self.at.as_deref().map(|at| clear(at, clock(at, words)));
        let mut times = Times::default();
        let every = match self.every.as_deref() {
            Some("none") => {
                times.repeat = Some(rule(""));
                None
            }
            Some(every) if every.contains("FREQ=") => {
                let every = every.strip_prefix("RRULE:").unwrap_or(every);
                times.repeat = Some(rule(every));
                None
            }
            Some(every) => Some(again_each(every, words)),
            None => None,
        };
        match (at, every) {
            (Some(at), Some(every)) => times.when = Some(format!("{every} {at}")),
            (Some(at), None) => times.when = Some(at),
            (None, every) => times.beside = every,
        }
        times
    }

    /// Everything but times and title.
    pub fn fields(&self) -> TaskFields {
        let minutes = |before: &Before| match before {
            Before::None => None,
            Before::Minutes(minutes) => Some(*minutes),
        };
        TaskFields {
            notes: self.notes.clone(),
            priority: self.priority.map(|priority| match priority {
                PriorityArg::None => String::new(),
                other => other.name().to_owned(),
            }),
            project: self.project.clone().map(none),
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
            parent: self.parent.clone().map(|parent| {
                let parent = none(parent);
                parent.strip_prefix('#').unwrap_or(&parent).to_owned()
            }),
            remind_before_min: (!self.before.is_empty())
                .then(|| self.before.iter().filter_map(minutes).collect()),
            ..TaskFields::default()
        }
    }

    /// The options that say everything but times, to be typed again.
    pub fn rest(&self) -> Command {
        let mut command = Command::default();
        for before in &self.before {
            command.option(
                "--before",
                &match before {
                    Before::None => "none".to_owned(),
                    Before::Minutes(minutes) => format!("{minutes}m"),
                },
            );
        }
        for tag in &self.tags {
            command.option("--tag", tag);
        }
        if let Some(project) = &self.project {
            command.option("--project", project);
        }
        if let Some(priority) = self.priority {
            command.option("--priority", priority.name());
        }
        if let Some(notes) = &self.notes {
            command.option("--notes", notes);
        }
        if let Some(parent) = &self.parent {
            command.option("--parent", parent);
        }
        command
    }
}

fn rule(rrule: &str) -> TaskRepeat {
    TaskRepeat {
        rrule: rrule.to_owned(),
        basis: RepeatBasis::Schedule,
    }
}

/// The word `none` for nothing, which is hard to type.
fn none(text: String) -> String {
    if text == "none" { String::new() } else { text }
}

fn clear(asked: &str, otherwise: String) -> String {
    if asked == "none" {
        String::new()
    } else {
        otherwise
    }
}

/// `9` and `9:30` are times of day behind `--at`.
fn clock(text: &str, words: &Words) -> String {
    let text = text.trim();
    let (hour, minute) = text.split_once([':', '.']).unwrap_or((text, "00"));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_clock =
        matches!(hour.len(), 1 | 2) && minute.len() == 2 && digits(hour) && digits(minute);
    if is_clock {
        format!("{} {hour}:{minute}", words.at)
    } else {
        text.to_owned()
    }
}

/// `monday` is `every monday` behind `--every`.
fn again_each(text: &str, words: &Words) -> String {
    let text = text.trim();
    let first = text.split(' ').next().unwrap_or_default().to_lowercase();
    if ["every", "each", "ogni", "tutti", "tutte"].contains(&first.as_str()) {
        text.to_owned()
    } else {
        format!("{} {text}", words.every)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::words::Language, *};

    fn times(at: Option<&str>, every: Option<&str>, language: Language) -> Times {
        let made = Made {
            at: at.map(str::to_owned),
            every: every.map(str::to_owned),
            ..Made::default()
        };
        made.times(language.words())
    }

    #[test]
    fn options_of_time_become_words() {
        let english = |at, every| times(at, every, Language::English);
        assert_eq!(english(Some("9"), None).when.as_deref(), Some("at 9:00"));
        assert_eq!(
            english(Some("9:30"), Some("monday")).when.as_deref(),
            Some("every monday at 9:30")
        );
        assert_eq!(
            english(Some("tomorrow 9am"), None).when.as_deref(),
            Some("tomorrow 9am")
        );
        assert_eq!(
            english(None, Some("2 weeks")).beside.as_deref(),
            Some("every 2 weeks")
        );
        assert_eq!(
            english(None, Some("Every day")).beside.as_deref(),
            Some("Every day")
        );
        assert_eq!(english(Some("none"), None).when.as_deref(), Some(""));
        let rule = english(Some("9"), Some("RRULE:FREQ=DAILY"));
        assert_eq!(rule.when.as_deref(), Some("at 9:00"));
        assert_eq!(rule.repeat.expect("a rule").rrule, "FREQ=DAILY");
        assert_eq!(
            english(None, Some("none")).repeat.expect("a rule").rrule,
            ""
        );
        assert_eq!(
            times(Some("9"), Some("lunedì"), Language::Italian)
                .when
                .as_deref(),
            Some("ogni lunedì alle 9:00")
        );
    }

    #[test]
    fn a_reminders_lead_has_a_unit_or_is_minutes() {
        for (text, minutes) in [
            ("10m", 10),
            ("2h", 120),
            ("1d", 1440),
            ("1w", 10080),
            ("0", 0),
            ("5 min", 5),
        ] {
            assert_eq!(before(text), Ok(Before::Minutes(minutes)), "{text}");
        }
        assert_eq!(before("none"), Ok(Before::None));
        for bad in ["", "m", "-1m", "1y", "99999999999h", "4294967295w"] {
            assert!(before(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_said_can_be_typed_again() {
        let made = Made {
            before: vec![Before::Minutes(10), Before::None],
            tags: vec!["a".to_owned(), "-b".to_owned()],
            project: Some("my house".to_owned()),
            priority: Some(PriorityArg::High),
            notes: Some("it's".to_owned()),
            ..Made::default()
        };
        assert_eq!(
            made.rest().to_string(),
            "--before 10m --before none --tag a --tag=-b --project 'my house' --priority high \
             --notes 'it'\\''s'"
        );
        assert!(!made.is_empty());
        assert!(Made::default().is_empty());
        let fields = made.fields();
        assert_eq!(fields.remind_before_min, Some(vec![10]));
        assert_eq!(fields.priority.as_deref(), Some("high"));
    }
}
