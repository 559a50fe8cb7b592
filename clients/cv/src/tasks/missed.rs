//! Reminders that nobody saw, told at the next use of a terminal.

use convergio_client::Client;
use convergio_contract::{
    daemon::InitializeResponse,
    task::{Occurrence, TaskInbox, TaskInboxParams},
};

use super::{Here, reminder};
use crate::{
    context::Context,
    daemon::{self, Start},
    output::{layout::Piece, paint::Role},
    waiting,
};

/// Lines at most; the rest is in the inbox.
const LINES_MAX: usize = 3;
/// Nobody waits longer for what they did not ask for.
const MARK_MS: u64 = 500;

/// What the daemon said of reminders in its answer to the handshake.
#[derive(Clone, Debug, Default)]
pub struct Missed {
    reminders: Vec<Occurrence>,
    more: u32,
}

impl Missed {
    /// What a handshake tells; the latest one counts.
    pub fn told_by(server: InitializeResponse) -> Self {
        Self {
            reminders: server.missed,
            more: server.missed_more,
        }
    }
}

/// Remembers what a daemon that has answered already told with its handshake.
pub async fn hear(client: &Client, context: &mut Context) {
    if let Ok(server) = client.server().await {
        context.missed = Missed::told_by(server);
    }
}

/// Prints what was missed and has it count as seen, where a person can see it.
pub fn tell(context: &mut Context) {
    let missed = std::mem::take(&mut context.missed);
    let shown = missed.reminders.len().min(LINES_MAX);
    // Without a terminal nobody would have seen it, and it would be gone.
    if shown == 0 || !context.notes.is_terminal || context.notes.quiet {
        return;
    }
    let here = Here::of(&context.surroundings);
    for occurrence in &missed.reminders[..shown] {
        let line = reminder::line(here.words.missed, occurrence, &here);
        context.notes.pieces(&line, 2);
    }
    let rest = missed.reminders.len() - shown;
    let more = u64::from(missed.more) + rest as u64;
    if more > 0 {
        let text = format!("{}: cv inbox", here.words.more(more));
        context.notes.pieces(&[Piece::new("", text, Role::Dim)], 2);
    }
    let only = missed.reminders[..shown].iter();
    let params = TaskInboxParams {
        mark_seen: true,
        only: only.map(|occurrence| occurrence.occurrence_id).collect(),
        locale: here.locale,
    };
    let Ok(options) = daemon::options(context, Start::Never) else {
        return;
    };
    // Where it fails, the same is told once more, which hurts nobody.
    let _ = waiting::block_on(async {
        waiting::Deadline::from_now(Some(MARK_MS))
            .guard("marking reminders as seen", async {
                let client: Client = daemon::connect(options).await?;
                client
                    .call::<TaskInbox>(&params)
                    .await
                    .map_err(daemon::failure)
            })
            .await
    });
}
