//! `cv inbox`

use convergio_client::Client;
use convergio_contract::task::{TaskInbox, TaskInboxParams, TaskInboxResponse};
use serde_json::json;

use super::today::heading;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    table::{Format, Table, show},
    tasks::{Here, list, missed::Missed, reminder},
};

/// Reminders that fired and nobody answered, and tasks that are yet to be sorted: without a time
/// and a project.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The listed reminders are answered with this: they wait no more. Their tasks stay.
    #[arg(long)]
    pub seen: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let here = Here::of(&context.surroundings);
    let params = TaskInboxParams {
        locale: here.locale.clone(),
        ..TaskInboxParams::default()
    };
    let found = daemon::call(
        context,
        Start::IfNeeded,
        "looking into the inbox",
        |client: Client| async move { client.call::<TaskInbox>(&params).await },
    )?;
    if !found.waiting.is_empty() {
        context.missed = Missed::default();
    }
    print(&found, args.format, &here, context)?;
    context.answer.flush()?;
    // Only what is on its way to the person by now.
    if args.seen && !found.waiting.is_empty() {
        let params = TaskInboxParams {
            mark_seen: true,
            only: found.waiting.iter().map(|one| one.occurrence_id).collect(),
            locale: here.locale.clone(),
        };
        daemon::call(
            context,
            Start::IfNeeded,
            "marking them as seen",
            |client: Client| async move { client.call::<TaskInbox>(&params).await },
        )?;
        context.missed = Missed::default();
    }
    Ok(Exit::Ok)
}

fn print(
    found: &TaskInboxResponse,
    format: Format,
    here: &Here,
    context: &mut Context,
) -> Result<(), Failure> {
    let words = here.words;
    match format {
        Format::Json => show(&mut context.answer, format, &Table::default(), found, None),
        Format::Ndjson => {
            for occurrence in &found.waiting {
                let mut value = json!(occurrence);
                value["v"] = 1.into();
                value["type"] = "reminder".into();
                context.answer.json(&value)?;
            }
            for task in &found.unsorted {
                let mut value = json!(task);
                value["v"] = 1.into();
                value["type"] = "task".into();
                context.answer.json(&value)?;
            }
            context
                .answer
                .json(&json!({"v": 1, "type": "completed", "more": found.more}))
        }
        Format::Text | Format::Md => {
            if found.waiting.is_empty() && found.unsorted.is_empty() {
                return context.answer.say(words.nothing_waits);
            }
            if !found.waiting.is_empty() {
                let table = Table {
                    headers: Vec::new(),
                    rows: found
                        .waiting
                        .iter()
                        .map(|occurrence| reminder::row(occurrence, here))
                        .collect(),
                };
                heading(words.reminders, format, context)?;
                show(&mut context.answer, format, &table, &(), None)?;
            }
            if found.more > 0 {
                context.answer.say(&words.more(found.more.into()))?;
            }
            if !found.unsorted.is_empty() {
                if !found.waiting.is_empty() {
                    context.answer.write("\n")?;
                }
                let mut table = list::table(&found.unsorted, here);
                table.headers.clear();
                heading(words.unsorted, format, context)?;
                show(&mut context.answer, format, &table, &(), None)?;
            }
            if let Some(first) = found.waiting.first() {
                context.answer.flush()?;
                let number = first.number;
                context.notes.note(&format!(
                    "cv task done {number}, cv task snooze {number} \"2 hours\", or cv inbox --seen"
                ));
            }
            Ok(())
        }
    }
}
