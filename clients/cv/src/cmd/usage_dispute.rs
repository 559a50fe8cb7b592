//! `cv usage dispute`: a bill that somebody does not believe, and the evidence.

use convergio_client::Client;
use convergio_contract::{
    audit::{DisputeInfo, UsageDispute, UsageDisputeParams, UsageDisputes, UsageDisputesResponse},
    method::Empty,
};

use super::usage_why;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    table::{Format, Table, cell, show},
};

/// Marks a call whose bill you do not believe, and prints the evidence; no text of it is in there.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The attempt, or a run of one attempt: its id, or 4 or more of its first or last digits.
    #[arg(
        value_name = "ATTEMPT",
        required_unless_present = "list",
        conflicts_with = "list"
    )]
    pub attempt: Option<String>,
    /// Why, in your words.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["withdraw", "list"])]
    pub note: Option<String>,
    /// Take the mark back.
    #[arg(long, conflicts_with = "list")]
    pub withdraw: bool,
    /// Show what is marked.
    #[arg(long)]
    pub list: bool,
    /// How to print it; JSON is the evidence as a provider's support can read it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Marks, or lists.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let Some(attempt) = args.attempt else {
        return list(args.format, context);
    };
    let params = UsageDisputeParams {
        attempt,
        note: args.note,
        withdraw: args.withdraw,
    };
    let marked = daemon::call(
        context,
        Start::IfNeeded,
        "marking the attempt",
        |client: Client| async move { client.call::<UsageDispute>(&params).await },
    )?;
    let table = Table {
        headers: Vec::new(),
        rows: usage_why::attempt(&marked.evidence),
    };
    show(&mut context.answer, args.format, &table, &marked, None)?;
    let id = marked.dispute.attempt_id;
    context.notes.note(&if args.withdraw {
        format!("The mark is taken back. Mark it again: cv usage dispute {id}")
    } else {
        format!(
            "Marked. The evidence as a file: cv usage dispute {id} --format json > dispute.json. \
             Take the mark back: cv usage dispute {id} --withdraw"
        )
    });
    Ok(Exit::Ok)
}

fn list(format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let listed: UsageDisputesResponse = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the disputes",
        |client: Client| async move { client.call::<UsageDisputes>(&Empty {}).await },
    )?;
    if listed.disputes.is_empty() && matches!(format, Format::Text | Format::Md) {
        context
            .answer
            .say("Nothing is disputed. A run's attempts: `cv usage why`")?;
        return Ok(Exit::Ok);
    }
    let row = |one: &DisputeInfo| {
        vec![
            cell(one.attempt_id.to_string()),
            cell(local_time(one.opened_ms)),
            cell(match one.withdrawn_ms {
                Some(at) => format!("withdrawn {}", local_time(at)),
                None => "disputed".to_owned(),
            }),
            cell(one.model.as_str()),
            cell(money::exact(one.amount_nano_usd)),
            cell(one.note.as_deref().unwrap_or("–")),
        ]
    };
    let table = Table {
        headers: vec!["attempt", "since", "state", "model", "cost", "why"],
        rows: listed.disputes.iter().map(row).collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("disputes", "dispute")),
    )?;
    Ok(Exit::Ok)
}
