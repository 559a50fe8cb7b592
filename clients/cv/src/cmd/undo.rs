//! `cv undo`

use std::path::Path;

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    limits::UNDO_FILE_MAX_BYTES,
    undo::{
        FileOnDisk, FileToWrite, UndoApply, UndoApplyParams, UndoApplyResponse, UndoEntry,
        UndoList, UndoListParams, UndoListResponse,
    },
};

use super::{latest, silences};
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

/// Takes the last change here back: a fix, a silence, a setting, a task.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Another change than the last: its id, or the digits of it that `--list` shows.
    #[arg(value_name = "ID", conflicts_with = "list")]
    pub id: Option<String>,
    /// Show what can be taken back, newest first, elsewhere too.
    #[arg(long)]
    pub list: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// How many of an id's last digits tell it from others to a person; the first are a time.
const SHORT_DIGITS: usize = 8;
/// Fewer digits of an id are a slip rather than a name.
const DIGITS_MIN: usize = 4;
/// Changes to choose from.
const CHOICE_MAX: u32 = 200;

/// Takes back, or lists.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let limit = if args.list { 50 } else { CHOICE_MAX };
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
    let here = latest::root(context).ok().map(|(_, root)| root);
    let here = here.as_deref();
    if args.list {
        return list(&listed, here, args.format, context);
    }
    let entry = match &args.id {
        Some(id) => named(&listed.entries, id)?,
        None => latest_here(&listed.entries, here, context)?,
    };
    take_back(entry, context)?;
    match args.format {
        Format::Text | Format::Md => {
            let mut text = format!("Took back {}", escape::line(&entry.label));
            if !is_here(entry, here) {
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

/// Whether a change belongs to the folder that the user stands in; settings belong to all.
fn is_here(entry: &UndoEntry, here: Option<&str>) -> bool {
    entry.root.is_none() || entry.root.as_deref() == here || entry.label.starts_with("cv config")
}

fn short(entry: &UndoEntry) -> String {
    short_id(entry.undo_id)
}

/// The digits of a change that tell it from others to a person.
pub fn short_id(undo_id: Uuid) -> String {
    let digits = undo_id.simple().to_string();
    digits[digits.len() - SHORT_DIGITS..].to_owned()
}

/// The latest change that belongs here and was not taken back; one elsewhere is only told of.
fn latest_here<'e>(
    entries: &'e [UndoEntry],
    here: Option<&str>,
    context: &mut Context,
) -> Result<&'e UndoEntry, Failure> {
    let Some(latest) = entries.iter().find(|entry| !entry.undone) else {
        return Err(Failure::new(
            Kind::NotFound,
            "Nothing to take back",
            "no change of `cv` is recorded, or all were taken back",
            Hint::UNDO_LIST,
        ));
    };
    let place = latest.root.as_deref().unwrap_or_default();
    let mut open = entries.iter().filter(|entry| !entry.undone);
    let Some(entry) = open.find(|entry| is_here(entry, here)) else {
        return Err(Failure::new(
            Kind::NotFound,
            "Nothing to take back here",
            format!("the latest change is `{}` in {place}", latest.label),
            Hint::of_this_place(format!("`cv undo {}`", short(latest))),
        ));
    };
    if entry.undo_id != latest.undo_id {
        context.notes.note(&format!(
            "The latest change is elsewhere and stays: {} in {}",
            escape::line(&latest.label),
            escape::line(place)
        ));
    }
    Ok(entry)
}

/// The change that an id, its beginning or its end names.
fn named<'e>(entries: &'e [UndoEntry], id: &str) -> Result<&'e UndoEntry, Failure> {
    let digits = id.replace('-', "").to_ascii_lowercase();
    let failure = |kind: Kind, what: String, why: &str| {
        Err(Failure::new(kind, what, why.to_owned(), Hint::UNDO_LIST))
    };
    if digits.len() < DIGITS_MIN || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let why = "it takes 4 or more hexadecimal digits, the first or the last of an id";
        return failure(Kind::Usage, format!("`{id}` names no change"), why);
    }
    let mut found = entries.iter().filter(|entry| {
        let own = entry.undo_id.simple().to_string();
        own.starts_with(&digits) || own.ends_with(&digits)
    });
    match (found.next(), found.next()) {
        (None, _) => {
            let why = "it never was, or it is no longer kept";
            failure(Kind::NotFound, format!("There is no change `{id}`"), why)
        }
        (Some(_), Some(_)) => {
            let why = "more digits tell them apart; the last ones are the different ones";
            failure(
                Kind::Usage,
                format!("Several changes are named by `{id}`"),
                why,
            )
        }
        (Some(entry), None) if entry.undone => {
            let what = format!("{} was taken back already", entry.label);
            failure(Kind::Conflict, what, "there is nothing left to do")
        }
        (Some(entry), None) => Ok(entry),
    }
}

fn list(
    listed: &UndoListResponse,
    here: Option<&str>,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    if listed.entries.is_empty() && matches!(format, Format::Text | Format::Md) {
        context
            .answer
            .say("Nothing to take back yet. Fixes and silences appear here: `cv fix --help`")?;
        return Ok(Exit::Ok);
    }
    let what = |entry: &UndoEntry| match &entry.root {
        Some(root) if !is_here(entry, here) => format!("{} in {root}", entry.label),
        _ => entry.label.clone(),
    };
    let table = Table {
        headers: vec!["id", "when", "state", "what"],
        rows: listed
            .entries
            .iter()
            .map(|entry| {
                vec![
                    styled(short(entry), Role::Strong),
                    cell(local_time(entry.created_ms)),
                    if entry.undone {
                        styled("taken back", Role::Dim)
                    } else {
                        cell("can be taken back")
                    },
                    cell(what(entry)),
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
            keep_files: false,
        };
        let step: UndoApplyResponse = daemon::call(
            context,
            Start::IfNeeded,
            "taking it back",
            |client: Client| async move { client.call::<UndoApply>(&params).await },
        )?;
        if let Some(silence) = &step.silence {
            return take_silence_back(entry, &silence.fingerprint, context);
        }
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

/// What was done to the file of silences since stays; only the silence goes.
fn take_silence_back(
    entry: &UndoEntry,
    fingerprint: &str,
    context: &mut Context,
) -> Result<(), Failure> {
    for path in &entry.paths {
        silences::take_out(Path::new(path), fingerprint)?;
    }
    let params = UndoApplyParams {
        undo_id: entry.undo_id,
        files: Vec::new(),
        keep_files: true,
    };
    daemon::call(
        context,
        Start::IfNeeded,
        "taking the silence back",
        |client: Client| async move { client.call::<UndoApply>(&params).await },
    )
    .map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, label: &str, root: Option<&str>, undone: bool) -> UndoEntry {
        UndoEntry {
            undo_id: Uuid::parse_str(id).expect("an id"),
            label: label.to_owned(),
            created_ms: 1,
            root: root.map(str::to_owned),
            paths: Vec::new(),
            undone,
        }
    }

    #[test]
    fn a_change_is_named_by_its_first_or_last_digits() {
        let entries = [
            entry("01900000-0000-7000-8000-0000aaaabbbb", "a", None, false),
            entry("01900000-0000-7000-8000-0000aaaacccc", "b", None, false),
            entry("01900000-0000-7000-8000-0000aaaadddd", "c", None, true),
        ];
        for id in ["bbbb", "AAAABBBB", "01900000-0000-7000-8000-0000aaaabbbb"] {
            assert_eq!(named(&entries, id).expect("found").label, "a", "{id}");
        }
        for (id, kind) in [
            ("0190", Kind::Usage),
            ("bbb", Kind::Usage),
            ("last", Kind::Usage),
            ("eeee", Kind::NotFound),
            ("dddd", Kind::Conflict),
        ] {
            assert_eq!(named(&entries, id).expect_err(id).kind, kind, "{id}");
        }
    }

    #[test]
    fn settings_belong_everywhere_and_the_rest_to_its_folder() {
        let id = "01900000-0000-7000-8000-0000aaaabbbb";
        assert!(is_here(
            &entry(id, "cv fix 1", Some("/a"), false),
            Some("/a")
        ));
        assert!(!is_here(
            &entry(id, "cv fix 1", Some("/a"), false),
            Some("/b")
        ));
        assert!(!is_here(&entry(id, "cv fix 1", Some("/a"), false), None));
        assert!(is_here(
            &entry(id, "cv config set x 1", None, false),
            Some("/b")
        ));
        assert!(is_here(
            &entry(id, "cv config edit", Some("/c"), false),
            Some("/b")
        ));
    }
}
