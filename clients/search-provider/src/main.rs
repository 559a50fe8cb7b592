//! Convergio in GNOME's search: results while somebody types, actions when they press Enter.

use std::process::ExitCode;

use clap::Parser;
use convergio_search_provider::{install, serve};

/// Answers GNOME Shell's search. D-Bus starts it when somebody types, and it leaves when nobody
/// has for two minutes.
#[derive(Parser, Debug)]
#[command(name = "cv-search-provider", version)]
struct Args {
    /// Write what GNOME and D-Bus need into your data folder, and say what only root can copy.
    #[arg(long, conflicts_with = "remove")]
    install: bool,
    /// Remove what `--install` wrote.
    #[arg(long)]
    remove: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = if args.install {
        install::install().map(|told| install::say(&told))
    } else if args.remove {
        install::remove().map(|told| install::say(&told))
    } else {
        return serve::serve();
    };
    match done {
        Ok(said) => said,
        Err(error) => install::fail(&error),
    }
}
