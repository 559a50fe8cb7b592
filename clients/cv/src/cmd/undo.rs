//! `cv undo`

use std::path::Path;

use convergio_client::Client;
use convergio_contract::{
    limits::UNDO_FILE_MAX_BYTES,
    undo::{
        FileOnDisk, FileToWrite, UndoApply, UndoApplyParams, UndoApplyResponse, UndoEntry,
        UndoList, UndoListParams, UndoListResponse,
    },
};

use super::latest;
use crate::{
    context::Context,
    daemon::{self, Start},
    edit::{Place, sha256},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    local_time,
    output::{escape, paint::Role},
    table::{Format, Table, cell, show, styled},
    wire,
};

/// Takes the last change back: a fix, a silence, a setting.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Show what can be taken back, newest first.
    #[arg(long)]
    pub list: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Takes back, or lists.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let limit = if args.list { 50 } else { 100 };
    let listed: UndoListResponse = daemon::call(
        context,
        Start::IfNeeded,
        "asking what can be taken back",
        |client: Client| async move {
            client
                .call::<UndoList>(&UndoListParams { limit: Some(limit) })
                .await
        },
    )?;
    if args.list {
        return list(&listed, args.format, context);
    }
    let Some(entry) = listed.entries.iter().find(|entry| !entry.undone) else {
        return Err(Failure::new(
            Kind::NotFound,
            "Nothing to take back",
            "no change of `cv` is recorded, or all were taken back",
            Hint::UNDO_LIST,
        ));
    };
    take_back(entry, context)?;
    match args.format {
        Format::Text | Format::Md => {
            let mut text = format!("Took back {}", escape::line(&entry.label));
            // The last change may have been made in another repository.
            let here = latest::root(context).ok().map(|(root, _)| root);
            let is_here = |path: &String| {
                here.as_ref()
                    .is_some_and(|root| Path::new(path).starts_with(root))
            };
            if !entry.paths.iter().all(is_here) {
                let paths: Vec<_> = entry.paths.iter().map(|path| escape::line(path)).collect();
                text.push_str(&format!(" · elsewhere: {}", paths.join(", ")));
            }
            context.answer.say(&text)?;
        }
        Format::Json | Format::Ndjson => context.answer.json(&serde_json::json!({
            "v": 1,
            "type": "completed",
            "undo_id": entry.undo_id,
            "label": entry.label,
            "paths": entry.paths,
        }))?,
    }
    Ok(Exit::Ok)
}

fn list(listed: &UndoListResponse, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    if listed.entries.is_empty() && matches!(format, Format::Text | Format::Md) {
        context
            .answer
            .say("Nothing to take back yet. Fixes and silences appear here: `cv fix --help`")?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec!["when", "state", "what"],
        rows: listed
            .entries
            .iter()
            .map(|entry| {
                vec![
                    cell(local_time(entry.created_ms)),
                    if entry.undone {
                        styled("taken back", Role::Dim)
                    } else {
                        cell("can be taken back")
                    },
                    cell(entry.label.as_str()),
                ]
            })
            .collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        listed,
        Some(("entries", "change")),
    )?;
    Ok(Exit::Ok)
}

/// Two steps: ask what to write, write it, say so. Either may be repeated.
fn take_back(entry: &UndoEntry, context: &mut Context) -> Result<(), Failure> {
    // Once to learn what to write, once to close; a change meanwhile is a conflict, not a loop.
    for _ in 0..2 {
        let files = entry
            .paths
            .iter()
            .map(|path| {
                let place = Place::absolute(Path::new(path), false);
                let found = match place {
                    Ok(place) => place.read()?,
                    // Its folder is gone, and the file with it.
                    Err(failure) if !Path::new(path).exists() && failure.kind == Kind::Io => None,
                    Err(failure) => return Err(failure),
                };
                Ok(FileOnDisk {
                    path: path.clone(),
                    sha256: found.map(|found| sha256(&found.bytes)),
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let params = UndoApplyParams {
            undo_id: entry.undo_id,
            files,
        };
        let step: UndoApplyResponse = daemon::call(
            context,
            Start::IfNeeded,
            "taking it back",
            |client: Client| async move { client.call::<UndoApply>(&params).await },
        )?;
        for file in &step.write {
            write(file, entry)?;
        }
        if step.done {
            return Ok(());
        }
    }
    Err(Failure::new(
        Kind::Conflict,
        format!("{} was not taken back", entry.label),
        "its files change while they are written",
        Hint::UNDO_CONFLICT,
    ))
}

fn write(file: &FileToWrite, entry: &UndoEntry) -> Result<(), Failure> {
    if !entry.paths.contains(&file.path) {
        return Err(Failure::new(
            Kind::Conflict,
            format!("{} is not changed", file.path),
            "it does not belong to the change that is taken back",
            Hint::UNDO_LIST,
        ));
    }
    let place = Place::absolute(Path::new(&file.path), file.content.is_some())?;
    match &file.content {
        Some(content) => {
            let bytes = wire::bytes(content, UNDO_FILE_MAX_BYTES)?;
            place.write(&bytes, place.read()?.as_ref())
        }
        None => {
            place.remove()?;
            if let Some(folder) = place.path().parent()
                && folder.ends_with(".convergio")
            {
                // Made for this file alone; where it holds others it stays.
                let _ = std::fs::remove_dir(folder);
            }
            Ok(())
        }
    }
}
