//! The verbs: one file and one row each.

pub mod allow;
pub mod answer;
pub mod ask;
pub mod attach;
pub mod backup;
pub mod budget;
pub mod budget_preview;
pub mod card;
pub mod choices;
pub mod complete;
pub mod completions;
pub mod config;
pub mod doctor;
pub mod fix;
pub mod gateway;
pub mod gguf;
pub mod guard;
pub mod hook;
pub mod inbox;
pub mod latest;
pub mod logs;
pub mod man;
pub mod model_card;
pub mod models;
pub mod notify;
pub mod pick;
pub mod piped;
pub mod preview;
pub mod prices;
pub mod printer;
pub mod privacy;
pub mod provider;
pub mod provider_key;
pub mod remind;
pub mod restore;
pub mod resume;
pub mod review;
pub mod reviewing;
pub mod route;
pub mod runs;
pub mod service;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod silences;
pub mod sink;
pub mod status;
pub mod stop;
pub mod task;
pub mod task_add;
pub mod task_change;
pub mod task_edit;
pub mod task_list;
pub mod task_show;
pub mod task_travel;
pub mod tasks;
pub mod template;
pub mod today;
pub mod token;
pub mod undo;
pub mod usage;
pub mod usage_dispute;
pub mod usage_export;
pub mod usage_plot;
pub mod usage_reconcile;
pub mod usage_verify;
pub mod usage_why;

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
    Remind => remind;
    Today => today;
    Tasks => tasks;
    Task => task;
    Inbox => inbox;
    Notify => notify;
    Pick => pick;
    Runs => runs;
    Attach => attach;
    #[command(visible_alias = "session")]
    Sessions => sessions;
    Template => template;
    Provider => provider;
    Models => models;
    Route => route;
    Usage => usage;
    Budget => budget;
    Guard => guard;
    Token => token;
    Gateway => gateway;
    Privacy => privacy;
    Status => status;
    Logs => logs;
    Doctor => doctor;
    Stop => stop;
    Service => service;
    Setup => setup;
    Config => config;
    Backup => backup;
    Restore => restore;
    Completions => completions;
    #[command(hide = true)]
    Man => man;
    #[command(hide = true)]
    Complete => complete;
}
