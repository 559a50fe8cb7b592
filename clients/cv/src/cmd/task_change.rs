//! `cv task done`, `cv task snooze`, `cv task rm`

use convergio_contract::{
    Method,
    task::{
        TaskChanged, TaskComplete, TaskCompleteParams, TaskDelete, TaskDeleteParams, TaskSnooze,
        TaskSnoozeParams,
    },
};

use crate::{
    context::Context,
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    table::Format,
    tasks::{
        Here,
        again::Command,
        changed::Deed,
        ids,
        readings::{self, Settled},
        several::{self, Outcome, Told},
    },
};

/// Ticks tasks off: `cv task done 3`, `cv task done 3 5-7`. One that repeats goes on to its next
/// time.
#[derive(clap::Args, Debug)]
pub struct DoneArgs {
    /// Numbers: `3`, `3-5`, `3,7`; several may be given.
    #[arg(value_name = "N", required = true, value_hint = clap::ValueHint::Other)]
    pub tasks: Vec<String>,
    /// End one that repeats for good.
    #[arg(long)]
    pub for_good: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Reminds again later: `cv task snooze 3`, `cv task snooze 3 until tomorrow at 9`. What is due
/// stays due. Without a time: in 10 minutes.
#[derive(clap::Args, Debug)]
pub struct SnoozeArgs {
    /// A number, and until when if you like; several numbers with --until.
    #[arg(value_name = "N", required = true, value_hint = clap::ValueHint::Other)]
    pub words: Vec<String>,
    /// Until when, or for how long: `tomorrow at 9`, `2 hours`.
    #[arg(long, visible_alias = "for", value_name = "WHEN", value_hint = clap::ValueHint::Other)]
    pub until: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Removes tasks; `cv undo` brings them back.
#[derive(clap::Args, Debug)]
pub struct RmArgs {
    /// Numbers: `3`, `3-5`, `3,7`; several may be given.
    #[arg(value_name = "N", required = true, value_hint = clap::ValueHint::Other)]
    pub tasks: Vec<String>,
    /// Remove their parts too.
    #[arg(long)]
    pub with_parts: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Ticks off.
pub fn done(args: &DoneArgs, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let tasks = ids::all(&args.tasks)?;
    let here = Here::of(&context.surroundings);
    let params = |task: &String| TaskCompleteParams {
        task: task.clone(),
        for_good: args.for_good,
        locale: here.locale.clone(),
    };
    let outcomes = all::<TaskComplete>(&tasks, params, "ticking off", context)?;
    several::report(outcomes, Deed::Done, args.format, &here, context)
}

/// Removes.
pub fn remove(args: &RmArgs, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let tasks = ids::all(&args.tasks)?;
    let here = Here::of(&context.surroundings);
    let params = |task: &String| TaskDeleteParams {
        task: task.clone(),
        with_parts: args.with_parts,
    };
    let outcomes = all::<TaskDelete>(&tasks, params, "removing", context)?;
    several::report(outcomes, Deed::Removed, args.format, &here, context)
}

/// Snoozes.
pub fn snooze(args: &SnoozeArgs, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let (named, until) = split(&args.words, args.until.as_deref())?;
    let tasks = ids::all(&named)?;
    let here = Here::of(&context.surroundings);
    let params = |until: Option<&str>| {
        let until = until.map(str::to_owned);
        let locale = here.locale.clone();
        move |task: &String| TaskSnoozeParams {
            task: task.clone(),
            until: until.clone(),
            locale: locale.clone(),
        }
    };
    let activity = "putting it off";
    let mut outcomes = all::<TaskSnooze>(&tasks, params(until.as_deref()), activity, context)?;
    // The same words have the same readings for all of them: one answer is enough.
    let readings = outcomes.iter().find_map(|outcome| match &outcome.result {
        Ok(Told::Changed(TaskChanged::Ambiguous { readings })) => Some(readings.clone()),
        _ => None,
    });
    if let Some(readings) = readings {
        let commands: Vec<String> = readings
            .iter()
            .map(|reading| {
                let mut command = Command::new("cv task snooze");
                for task in &tasks {
                    command.word(task);
                }
                command.option("--until", &reading.when).to_string()
            })
            .collect();
        let chosen = match readings::settle(&readings, &commands, args.format, context)? {
            Settled::Refused(exit) => return Ok(exit),
            Settled::Chosen(chosen) => readings.get(chosen),
        };
        let until = chosen.map(|reading| reading.when.as_str());
        outcomes = all::<TaskSnooze>(&tasks, params(until), activity, context)?;
    }
    several::report(outcomes, Deed::Snoozed, args.format, &here, context)
}

/// The same call for each task.
fn all<M: Method<Response = TaskChanged>>(
    tasks: &[String],
    params: impl Fn(&String) -> M::Params,
    activity: &str,
    context: &mut Context,
) -> Result<Vec<Outcome>, Failure> {
    let answers = several::each::<M>(tasks.iter().map(params).collect(), activity, context)?;
    Ok(tasks
        .iter()
        .zip(answers)
        .map(|(task, answer)| Outcome {
            asked: task.clone(),
            result: answer.map(Told::Changed),
        })
        .collect())
}

/// Numbers first, then a time. A unit belongs to the number in front of it; behind several numbers
/// any other time needs its option: in `3 9 tomorrow` the second may be either.
fn split<'w>(
    words: &'w [String],
    until: Option<&str>,
) -> Result<(Vec<&'w str>, Option<String>), Failure> {
    let named: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| ids::names_tasks(word))
        .collect();
    let (named, rest) = parted(words, named);
    let rest = match rest.first().map(String::as_str) {
        Some("until" | "for" | "fino" | "per") if rest.len() > 1 => &rest[1..],
        _ => rest,
    };
    let of_span = rest
        .get(1)
        .is_some_and(|word| UNITS.contains(&word.to_lowercase().as_str()));
    let said = (!rest.is_empty()).then(|| rest.join(" "));
    match (said, until) {
        (None, until) => Ok((named, until.map(str::to_owned))),
        (Some(said), None) if named.len() == 1 || of_span => Ok((named, Some(said))),
        (Some(said), None) if named.is_empty() => Err(Failure::new(
            Kind::Usage,
            format!("`{said}` names no task"),
            "a task is named by its number, and comes first",
            Hint::TASKS,
        )),
        (Some(said), None) => {
            let mut command = Command::new("cv task snooze");
            for task in &named {
                command.word(task);
            }
            command.option("--until", &said);
            Err(Failure::new(
                Kind::Usage,
                "It is not clear where the numbers end and the time begins",
                format!("several numbers stand in front of `{said}`"),
                Hint::of_this_place(format!("`{command}`")),
            ))
        }
        (Some(_), Some(_)) => Err(Failure::new(
            Kind::Usage,
            "The time is said twice",
            "once in words and once with --until",
            Hint::TASK_HELP,
        )),
    }
}

/// Words that a number in front of them makes a span of.
const UNITS: &[&str] = &[
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "minuto",
    "minuti",
    "h",
    "hour",
    "hours",
    "ora",
    "ore",
    "d",
    "day",
    "days",
    "giorno",
    "giorni",
    "g",
    "week",
    "weeks",
    "settimana",
    "settimane",
];

/// Numbers of tasks, and the rest: a number in front of a unit is of the rest.
fn parted<'w>(words: &'w [String], mut named: Vec<&'w str>) -> (Vec<&'w str>, &'w [String]) {
    let unit = words.get(named.len());
    if named.len() > 1 && unit.is_some_and(|word| UNITS.contains(&word.to_lowercase().as_str())) {
        named.pop();
    }
    let rest = &words[named.len()..];
    (named, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn numbers_come_first_and_a_time_behind_one_of_them() {
        let split = |line: &str, until: Option<&str>| {
            let words = words(line);
            split(&words, until).map(|(named, until)| (named.join(" "), until))
        };
        let until = |text: &str| Some(text.to_owned());
        assert_eq!(split("3", None).expect("fits"), ("3".to_owned(), None));
        assert_eq!(
            split("3 tomorrow at 9", None).expect("fits"),
            ("3".to_owned(), until("tomorrow at 9"))
        );
        assert_eq!(
            split("3 until tomorrow", None).expect("fits"),
            ("3".to_owned(), until("tomorrow"))
        );
        assert_eq!(
            split("3 5-7", Some("2 h")).expect("fits"),
            ("3 5-7".to_owned(), until("2 h"))
        );
        assert_eq!(
            split("3 5-7 10 min", None).expect("fits"),
            ("3 5-7".to_owned(), until("10 min"))
        );
        assert_eq!(
            split("3 2 Hours", None).expect("fits"),
            ("3".to_owned(), until("2 Hours"))
        );
        let unclear = split("3 9 tomorrow", None).expect_err("unclear");
        assert_eq!(
            unclear.way_out.as_str(),
            "`cv task snooze 3 9 --until tomorrow`"
        );
        assert!(split("tomorrow", None).is_err());
        assert!(split("3 tomorrow", Some("2 h")).is_err());
    }
}
