//! `cv restore`

use std::path::PathBuf;

use crate::{context::Context, daemon, error::Failure, exit::Exit, table::Format};

/// Puts a backup in the database's place; the present one is kept beside it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Done by the daemon's program, which alone knows the database.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let words = [
        "restore".into(),
        "--offline".into(),
        "--format".into(),
        args.format.offline().into(),
        args.file.into_os_string(),
    ];
    Err(daemon::offline(&words))
}
