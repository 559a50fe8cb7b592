//! The menu bar: what the daemon has to say at a glance, on Linux in a panel, on macOS in the
//! menu bar. It draws the daemon's menu and tells it what was chosen; it decides nothing.

#![cfg_attr(
    not(any(target_os = "linux", target_os = "macos")),
    expect(missing_docs, reason = "there is no menu bar here")
)]

mod check;
mod icon;
mod install;
mod life;
mod model;
mod platform;
mod words;

use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use convergio_client::{ClientOptions, Endpoint, EndpointError, Environment};
use convergio_contract::daemon::{ClientCapabilities, ClientEnv, ClientInfo};

use crate::{life::Life, platform::Tray, words::Words};

/// Reminders, running work and spending in the menu bar or panel.
#[derive(Debug, Parser)]
#[command(name = "cv-menubar", version)]
struct Arguments {
    /// Say what this session offers: bus, panel, daemon; 1 where something is missing
    #[arg(long)]
    check: bool,
    /// Start it at each login from now on
    #[arg(long, conflicts_with_all = ["check", "remove"])]
    install: bool,
    /// Start it at login no more
    #[arg(long, conflicts_with = "check")]
    remove: bool,
}

/// An error in three lines.
fn failed(what: &str, why: &dyn Display, way_out: &str) -> ExitCode {
    // Where nobody reads, the code still tells.
    let _ = writeln!(
        io::stderr(),
        "error: {what}\n  why: {why}\n  try: {way_out}"
    );
    ExitCode::FAILURE
}

/// How the daemon is reached. It is never started by this.
fn options() -> Result<ClientOptions, EndpointError> {
    Ok(ClientOptions {
        endpoint: Endpoint::resolve(&Environment::from_process())?,
        daemon: None,
        client: ClientInfo {
            name: "cv-menubar".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    })
}

/// The daemon's program: beside this one, as they are installed together.
fn daemon() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name("convergiod");
    beside.is_file().then_some(beside)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.install {
        return install::install();
    }
    if arguments.remove {
        return install::remove();
    }
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            let what = "There is no place for data and socket";
            return failed(what, &error, "CONVERGIO_HOME=~/.convergio cv-menubar");
        }
    };
    if arguments.check {
        return check::check(options);
    }
    let words = Words::from_process();
    let life = Life::new(options, daemon(), words);
    let ended = platform::main(Life::first_view(words), async |mut tray, choices| {
        let ended = life.run(&mut tray, choices).await;
        tray.close().await;
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(end) => {
                // Two at login are one too many, and nothing to complain of.
                let _ = writeln!(io::stderr(), "cv-menubar: {end}");
                ExitCode::SUCCESS
            }
        }
    });
    ended.unwrap_or_else(|error| {
        let what = "The menu bar cannot start";
        failed(what, &error, "cv-menubar --check")
    })
}
