//! `cv task`

use super::{task_add, task_change, task_edit, task_list, task_show, task_travel};
use crate::{context::Context, error::Failure, exit::Exit};

/// Tasks: adds, lists, changes, exports and imports them. Alone it lists what is open.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What to do with tasks.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    #[doc(hidden)]
    Add(Box<task_add::Args>),
    #[doc(hidden)]
    List(task_list::Args),
    #[doc(hidden)]
    Show(task_show::Args),
    #[doc(hidden)]
    Done(task_change::DoneArgs),
    #[doc(hidden)]
    Snooze(task_change::SnoozeArgs),
    #[doc(hidden)]
    Edit(Box<task_edit::Args>),
    #[doc(hidden)]
    Rm(task_change::RmArgs),
    #[doc(hidden)]
    Export(task_travel::ExportArgs),
    #[doc(hidden)]
    Import(task_travel::ImportArgs),
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        None => task_list::run(task_list::Args::default(), context),
        Some(Verb::Add(args)) => task_add::run(*args, context),
        Some(Verb::List(args)) => task_list::run(args, context),
        Some(Verb::Show(args)) => task_show::run(&args, context),
        Some(Verb::Done(args)) => task_change::done(&args, context),
        Some(Verb::Snooze(args)) => task_change::snooze(&args, context),
        Some(Verb::Edit(args)) => task_edit::run(&args, context),
        Some(Verb::Rm(args)) => task_change::remove(&args, context),
        Some(Verb::Export(args)) => task_travel::export(&args, context),
        Some(Verb::Import(args)) => task_travel::import(&args, context),
    }
}
