//! `cv backup`

use std::path::PathBuf;

use crate::{context::Context, daemon, error::Failure, exit::Exit, table::Format};

/// Copies the database to a file, whole and checked.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The copy; without it a dated file beside the database.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Done by the daemon's program, which alone knows the database.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let mut words: Vec<std::ffi::OsString> = vec![
        "backup".into(),
        "--offline".into(),
        "--format".into(),
        args.format.offline().into(),
    ];
    words.extend(args.file.map(Into::into));
    Err(daemon::offline(&words))
}
