//! `cv restore`

use std::path::PathBuf;

use crate::{context::Context, daemon, error::Failure, exit::Exit};

/// Puts a backup in the database's place; the present one is kept beside it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Done by the daemon's program, which alone knows the database.
pub fn run(args: Args, _: &mut Context) -> Result<Exit, Failure> {
    let words = [
        "restore".into(),
        "--offline".into(),
        args.file.into_os_string(),
    ];
    Err(daemon::offline(&words))
}
