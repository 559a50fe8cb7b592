//! `cv pick`

use std::{
    ffi::{OsStr, OsString},
    io::{BufRead, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use convergio_client::Client;
use convergio_contract::search::{QUERY_MAX_BYTES, SearchQuery, SearchQueryParams};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    pick::{
        chosen::{Chosen, chosen},
        list::{self, Row},
        terminal::opening,
    },
    tasks::Here,
};

/// Bytes of a line that is given back by a launcher at most.
const LINE_MAX_BYTES: u64 = 8 << 10;

/// Lists what a launcher can choose (tasks, conversations, templates), and does what was chosen.
///
/// rofi: `rofi -show cv -modes 'cv:cv pick --format rofi --'`.
/// dmenu: `cv pick | dmenu -i -l 12 | cv pick --run -`, where `remind: call Mario at 9` and
/// `ask: …` can be typed too. Alfred and Raycast: `--format alfred-json` or `raycast-json` with what
/// was typed, then `--run ID`. Nothing is asked of a model, and nothing leaves, before a choice.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Words to look for.
    #[arg(value_name = "WORDS", value_hint = clap::ValueHint::Other)]
    pub words: Vec<String>,
    /// For which launcher.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Launcher,
    /// Does what was chosen: an ID, or `-` for the line on stdin that dmenu gave back.
    #[arg(long, value_name = "ID", conflicts_with = "words", value_hint = clap::ValueHint::Other)]
    pub run: Option<String>,
    /// In a terminal that was opened for it: wait for Enter at the end.
    #[arg(long, hide = true, requires = "run")]
    pub stay: bool,
}

/// Programs that show a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Launcher {
    /// A line each.
    #[default]
    Dmenu,
    /// rofi's script mode.
    Rofi,
    /// Alfred's script filter.
    AlfredJson,
    /// Items of a Raycast list.
    RaycastJson,
}

/// Lists, or does what was chosen.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    if let Some(line) = args.run {
        let line = match line.as_str() {
            "-" => one_line()?,
            _ => line,
        };
        if line.trim().is_empty() {
            // Escape in dmenu: nothing was chosen.
            return Ok(Exit::Ok);
        }
        return act(&line, args.stay, context);
    }
    let words = args.words.join(" ");
    match args.format {
        Launcher::Rofi => rofi(&words, context),
        Launcher::Dmenu => {
            let rows = found(&words, Start::IfNeeded, context)?;
            context.answer.write(&list::dmenu(&rows))?;
            Ok(Exit::Ok)
        }
        Launcher::AlfredJson => {
            let rows = while_typing(&words, context);
            context.answer.json(&list::alfred(&rows))?;
            Ok(Exit::Ok)
        }
        Launcher::RaycastJson => {
            let rows = while_typing(&words, context);
            context.answer.json(&list::raycast(&rows))?;
            Ok(Exit::Ok)
        }
    }
}

fn one_line() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::BufReader::new(std::io::stdin().take(LINE_MAX_BYTES))
        .read_line(&mut line)
        .map_err(|error| {
            Failure::new(
                Kind::Io,
                "What was chosen could not be read from stdin",
                describe(&error),
                Hint::PICK_LIST,
            )
        })?;
    Ok(line)
}

fn found(words: &str, start: Start, context: &mut Context) -> Result<Vec<Row>, Failure> {
    if words.len() > QUERY_MAX_BYTES {
        return Err(Failure::new(
            Kind::Usage,
            "There are too many words to look for",
            format!("{} bytes; {QUERY_MAX_BYTES} at most", words.len()),
            Hint::PICK_LIST,
        ));
    }
    let params = SearchQueryParams {
        text: words.to_owned(),
        limit: None,
        locale: Here::of(&context.surroundings).locale,
    };
    let found = daemon::call(context, start, "looking", |client: Client| async move {
        client.call::<SearchQuery>(&params).await
    })?;
    Ok(list::of_results(&found.results))
}

/// What is found for words that are being typed: without a daemon, what can be done with them.
fn while_typing(words: &str, context: &mut Context) -> Vec<Row> {
    let mut rows = found(words, Start::Never, context).unwrap_or_default();
    rows.extend(list::of_words(words));
    rows
}

/// One step of rofi's script mode: it starts us anew for each, and says in its variables which.
fn rofi(words: &str, context: &mut Context) -> Result<Exit, Failure> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let info = variable("ROFI_INFO");
    let rows = match variable("ROFI_RETV").as_str() {
        "1" => match info.strip_prefix("task:") {
            Some(number) => list::of_task(number),
            None => return act(&info, false, context),
        },
        // Typed, and no row of the list.
        "2" => list::of_words(words),
        _ => found("", Start::IfNeeded, context)?,
    };
    context.answer.write(&list::rofi("convergio", &rows))?;
    Ok(Exit::Ok)
}

/// Does what an entry stands for.
fn act(line: &str, stay: bool, context: &mut Context) -> Result<Exit, Failure> {
    let Some(chosen) = chosen(line) else {
        return Err(Failure::new(
            Kind::Usage,
            "That is no entry of the list",
            "an entry begins with task:, done:, snooze:, remind:, ask:, session: or template:",
            Hint::PICK_LIST,
        ));
    };
    if context.answer.is_terminal {
        let status = ours(&chosen)?.status().map_err(|error| unstarted(&error))?;
        if stay {
            context.notes.note("Enter closes this window.");
            enter();
        }
        return Ok(ended(status));
    }
    if !chosen.to_read {
        let status = ours(&chosen)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|error| unstarted(&error))?;
        if status.success() {
            return Ok(Exit::Ok);
        }
        // Why, or what is to be decided, is said again where it can be read and answered.
    }
    open(line)
}

/// Waits for the end of a line. A terminal that went away is closed already.
fn enter() {
    let mut terminal = std::io::BufReader::new(std::io::stdin().take(LINE_MAX_BYTES));
    let _ = terminal.read_until(b'\n', &mut Vec::new());
}

fn own() -> Result<std::path::PathBuf, Failure> {
    std::env::current_exe().map_err(|error| unstarted(&error))
}

fn ours(chosen: &Chosen) -> Result<Command, Failure> {
    let mut command = Command::new(own()?);
    command.args(&chosen.words);
    Ok(command)
}

fn unstarted(error: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Io,
        "What was chosen could not be started",
        describe(error),
        Hint::PICK_TERMINAL,
    )
}

fn ended(status: ExitStatus) -> Exit {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Exit::Ok,
        Some(code) => Exit::Program(code),
        None => Exit::Interrupted,
    }
}

/// Opens a terminal in which the entry is done.
fn open(line: &str) -> Result<Exit, Failure> {
    let mut run = OsString::from("--run=");
    run.push(line.trim());
    let command = [
        own()?.into_os_string(),
        OsString::from("pick"),
        OsString::from("--stay"),
        run,
    ];
    let is_program = |path: &Path| {
        std::fs::metadata(path)
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    let chosen = std::env::var_os("TERMINAL");
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let opening = opening(chosen.as_deref(), &folders, is_program, &command);
    let Some((program, words)) = opening.as_deref().and_then(<[OsString]>::split_first) else {
        return Err(Failure::new(
            Kind::NotFound,
            "There is no terminal to show it in",
            "neither TERMINAL nor PATH names one that is known here",
            Hint::PICK_TERMINAL,
        ));
    };
    Command::new::<&OsStr>(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| unstarted(&error))?;
    Ok(Exit::Ok)
}
