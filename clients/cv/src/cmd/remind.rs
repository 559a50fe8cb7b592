//! `cv remind`

use crate::{
    context::Context,
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    table::Format,
    tasks::asked::Made,
};

use super::task_add::{self, Sentence};

/// Reminds you: `cv remind call Mario tomorrow at 9`.
///
/// Says what it understood, in English or Italian as LC_ALL, LC_TIME or LANG say. What can be read
/// in several ways is asked about at a terminal, and refused elsewhere with every reading.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What and when, in English or Italian, with or without quotes; behind `--` what begins with
    /// a dash.
    #[arg(value_name = "WORDS", value_hint = clap::ValueHint::Other)]
    pub words: Vec<String>,
    /// What else is said of it.
    #[command(flatten)]
    pub made: Made,
    /// Say what would be understood; remind of nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Reminds, or says what would be understood.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let words = args.words.join(" ");
    if words.trim().is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "There is nothing to remind of",
            "no words were given",
            Hint::REMIND_SOMETHING,
        ));
    }
    let sentence = Sentence {
        command: "cv remind",
        words,
        verbatim: false,
        needs_time: true,
    };
    if args.dry_run {
        return task_add::preview(&sentence, &args.made, args.format, context);
    }
    task_add::one(&sentence, &args.made, args.format, context)
}
