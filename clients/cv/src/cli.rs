//! The shape of the command line. The verbs themselves are rows in `cmd/mod.rs`.

use clap::{Args, CommandFactory, Parser};

use crate::{
    cmd::Verb,
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::paint::ColorChoice,
};

/// Reviews your changes, `git diff | cv review`, and asks models, `cv ask`: this machine first.
#[derive(Debug, Parser)]
#[command(
    name = "cv",
    version,
    max_term_width = 100,
    after_long_help = Exit::table(),
)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do; without one, a card with the state and the next step.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options of every verb.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options of every verb")]
pub struct Global {
    /// When to colour.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: ColorChoice,
    /// Answer only: no header, progress or hints.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Give up after this long, for instance `500ms`, `10s`, `2m` (exit 124).
    #[arg(long, global = true, value_name = "TIME", value_parser = duration_ms)]
    pub timeout: Option<u64>,
}

/// A duration in milliseconds: a number with `ms`, `s`, `m` or `h`; seconds without a unit.
fn duration_ms(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err("use a number with ms, s, m or h, for instance 10s".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|&ms| ms > 0)
        .ok_or_else(|| "use a number above zero with ms, s, m or h, for instance 10s".to_owned())
}

/// A whole number.
pub fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| "use a whole number, 0 or above".to_owned())
}

/// The number of a finding.
pub fn finding_number(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|&number| number > 0)
        .ok_or_else(|| "use a finding's number, 1 or above".to_owned())
}

/// The name of a run.
pub fn run_id(text: &str) -> Result<uuid::Uuid, String> {
    text.parse()
        .map_err(|_| "use a run's id; `cv runs list` names them".to_owned())
}

/// The name of a conversation.
pub fn session_id(text: &str) -> Result<uuid::Uuid, String> {
    text.parse()
        .map_err(|_| "use a conversation's id; `cv sessions` names them".to_owned())
}

/// A moment in the past, UTC milliseconds: `7d`, `24h`, `30m` ago, or a day in the local time zone.
pub fn since_ms(text: &str) -> Result<i64, String> {
    let refused = || "use 7d, 24h, 30m or a day such as 2026-11-01".to_owned();
    if let Ok(date) = text.parse::<jiff::civil::Date>() {
        let midnight = date
            .to_zoned(jiff::tz::TimeZone::system())
            .map_err(|_| refused())?;
        return Ok(midnight.timestamp().as_millisecond());
    }
    let last = text.chars().next_back().ok_or_else(refused)?;
    let unit_ms: i64 = match last {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 604_800_000,
        _ => return Err(refused()),
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    number
        .parse::<i64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .map(|ago| {
            jiff::Timestamp::now()
                .as_millisecond()
                .saturating_sub(ago)
                .max(0)
        })
        .ok_or_else(refused)
}

/// The end of a stretch, UTC milliseconds: an age as in [`since_ms`], or a day, which is included.
pub fn until_ms(text: &str) -> Result<i64, String> {
    let Ok(date) = text.parse::<jiff::civil::Date>() else {
        return since_ms(text);
    };
    let next = date
        .tomorrow()
        .and_then(|next| next.to_zoned(jiff::tz::TimeZone::system()))
        .map_err(|_| "use 7d, 24h, 30m or a day such as 2026-11-01".to_owned())?;
    Ok(next.timestamp().as_millisecond())
}

/// Refuses a stretch that ends before it begins: nothing can ever be in it.
pub fn stretch(since: Option<i64>, until: Option<i64>) -> Result<(), Failure> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err(Failure::new(
            Kind::Usage,
            "Nothing can be in this stretch",
            "--until is not after --since",
            Hint::SINCE_UNTIL,
        )),
        _ => Ok(()),
    }
}

/// Stands for the dash of `-tag` until the command line is parsed: a real one begins an option.
const MINUS: char = '\u{2212}';

/// A command line in which the tags that a filter leaves out, `-later`, are no options. Only behind
/// a verb that takes a filter, and in front of `--`.
pub fn filters(mut args: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let Some(from) = filter_begins(&args) else {
        return args;
    };
    for arg in &mut args[from..] {
        let Some(word) = arg.to_str() else { continue };
        if word == "--" {
            break;
        }
        let Some(tag) = word.strip_prefix('-') else {
            continue;
        };
        let is_option = tag.is_empty()
            || tag.starts_with('-')
            || matches!(tag, "h" | "V")
            || tag.starts_with('o') && (tag == "o" || tag.contains(['.', '/', '=']))
            || tag.chars().all(|c| matches!(c, 'q' | 'v'));
        if !is_option {
            *arg = format!("{MINUS}{tag}").into();
        }
    }
    args
}

/// Where the words of a filter may begin; none where the verb takes no filter.
fn filter_begins(args: &[std::ffi::OsString]) -> Option<usize> {
    let mut in_task = false;
    let mut skip = false;
    for (i, arg) in args.iter().enumerate().skip(1) {
        let word = arg.to_str()?;
        if std::mem::take(&mut skip) {
            continue;
        }
        match word {
            "--color" | "--timeout" => skip = true,
            "task" if !in_task => in_task = true,
            "tasks" if !in_task => return Some(i + 1),
            "list" | "export" if in_task => return Some(i + 1),
            option if option.starts_with('-') => {}
            _ => return None,
        }
    }
    None
}

/// A word of a filter, with the dash that [`filters`] put aside.
pub fn filter_word(text: &str) -> Result<String, String> {
    Ok(match text.strip_prefix(MINUS) {
        Some(tag) => format!("-{tag}"),
        None => text.to_owned(),
    })
}

/// The whole command line, for help, completions and man pages.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration_ms("10"), Ok(10_000));
        assert_eq!(duration_ms("500ms"), Ok(500));
        assert_eq!(duration_ms("2m"), Ok(120_000));
        for bad in ["", "s", "0", "1d", "-1s", "99999999999999999999h"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tag_that_is_left_out_is_no_option() {
        let parsed = |line: &str| {
            let args = line.split(' ').map(std::ffi::OsString::from).collect();
            let cli = Cli::try_parse_from(filters(args)).unwrap_or_else(|e| panic!("{line}: {e}"));
            let quiet = cli.global.quiet;
            match cli.verb {
                Some(Verb::Tasks(args)) => (args.filter, quiet),
                Some(Verb::Task(task)) => match task.verb {
                    Some(crate::cmd::task::Verb::List(args)) => (args.filter, quiet),
                    Some(crate::cmd::task::Verb::Export(args)) => (args.filter, quiet),
                    other => panic!("{line}: {other:?}"),
                },
                other => panic!("{line}: {other:?}"),
            }
        };
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, filter, quiet) in [
            ("cv tasks -later", "-later", false),
            ("cv tasks +work -later --format json", "+work -later", false),
            ("cv --color never -q tasks -vet -q", "-vet", true),
            ("cv task list -later project:x", "-later project:x", false),
            ("cv task export -o out.ics -later", "-later", false),
            ("cv task export -o=out.ics +a", "+a", false),
            ("cv task list -- -q", "-q", false),
        ] {
            assert_eq!(parsed(line), (words(filter), quiet), "{line}");
        }
        // Other verbs keep their options.
        let ask = ["cv", "ask", "-c", "tasks", "-later"].map(std::ffi::OsString::from);
        assert_eq!(filters(ask.to_vec()), ask);
    }

    #[test]
    fn a_moment_is_an_age_or_a_day() {
        let now = jiff::Timestamp::now().as_millisecond();
        let week = since_ms("7d").expect("an age");
        assert!((now - 604_800_000 - week).abs() < 60_000);
        let day = since_ms("2026-11-20").expect("a day");
        assert!(day > 1_790_000_000_000);
        assert_eq!(until_ms("2026-11-19"), Ok(day));
        for bad in [
            "",
            "d",
            "-1d",
            "1y",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
        ] {
            assert!(since_ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_hint_names_commands_that_exist() {
        let mut seen = 0;
        for hint in crate::hint::Hint::ALL {
            for line in crate::hint::commands(hint.as_str()) {
                seen += 1;
                parses(&line);
            }
        }
        assert!(seen > 20, "only {seen} commands in all hints");
    }

    /// Parses a command as a shell would split it; placeholders in capitals get values.
    fn parses(line: &str) {
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| match word {
                "N" => "1".to_owned(),
                "RUN" => uuid::Uuid::nil().to_string(),
                other => other.trim_matches('"').to_owned(),
            })
            .collect();
        if let Err(error) = Cli::try_parse_from(&words) {
            use clap::error::ErrorKind;
            assert!(
                matches!(
                    error.kind(),
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
                ),
                "`{line}`: {error}"
            );
        }
    }

    #[test]
    fn every_verb_has_help_and_every_option_says_what_it_does() {
        fn walk(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "{} has no help",
                command.get_name()
            );
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some() || argument.is_hide_set(),
                    "{} {}: no help",
                    command.get_name(),
                    argument.get_id()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&command());
    }
}
