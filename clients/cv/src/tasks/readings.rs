//! A time that can be read in several ways: asked about where somebody is, else refused, each
//! reading with the command that has it alone.

use std::io::Write;

use convergio_contract::task::TaskReading;
use serde_json::json;

use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    output::{escape, layout::Piece, paint::Role},
    table::Format,
    terminal, waiting,
};

/// Questions that are asked again when the answer does not fit.
const QUESTIONS_MAX: u32 = 3;

/// What came of several readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The person chose this one.
    Chosen(usize),
    /// Nothing was changed, and all was said.
    Refused(Exit),
}

/// Asks, or lists the readings with their commands and refuses.
pub fn settle(
    readings: &[TaskReading],
    commands: &[String],
    format: Format,
    context: &mut Context,
) -> Result<Settled, Failure> {
    let for_people = matches!(format, Format::Text | Format::Md);
    if for_people && context.notes.is_terminal && terminal::can_ask() {
        return match ask(readings, context)? {
            Some(chosen) => Ok(Settled::Chosen(chosen)),
            None => Err(refused(
                readings,
                commands,
                "none of the readings was chosen",
            )),
        };
    }
    let failure = refused(
        readings,
        commands,
        &format!("it can be read in {} ways", readings.len()),
    );
    match format {
        Format::Text | Format::Md => {
            list(readings, commands, context);
            Err(failure)
        }
        Format::Json => {
            let value = json!({
                "v": 1,
                "outcome": "ambiguous",
                "readings": with_commands(readings, commands),
                "error": failure.to_json(),
                "complete": false,
            });
            tell(&[value], &failure, context)
        }
        Format::Ndjson => {
            let mut lines = with_commands(readings, commands);
            for line in &mut lines {
                line["v"] = 1.into();
                line["type"] = "reading".into();
            }
            lines.push(json!({"v": 1, "type": "failed", "error": failure.to_json()}));
            tell(&lines, &failure, context)
        }
    }
}

/// Readings with their commands, on stderr, for people.
pub fn list(readings: &[TaskReading], commands: &[String], context: &mut Context) {
    for (reading, command) in readings.iter().zip(commands) {
        let pieces = [
            Piece::new("", format!("  {}", said(reading)), Role::Strong),
            Piece::new(": ", escape::line(command).into_owned(), Role::Plain),
        ];
        let mut text = context.notes.layout.pieces(&pieces, 4);
        for notice in &reading.notices {
            let notice = format!("    {}", escape::line(&notice.text));
            text.push_str(&context.notes.layout.text(&notice, Role::Warning, 4));
        }
        context.notes.raw(&text);
    }
}

/// Readings as JSON, each with its command.
pub fn with_commands(readings: &[TaskReading], commands: &[String]) -> Vec<serde_json::Value> {
    let pairs = readings.iter().zip(commands);
    pairs
        .map(|(reading, command)| {
            let mut value = json!(reading);
            value["command"] = command.as_str().into();
            value
        })
        .collect()
}

/// The error of a time with several readings.
pub fn refused(readings: &[TaskReading], commands: &[String], why: &str) -> Failure {
    let hint = commands.first().map_or(Hint::REMIND_HELP, |command| {
        Hint::of_this_place(format!("`{command}`"))
    });
    let said: Vec<String> = readings.iter().map(said).collect();
    Failure::new(
        Kind::Usage,
        "Nothing was changed",
        format!("{why}: {}", said.join("; ")),
        hint,
    )
}

fn said(reading: &TaskReading) -> String {
    escape::line(&reading.said).into_owned()
}

fn tell(
    lines: &[serde_json::Value],
    failure: &Failure,
    context: &mut Context,
) -> Result<Settled, Failure> {
    for line in lines {
        context.answer.json(line)?;
    }
    context.answer.flush()?;
    context.notes.failure(failure);
    Ok(Settled::Refused(failure.exit()))
}

/// The number that the person types; none for Enter.
fn ask(readings: &[TaskReading], context: &mut Context) -> Result<Option<usize>, Failure> {
    let lines: Vec<String> = readings
        .iter()
        .enumerate()
        .map(|(i, reading)| {
            let title = escape::line(&reading.title);
            let gap = if title.is_empty() { "" } else { " · " };
            format!("  {}  {}{gap}{title}", i + 1, said(reading))
        })
        .collect();
    let most = readings.len();
    let asking = waiting::on_thread(move || {
        let talk = || -> std::io::Result<Option<usize>> {
            let mut terminal = terminal::open()?;
            writeln!(terminal, "This can be read in {most} ways:")?;
            for line in &lines {
                writeln!(terminal, "{line}")?;
            }
            for _ in 0..QUESTIONS_MAX {
                write!(terminal, "Which one? [1-{most}, Enter for none] ")?;
                let Some(line) = terminal::line(&mut terminal)? else {
                    return Ok(None);
                };
                let answer = line.trim();
                if answer.is_empty() {
                    return Ok(None);
                }
                match answer.parse::<usize>() {
                    Ok(number) if (1..=most).contains(&number) => return Ok(Some(number - 1)),
                    _ => writeln!(terminal, "a number from 1 to {most}, please")?,
                }
            }
            Ok(None)
        };
        talk().map_err(|error| {
            Failure::new(
                Kind::Io,
                "The terminal cannot be asked",
                describe(&error),
                Hint::REMIND_HELP,
            )
        })
    });
    let deadline = waiting::Deadline::from_now(context.global.timeout);
    waiting::block_on(async {
        let asking = async {
            let question = terminal::Question::default();
            let answer = asking.await;
            question.answered();
            answer
        };
        deadline.guard("waiting for an answer", asking).await
    })
}
