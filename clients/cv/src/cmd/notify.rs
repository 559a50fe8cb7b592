//! `cv notify`

use convergio_client::Client;
use convergio_contract::{
    method::Empty,
    notify::{NotifyTest, NotifyTestResponse},
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    output::{escape, paint::Role},
    table::{Cell, Format, Table, cell, show, styled},
};

/// Desktop notifications.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do with notifications.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Shows one now, and says by which path, or why not (exit 1).
    Test {
        /// How to print it.
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let Verb::Test { format } = args.verb;
    format.announce(context);
    let found = daemon::call(
        context,
        Start::IfNeeded,
        "showing a notification",
        |client: Client| async move { client.call::<NotifyTest>(&Empty {}).await },
    )?;
    show(&mut context.answer, format, &table(&found), &found, None)?;
    if let Some(hint) = &found.hint
        && matches!(format, Format::Text | Format::Md)
    {
        context.notes.note(&format!("Try: {}", escape::line(hint)));
    }
    Ok(if found.shown {
        Exit::Ok
    } else {
        Exit::Findings
    })
}

fn table(found: &NotifyTestResponse) -> Table {
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let yes = |yes: bool| cell(if yes { "yes" } else { "no" });
    let mut rows = vec![row(
        "Shown",
        if found.shown {
            styled("yes", Role::Good)
        } else {
            styled("no: reminders wait in cv inbox", Role::Bad)
        },
    )];
    rows.push(row("Path", cell(found.path.as_str())));
    if let Some(server) = &found.server {
        rows.push(row("Server", cell(server.as_str())));
        rows.push(row("Buttons", yes(found.actions)));
    }
    if let Some(quiet) = found.do_not_disturb {
        rows.push(row("Do not disturb", yes(quiet)));
    }
    rows.push(row("Quiet hours", yes(found.quiet_hours)));
    if !found.capabilities.is_empty() {
        rows.push(row("It can", cell(found.capabilities.join(", "))));
    }
    for (i, tried) in found.tried.iter().enumerate() {
        rows.push(row(if i == 0 { "Tried" } else { "" }, cell(tried.as_str())));
    }
    Table {
        headers: Vec::new(),
        rows,
    }
}
