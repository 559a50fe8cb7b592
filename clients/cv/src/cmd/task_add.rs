//! `cv task add`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    task::{
        IMPORT_MAX_BYTES, TaskCreate, TaskCreateParams, TaskCreateResponse, TaskFields,
        TaskPreview, TaskPreviewParams, TaskPreviewResponse, TaskReading,
    },
};

use crate::{
    ask::input,
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::paint::Role,
    stdin,
    table::{Format, Table, cell, show, styled},
    tasks::{
        Here,
        again::Command,
        asked::Made,
        changed::{self, Deed},
        readings::{self, Settled},
        several::{self, Outcome, Told},
    },
    waiting,
};

/// Lines that are taken from stdin at most.
const LINES_MAX: usize = 2_000;

/// Writes a task down, with or without a time: `cv task add buy milk`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What is to be done, and when if you like; `-` takes a task from each line of stdin.
    #[arg(value_name = "WORDS", value_hint = clap::ValueHint::Other)]
    pub words: Vec<String>,
    /// What else is said of it.
    #[command(flatten)]
    pub made: Made,
    /// The words are the title as they stand: no time is looked for in them.
    #[arg(long)]
    pub verbatim: bool,
    /// Say what would be understood; write nothing down.
    #[arg(long)]
    pub dry_run: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// A sentence that becomes a task.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// The verb that takes it: `cv remind`.
    pub command: &'static str,
    /// The sentence.
    pub words: String,
    /// It is a title and nothing else.
    pub verbatim: bool,
    /// It must say when.
    pub needs_time: bool,
}

impl Sentence {
    /// The call that creates it.
    pub fn params(&self, made: &Made, here: &Here) -> TaskCreateParams {
        let times = made.times(here.words);
        let mut fields = TaskFields {
            repeat: times.repeat,
            ..made.fields()
        };
        let mut text = None;
        if times.when.is_some() || self.verbatim {
            fields.title = Some(self.words.clone());
            fields.when = times.when.or(times.beside);
        } else {
            text = Some(match times.beside {
                Some(beside) => format!("{} {beside}", self.words),
                None => self.words.clone(),
            });
        }
        TaskCreateParams {
            task_id: Uuid::now_v7(),
            text,
            fields,
            needs_time: self.needs_time,
            locale: here.locale.clone(),
        }
    }

    /// The command that has one reading alone.
    fn command_for(&self, reading: &TaskReading, made: &Made) -> String {
        let mut command = Command::new(self.command);
        match &reading.due {
            Some(_) => command.option("--at", &reading.when),
            None => command.option("--at", "none"),
        };
        command.and(&made.rest()).last(&reading.title);
        command.to_string()
    }
}

/// Adds one, or each line of stdin.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let dash = args.words == ["-"];
    let words = if dash {
        String::new()
    } else {
        args.words.join(" ")
    };
    let sentence = |words: String| Sentence {
        command: "cv task add",
        words,
        verbatim: args.verbatim,
        needs_time: false,
    };
    if !dash && words.trim().is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "There is nothing to add",
            "no words were given",
            Hint::TASK_SOMETHING,
        ));
    }
    if dash {
        if args.dry_run {
            return Err(Failure::new(
                Kind::Usage,
                "--dry-run looks at one task",
                "`-` takes many",
                Hint::TASK_HELP,
            ));
        }
        if args.made.every.is_some() && args.made.at.is_none() {
            return Err(Failure::new(
                Kind::Usage,
                "--every needs --at where tasks come from stdin",
                "each line would have to be read together with it",
                Hint::TASK_HELP,
            ));
        }
        return lines(&sentence, &args.made, args.format, context);
    }
    let sentence = sentence(words);
    if args.dry_run {
        return preview(&sentence, &args.made, args.format, context);
    }
    one(&sentence, &args.made, args.format, context)
}

/// Writes one down; asks where its time can be read in several ways.
pub fn one(
    sentence: &Sentence,
    made: &Made,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let here = Here::of(&context.surroundings);
    let mut params = sentence.params(made, &here);
    repeats(&params, made, &here, context)?;
    let mut created = create(params.clone(), context)?;
    if let TaskCreateResponse::Ambiguous { readings } = &created {
        let commands: Vec<String> = readings
            .iter()
            .map(|reading| sentence.command_for(reading, made))
            .collect();
        match readings::settle(readings, &commands, format, context)? {
            Settled::Refused(exit) => return Ok(exit),
            Settled::Chosen(chosen) => {
                let Some(reading) = readings.get(chosen) else {
                    return Err(readings::refused(
                        readings,
                        &commands,
                        "there is no such reading",
                    ));
                };
                choose(&mut params, reading);
                created = create(params, context)?;
            }
        }
    }
    let outcome = Outcome {
        asked: sentence.words.clone(),
        result: told(created, sentence, made),
    };
    several::report(vec![outcome], Deed::Kept, format, &here, context)
}

/// Refuses a rule that is not understood beside the sentence: it would end up in the title.
fn repeats(
    params: &TaskCreateParams,
    made: &Made,
    here: &Here,
    context: &mut Context,
) -> Result<(), Failure> {
    let (Some(text), Some(every), None) = (&params.text, &made.every, &params.fields.repeat) else {
        return Ok(());
    };
    let found = understood(text.clone(), here, context)?;
    if found
        .readings
        .iter()
        .all(|reading| reading.repeat.is_some())
    {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Usage,
        format!("`--every {every}` is not understood"),
        "it takes a rule such as monday, \"2 weeks\" or FREQ=DAILY, in quotes where it has spaces",
        Hint::REMIND_EVERY,
    ))
}

fn understood(
    text: String,
    here: &Here,
    context: &mut Context,
) -> Result<TaskPreviewResponse, Failure> {
    let params = TaskPreviewParams {
        text,
        locale: here.locale.clone(),
    };
    daemon::call(
        context,
        Start::IfNeeded,
        "reading it",
        |client: Client| async move { client.call::<TaskPreview>(&params).await },
    )
}

/// Makes a call say one reading alone.
fn choose(params: &mut TaskCreateParams, reading: &TaskReading) {
    params.task_id = Uuid::now_v7();
    params.text = None;
    params.fields.title = Some(reading.title.clone());
    params.fields.when = reading.due.is_some().then(|| reading.when.clone());
}

/// What is told of a call: several readings are an error by now.
fn told(created: TaskCreateResponse, sentence: &Sentence, made: &Made) -> Result<Told, Failure> {
    match &created {
        TaskCreateResponse::Created { .. } => Ok(Told::Created(created)),
        TaskCreateResponse::Ambiguous { readings } => {
            let commands: Vec<String> = readings
                .iter()
                .map(|reading| sentence.command_for(reading, made))
                .collect();
            let why = format!("it can be read in {} ways", readings.len());
            Err(readings::refused(readings, &commands, &why))
        }
    }
}

fn create(params: TaskCreateParams, context: &mut Context) -> Result<TaskCreateResponse, Failure> {
    daemon::call(
        context,
        Start::IfNeeded,
        "writing it down",
        |client: Client| async move { client.call::<TaskCreate>(&params).await },
    )
}

/// A task for each line of stdin that is not empty.
fn lines(
    sentence: &dyn Fn(String) -> Sentence,
    made: &Made,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let reading = waiting::on_thread(|| {
        stdin::read_all(IMPORT_MAX_BYTES).map_err(|failure| match failure.kind {
            Kind::TooLarge => too_many(&format!("{} MiB at most", IMPORT_MAX_BYTES >> 20)),
            _ => failure,
        })
    });
    let bytes = waiting::wait(context, "waiting for tasks on stdin", reading)?;
    let text = input::text(bytes, "stdin")?;
    let sentences: Vec<(String, Sentence)> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| (format!("line {}", i + 1), sentence(line.trim().to_owned())))
        .collect();
    if sentences.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "There is nothing to add",
            "stdin was empty",
            Hint::TASK_SOMETHING,
        ));
    }
    if sentences.len() > LINES_MAX {
        return Err(too_many(&format!("{LINES_MAX} lines at most")));
    }
    let here = Here::of(&context.surroundings);
    let params = sentences
        .iter()
        .map(|(_, sentence)| sentence.params(made, &here))
        .collect();
    let answers = several::each::<TaskCreate>(params, "writing them down", context)?;
    let outcomes = sentences
        .into_iter()
        .zip(answers)
        .map(|((asked, sentence), answer)| Outcome {
            asked,
            result: answer.and_then(|created| told(created, &sentence, made)),
        })
        .collect();
    several::report(outcomes, Deed::Kept, format, &here, context)
}

fn too_many(why: &str) -> Failure {
    Failure::new(
        Kind::TooLarge,
        "That is too much at once",
        why,
        Hint::TASK_PIECES,
    )
}

/// What a sentence would become.
pub fn preview(
    sentence: &Sentence,
    made: &Made,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let here = Here::of(&context.surroundings);
    let params = sentence.params(made, &here);
    // Words that are a title have no part in the time.
    let title = params.fields.title.clone();
    let text = match (&params.text, &params.fields.when) {
        (Some(text), _) => text.clone(),
        (None, Some(when)) => when.clone(),
        (None, None) => String::new(),
    };
    let mut found = if text.is_empty() {
        TaskPreviewResponse {
            readings: vec![TaskReading {
                title: String::new(),
                due: None,
                repeat: None,
                said: String::new(),
                when: String::new(),
                notices: Vec::new(),
            }],
        }
    } else {
        repeats(&params, made, &here, context)?;
        understood(text, &here, context)?
    };
    refused(&found.readings, sentence, title.as_deref(), made)?;
    if let Some(title) = title {
        for reading in &mut found.readings {
            reading.title.clone_from(&title);
        }
    }
    let words = here.words;
    let rows = found.readings.iter().map(|reading| {
        vec![
            styled(reading.said.as_str(), Role::Strong),
            cell(reading.title.as_str()),
            cell(sentence.command_for(reading, made)),
        ]
    });
    let table = Table {
        headers: vec![words.due, words.task, "command"],
        rows: rows.collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &found,
        Some(("readings", "reading")),
    )?;
    if matches!(format, Format::Text | Format::Md) {
        let notices = found.readings.iter().flat_map(|reading| &reading.notices);
        changed::notices(notices, context)?;
    }
    Ok(Exit::Ok)
}

/// Refuses in a trial what would be refused in earnest.
fn refused(
    readings: &[TaskReading],
    sentence: &Sentence,
    title: Option<&str>,
    made: &Made,
) -> Result<(), Failure> {
    let without =
        |what: &str, why: &str| Err(Failure::new(Kind::Usage, what, why, Hint::REMIND_SOMETHING));
    let timeless = readings.iter().any(|reading| reading.due.is_none());
    if let Some(title) = title {
        let at = made.at.as_deref().or(made.every.as_deref());
        // Words that are left over are none of a time's.
        let words_left = readings.iter().any(|reading| !reading.title.is_empty());
        if let Some(at) = at.filter(|at| *at != "none" && (timeless || words_left)) {
            let what = format!("'{at}' is not understood as a date or a time");
            return without(&what, "a time is understood whole or not at all");
        }
        if title.trim().is_empty() {
            return without("It has no title", "no words were given");
        }
    } else if readings
        .iter()
        .any(|reading| reading.title.trim().is_empty())
    {
        return without("Nothing is left as a title", "all of it says when");
    }
    if sentence.needs_time && timeless {
        return without(
            "It says no time at which to remind",
            "nothing would be created",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(words: &str) -> Sentence {
        Sentence {
            command: "cv remind",
            words: words.to_owned(),
            verbatim: false,
            needs_time: true,
        }
    }

    fn here() -> Here {
        let now = "2026-11-21T15:00:00[Europe/Rome]".parse().expect("a time");
        Here::at(Some("en_GB"), now)
    }

    #[test]
    fn a_time_that_is_said_apart_leaves_the_words_alone() {
        let made = |at: Option<&str>, every: Option<&str>| Made {
            at: at.map(str::to_owned),
            every: every.map(str::to_owned),
            ..Made::default()
        };
        let plain = sentence("read 1984 tomorrow").params(&made(None, None), &here());
        assert_eq!(plain.text.as_deref(), Some("read 1984 tomorrow"));
        assert_eq!(plain.fields.title, None);
        let at = sentence("read 1984 tomorrow").params(&made(Some("9"), None), &here());
        assert_eq!(at.text, None);
        assert_eq!(at.fields.title.as_deref(), Some("read 1984 tomorrow"));
        assert_eq!(at.fields.when.as_deref(), Some("at 9:00"));
        let every = sentence("stand up at 9").params(&made(None, Some("day")), &here());
        assert_eq!(every.text.as_deref(), Some("stand up at 9 every day"));
        let mut verbatim = sentence("stand up");
        verbatim.verbatim = true;
        let verbatim = verbatim.params(&made(None, Some("day")), &here());
        assert_eq!(verbatim.text, None);
        assert_eq!(verbatim.fields.when.as_deref(), Some("every day"));
    }

    #[test]
    fn a_readings_command_holds_it_alone() {
        let reading = TaskReading {
            title: "-x; rm -rf ~".to_owned(),
            due: Some(convergio_contract::task::TaskDue {
                local: "2026-11-22T09:00:00".to_owned(),
                zone: "Europe/Rome".to_owned(),
                at_ms: 0,
            }),
            repeat: None,
            said: "Sun 22 Nov, 09:00".to_owned(),
            when: "2026-11-22 09:00".to_owned(),
            notices: Vec::new(),
        };
        let made = Made {
            tags: vec!["work".to_owned()],
            ..Made::default()
        };
        assert_eq!(
            sentence("x").command_for(&reading, &made),
            "cv remind --at '2026-11-22 09:00' --tag work -- '-x; rm -rf ~'"
        );
    }
}
