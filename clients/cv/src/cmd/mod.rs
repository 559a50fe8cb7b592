//! The verbs: one file and one row each.

pub mod allow;
pub mod ask;
pub mod attach;
pub mod backup;
pub mod card;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod fix;
pub mod hook;
pub mod latest;
pub mod logs;
pub mod man;
pub mod piped;
pub mod preview;
pub mod printer;
pub mod restore;
pub mod review;
pub mod runs;
pub mod service;
pub mod settings;
pub mod silences;
pub mod status;
pub mod stop;
pub mod undo;

use clap::Subcommand;

use crate::{context::Context, error::Failure, exit::Exit};

/// Declares the verbs: `Name => file`. The file holds `Args` and `run`.
macro_rules! verbs {
    ($($(#[$attribute:meta])* $name:ident => $file:ident;)+) => {
        /// What to do.
        #[derive(Debug, Subcommand)]
        pub enum Verb {
            $(
                #[doc(hidden)]
                $(#[$attribute])*
                $name($file::Args),
            )+
        }

        /// Runs a verb, or shows the card.
        pub fn run(verb: Option<Verb>, context: &mut Context) -> Result<Exit, Failure> {
            match verb {
                None => card::run(context),
                $(Some(Verb::$name(args)) => $file::run(args, context),)+
            }
        }
    };
}

verbs! {
    Ask => ask;
    Review => review;
    Fix => fix;
    Allow => allow;
    Undo => undo;
    Hook => hook;
    Runs => runs;
    Attach => attach;
    Status => status;
    Logs => logs;
    Doctor => doctor;
    Stop => stop;
    Service => service;
    Config => config;
    Backup => backup;
    Restore => restore;
    Completions => completions;
    #[command(hide = true)]
    Man => man;
}
