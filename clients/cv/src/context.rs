//! What a verb works with: the options that all verbs share, the streams, the surroundings.

use std::{io::IsTerminal, path::PathBuf};

use crate::{
    cli::Global,
    error::{Failure, Kind},
    hint::Hint,
    output::{
        Answer, Notes,
        closed::{Closed, stdout_was_closed},
        layout::Layout,
        paint::ColorEnvironment,
        patient::Patient,
    },
    tasks::missed::Missed,
};

/// The part of the process environment that matters here, read once.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What it says about colour.
    pub color: ColorEnvironment,
    /// `COLUMNS`, where it is a number.
    pub columns: Option<usize>,
    /// The locale of dates: `LC_ALL`, else `LC_TIME`, else `LANG`.
    pub locale: Option<String>,
    /// `VISUAL`, or `EDITOR`.
    pub editor: Option<String>,
}

impl Surroundings {
    /// Reads the process environment.
    pub fn from_process() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            color: ColorEnvironment {
                no_color: var("NO_COLOR").is_some(),
                clicolor_force: var("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
                clicolor_off: var("CLICOLOR").is_some_and(|value| value == "0"),
                dumb: var("TERM").is_some_and(|value| value == "dumb"),
            },
            columns: var("COLUMNS")
                .and_then(|value| value.parse().ok())
                .filter(|&columns| columns > 0),
            locale: var("LC_ALL")
                .or_else(|| var("LC_TIME"))
                .or_else(|| var("LANG")),
            editor: var("VISUAL").or_else(|| var("EDITOR")),
        }
    }
}

/// How errors are told on stdout, for a program that reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorForm {
    /// Not at all: they go to stderr only.
    #[default]
    Notes,
    /// `{"v":1,"error":{…},"complete":false}`.
    Json,
    /// The same as a terminal event.
    Ndjson,
}

/// What a verb works with.
pub struct Context {
    /// Options of every verb.
    pub global: Global,
    /// stdout.
    pub answer: Answer,
    /// stderr.
    pub notes: Notes,
    /// The environment.
    pub surroundings: Surroundings,
    /// How errors are told on stdout.
    pub error_form: ErrorForm,
    /// Reminders that nobody saw, as the daemon told on the way.
    pub missed: Missed,
}

impl Context {
    /// The process's own streams and environment.
    pub fn of_process(global: Global) -> Self {
        let surroundings = Surroundings::from_process();
        let stdout = std::io::stdout();
        let stderr = std::io::stderr();
        let (out_terminal, err_terminal) = (stdout.is_terminal(), stderr.is_terminal());
        let layout = |is_terminal: bool, width: Option<usize>| Layout {
            width: surroundings.columns.or(width),
            color: surroundings.color.decide(global.color, is_terminal),
        };
        let answer = Answer::new(
            if stdout_was_closed() {
                Box::new(Closed)
            } else {
                Box::new(Patient::new(rustix::stdio::stdout(), global.timeout))
            },
            layout(
                out_terminal,
                terminal_width(out_terminal, rustix::stdio::stdout()),
            ),
            out_terminal,
        );
        let mut notes = Notes::new(
            Box::new(std::io::stderr()),
            layout(
                err_terminal,
                terminal_width(err_terminal, rustix::stdio::stderr()),
            ),
            err_terminal && !surroundings.color.dumb,
            global.quiet,
        );
        notes.is_terminal = err_terminal;
        Self {
            global,
            answer,
            notes,
            surroundings,
            error_form: ErrorForm::Notes,
            missed: Missed::default(),
        }
    }

    /// The folder that the user stands in.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        std::env::current_dir().map_err(|error| {
            Failure::new(
                Kind::Io,
                "The current folder cannot be used",
                crate::error::describe(&error),
                Hint::PIPE_A_DIFF,
            )
        })
    }
}

fn terminal_width(is_terminal: bool, stream: rustix::fd::BorrowedFd<'_>) -> Option<usize> {
    if !is_terminal {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    // Some terminals say 0 when they do not know.
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
