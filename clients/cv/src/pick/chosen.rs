//! What an entry of a list stands for: a command line of ours, word by word. No shell sees it.

use convergio_contract::Uuid;

/// Bytes of what was typed at most.
const TEXT_MAX_BYTES: usize = 4 << 10;

/// What an entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The words behind `cv`.
    pub words: Vec<String>,
    /// There is something to read: it belongs into a terminal. Otherwise only its failure does.
    pub to_read: bool,
}

/// Reads an entry's id: `task:12`, `show:12`, `done:12`, `snooze:12`, `snooze:12:tomorrow at 9`,
/// `remind:WORDS`, `ask:WORDS`, `session:ID`, `template:NAME`. Of a line that dmenu gives back only
/// the first word counts, where the id has none of its own. None for what is no id.
#[must_use]
pub fn chosen(line: &str) -> Option<Chosen> {
    let line = line.trim();
    if line.len() > TEXT_MAX_BYTES || line.contains('\0') {
        return None;
    }
    let (verb, rest) = line.split_once(':')?;
    let first = rest.split_whitespace().next().unwrap_or_default();
    let number = || number(first);
    let (words, to_read) = match verb {
        "task" | "show" => (vec!["task", "show", number()?], true),
        "done" => (vec!["task", "done", number()?], false),
        "snooze" => {
            let (task, until) = rest.split_once(':').unwrap_or((rest, ""));
            let task = self::number(task.split_whitespace().next()?)?;
            let mut words = vec!["task", "snooze", task];
            if !until.trim().is_empty() {
                words.extend(["--until", until.trim()]);
            }
            (words, false)
        }
        "remind" => (vec!["remind", "--", text(rest)?], false),
        "ask" => (vec!["ask", "--", text(rest)?], true),
        "session" => {
            first.parse::<Uuid>().ok()?;
            (vec!["sessions", "show", first], true)
        }
        "template" => {
            let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let begins = first.starts_with(|c: char| c.is_ascii_alphanumeric());
            if !begins || !first.chars().all(named) {
                return None;
            }
            (vec!["template", "show", first], true)
        }
        _ => return None,
    };
    Some(Chosen {
        words: words.into_iter().map(str::to_owned).collect(),
        to_read,
    })
}

fn number(word: &str) -> Option<&str> {
    let digits = !word.is_empty() && word.len() <= 19 && word.bytes().all(|b| b.is_ascii_digit());
    digits.then_some(word)
}

fn text(rest: &str) -> Option<&str> {
    let rest = rest.trim();
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    const ID: &str = "01a1fbff-c1f5-73ad-b565-43ae9af4f13f";

    #[test]
    fn every_entry_is_a_command_of_ours() {
        let session = format!("session:{ID}");
        for (line, words) in [
            ("task:12", vec!["task", "show", "12"]),
            ("task:12 call Mario · 09:00", vec!["task", "show", "12"]),
            ("done:12", vec!["task", "done", "12"]),
            ("snooze:12", vec!["task", "snooze", "12"]),
            (
                "snooze:12:tomorrow at 9",
                vec!["task", "snooze", "12", "--until", "tomorrow at 9"],
            ),
            (
                "remind: --help me; rm -rf / at 9",
                vec!["remind", "--", "--help me; rm -rf / at 9"],
            ),
            ("ask:why: this?", vec!["ask", "--", "why: this?"]),
            (&session, vec!["sessions", "show", ID]),
            ("template:a-b", vec!["template", "show", "a-b"]),
        ] {
            let chosen = chosen(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(chosen.words, words, "{line}");
            let whole = std::iter::once("cv".to_owned()).chain(chosen.words);
            assert!(Cli::try_parse_from(whole).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_is_no_entry_is_nothing() {
        for line in [
            "",
            "task",
            "task:",
            "task:x",
            "task:-1",
            "task:12;id",
            "done: ",
            "remind:",
            "ask:  ",
            "session:1",
            "template:../x",
            "template:-x",
            "rm:12",
            "ask:a\0b",
            "call Mario",
        ] {
            assert_eq!(chosen(line), None, "{line:?}");
        }
        assert_eq!(chosen(&format!("ask:{}", "x".repeat(5_000))), None);
    }
}
