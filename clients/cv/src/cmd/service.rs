//! `cv service`

use crate::{context::Context, daemon, error::Failure, exit::Exit};

/// Lets the system start the daemon (systemd or launchd). Not needed: `cv` starts it on demand.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do with the service.
#[derive(clap::Subcommand, Clone, Copy, Debug)]
pub enum Verb {
    /// Installs and enables it.
    Install,
    /// Disables and removes it.
    Uninstall,
    /// Says whether it is installed, enabled and running.
    Status,
}

/// Done by the daemon's program, which carries the unit files.
pub fn run(args: Args, _: &mut Context) -> Result<Exit, Failure> {
    let verb = match args.verb {
        Verb::Install => "install",
        Verb::Uninstall => "uninstall",
        Verb::Status => "status",
    };
    Err(daemon::offline(&["service", verb]))
}
