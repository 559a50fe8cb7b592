//! `cv task export`, `cv task import`

use std::path::{Path, PathBuf};

use convergio_client::Client;
use convergio_contract::task::{
    IMPORT_MAX_BYTES, TaskExport, TaskExportParams, TaskFormat, TaskImport, TaskImportParams,
    TaskImportResponse,
};

use super::sink::Sink;
use crate::{
    ask::input,
    context::{Context, ErrorForm},
    daemon::{self, Start},
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    output::escape,
    render::words::count,
    stdin,
    table::{Format, Table, show},
    tasks::{Here, changed},
    waiting,
    whole_file::{self, Unread},
};

mod join;

/// Writes tasks out as iCalendar or JSON: `cv task export -o tasks.ics`. Without a filter all of
/// them, those that are done included.
#[derive(clap::Args, Debug)]
pub struct ExportArgs {
    /// Which, as in `cv tasks`.
    #[arg(value_name = "FILTER", value_parser = crate::cli::filter_word,
          value_hint = clap::ValueHint::Other)]
    pub filter: Vec<String>,
    /// How to write it; without it as the file's name says, else iCalendar.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<TravelFormat>,
    /// Into this file, which appears when it is whole; without it, to stdout.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Replace the file.
    #[arg(long, requires = "file")]
    pub force: bool,
}

/// A form in which tasks travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TravelFormat {
    /// RFC 5545: other calendars and task lists read it.
    Ics,
    /// A JSON array, with all that is known.
    Json,
}

impl TravelFormat {
    const fn wire(self) -> TaskFormat {
        match self {
            Self::Ics => TaskFormat::Ics,
            Self::Json => TaskFormat::Json,
        }
    }

    /// As a file's name says.
    fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "ics" | "ical" | "ifb" => Some(Self::Ics),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// As the beginning of a text says.
    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let calendar = text.get(..15).unwrap_or_default();
        if text.starts_with(['[', '{']) {
            Some(Self::Json)
        } else if calendar.eq_ignore_ascii_case("BEGIN:VCALENDAR") {
            Some(Self::Ics)
        } else {
            None
        }
    }
}

/// Takes tasks in from a file or stdin: iCalendar or JSON, as its beginning says. What was taken
/// in before is brought up to date, not doubled.
#[derive(clap::Args, Debug)]
pub struct ImportArgs {
    /// The file; `-` for stdin.
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Say what would come in; take nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How to print what came in.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Exports.
pub fn export(args: &ExportArgs, context: &mut Context) -> Result<Exit, Failure> {
    let by_name = || args.file.as_deref().and_then(TravelFormat::of_name);
    let format = args.format.or_else(by_name).unwrap_or(TravelFormat::Ics);
    if format == TravelFormat::Json && args.file.is_none() {
        context.error_form = ErrorForm::Json;
    }
    let mut sink = match &args.file {
        Some(path) => Sink::file(&context.folder()?.join(path), args.force, Hint::TASK_EXPORT)?,
        None => Sink::Stdout,
    };
    let here = Here::of(&context.surroundings);
    let mut params = TaskExportParams {
        format: format.wire(),
        filter: args.filter.clone(),
        cursor: None,
        locale: here.locale,
    };
    let (pages, tasks) = daemon::call(
        context,
        Start::IfNeeded,
        "reading the tasks",
        |client: Client| async move {
            let (mut pages, mut tasks) = (Vec::new(), 0_u64);
            loop {
                let mut page = client.call::<TaskExport>(&params).await?;
                tasks += u64::from(page.tasks);
                params.cursor = page.cursor.take();
                pages.push(page.text);
                if params.cursor.is_none() {
                    return Ok((pages, tasks));
                }
            }
        },
    )?;
    // Only now, so that an error is never told behind half of an export.
    context.error_form = ErrorForm::Notes;
    let text = match format {
        TravelFormat::Ics => join::calendars(&pages),
        TravelFormat::Json => join::arrays(&pages)?,
    };
    sink.write(&text, context)?;
    sink.finish(context)?;
    if let Some(path) = &args.file {
        let tasks = count(tasks, "task", "tasks");
        let path = path.display().to_string();
        context
            .notes
            .note(&format!("Wrote {tasks} to {}", escape::line(&path)));
    }
    Ok(Exit::Ok)
}

/// Imports.
pub fn import(args: &ImportArgs, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let from_stdin = args.file.as_os_str() == "-";
    let name = args.file.display().to_string();
    let bytes = if from_stdin {
        let reading = waiting::on_thread(|| {
            stdin::read_all(IMPORT_MAX_BYTES).map_err(|failure| match failure.kind {
                Kind::TooLarge => too_large("stdin"),
                _ => failure,
            })
        });
        waiting::wait(context, "waiting for tasks on stdin", reading)?
    } else {
        read(&context.folder()?.join(&args.file), &name)?
    };
    let text = input::text(bytes, if from_stdin { "stdin" } else { &name })?;
    let format = TravelFormat::of_text(&text).or_else(|| TravelFormat::of_name(&args.file));
    let Some(format) = format else {
        return Err(Failure::new(
            Kind::Usage,
            format!("{name} holds no tasks"),
            "it begins neither as iCalendar, BEGIN:VCALENDAR, nor as JSON; a task a line: \
             `cv task add -`",
            Hint::TASK_HELP,
        ));
    };
    let here = Here::of(&context.surroundings);
    let params = TaskImportParams {
        format: format.wire(),
        text,
        dry_run: args.dry_run,
        locale: here.locale.clone(),
    };
    let found = daemon::call(
        context,
        Start::IfNeeded,
        "taking tasks in",
        |client: Client| async move { client.call::<TaskImport>(&params).await },
    )?;
    tell(&found, args, &here, context)
}

fn tell(
    found: &TaskImportResponse,
    args: &ImportArgs,
    here: &Here,
    context: &mut Context,
) -> Result<Exit, Failure> {
    // Something that should have come in did not.
    let exit = if found.left_out_total > 0 {
        Exit::Incomplete
    } else {
        Exit::Ok
    };
    if matches!(args.format, Format::Json | Format::Ndjson) {
        show(
            &mut context.answer,
            args.format,
            &Table::default(),
            found,
            None,
        )?;
        return Ok(exit);
    }
    let mut parts = vec![
        format!("{} new", found.created),
        format!("{} brought up to date", found.updated),
        format!("{} as they were", found.unchanged),
    ];
    if found.left_out_total > 0 {
        parts.push(format!("{} left out", found.left_out_total));
    }
    let mut text = parts.join(", ");
    if args.dry_run {
        text = format!("Would be: {text}");
    } else if let Some(undo_id) = found.undo_id {
        text.push_str(&format!(
            " · {}: {}",
            here.words.back,
            changed::back(undo_id, true)
        ));
    }
    context.answer.say(&text)?;
    context.answer.flush()?;
    for left in &found.left_out {
        context
            .notes
            .note(&format!("Left out: {}", escape::line(left)));
    }
    let more = u64::from(found.left_out_total).saturating_sub(found.left_out.len() as u64);
    if more > 0 {
        context.notes.note(&format!("{more} more were left out"));
    }
    Ok(exit)
}

fn read(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let failed = |kind: Kind, why: String| {
        Failure::new(kind, format!("{name} cannot be read"), why, Hint::TASK_HELP)
    };
    whole_file::read(path, IMPORT_MAX_BYTES as u64).map_err(|unread| match unread {
        Unread::Io(error) => failed(
            match error.kind() {
                std::io::ErrorKind::NotFound => Kind::NotFound,
                std::io::ErrorKind::IsADirectory => Kind::Usage,
                _ => Kind::Io,
            },
            describe(&error),
        ),
        Unread::Endless => failed(
            Kind::Usage,
            "it is no plain file: a pipe or a device may never end".to_owned(),
        ),
        Unread::TooLarge => too_large(name),
    })
}

fn too_large(name: &str) -> Failure {
    Failure::new(
        Kind::TooLarge,
        format!("{name} is too large"),
        format!("{} MiB are taken in at once", IMPORT_MAX_BYTES >> 20),
        Hint::TASK_PIECES,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texts_beginning_says_what_it_is() {
        for (text, format) in [
            ("BEGIN:VCALENDAR\r\n", Some(TravelFormat::Ics)),
            ("\u{feff}\r\nbegin:vcalendar\n", Some(TravelFormat::Ics)),
            (" [{}]", Some(TravelFormat::Json)),
            ("{\"tasks\": []}", Some(TravelFormat::Json)),
            ("buy milk", None),
            ("", None),
            ("éééééééééééééééé", None),
        ] {
            assert_eq!(TravelFormat::of_text(text), format, "{text}");
        }
        let named = |name: &str| TravelFormat::of_name(Path::new(name));
        assert_eq!(named("a.ICS"), Some(TravelFormat::Ics));
        assert_eq!(named("a.json"), Some(TravelFormat::Json));
        assert_eq!(named("-"), None);
    }
}
