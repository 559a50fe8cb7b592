//! `cv privacy`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    privacy::{EgressRow, PrivacyEgress, PrivacyEgressParams, PrivacyEgressResponse},
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time,
    output::paint::Role,
    render::words::{count, grouped},
    table::{Cell, Format, Table, cell, show, styled},
};

/// What left this machine.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to look at.
    #[command(subcommand)]
    pub verb: Verb,
    /// How to print it.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true
    )]
    pub format: Format,
}

/// What to look at.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// What left, to whom and why, newest first; each row was written before its bytes left.
    Egress {
        /// From here on: `7d`, `24h` or a day such as `2026-11-01`.
        #[arg(long, value_name = "TIME", value_parser = crate::cli::since_ms)]
        since: Option<i64>,
        /// Only this run's.
        #[arg(long, value_name = "RUN", value_parser = crate::cli::run_id)]
        run: Option<Uuid>,
        /// At most this many rows.
        #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let Verb::Egress { since, run, limit } = args.verb;
    let params = PrivacyEgressParams {
        since_ms: since,
        run_id: run,
        cursor: None,
        limit: Some(limit),
    };
    let left = daemon::call(
        context,
        Start::IfNeeded,
        "looking up what left",
        |client: Client| async move { client.call::<PrivacyEgress>(&params).await },
    )?;
    if left.rows.is_empty() && matches!(args.format, Format::Text | Format::Md) {
        context.answer.say("Nothing left this machine.")?;
        return Ok(Exit::Ok);
    }
    show(
        &mut context.answer,
        args.format,
        &table(&left),
        &left,
        Some(("rows", "egress")),
    )?;
    context.notes.note(&summary(&left));
    if left.cursor.is_some() {
        context
            .notes
            .note("There are more: cv privacy egress -n 500");
    }
    Ok(Exit::Ok)
}

/// How much it was, and how much of it went to other machines.
fn summary(left: &PrivacyEgressResponse) -> String {
    let all = format!(
        "{} in {}",
        count(left.bytes_total, "byte", "bytes"),
        count(left.rows_total, "request", "requests")
    );
    match (left.elsewhere_rows_total, left.elsewhere_bytes_total) {
        (Some(0), _) => format!("{all}, none of it to another machine"),
        (Some(rows), Some(bytes)) => format!(
            "{all}, {} in {} to other machines",
            grouped(bytes),
            grouped(rows)
        ),
        // An older daemon adds them up all together.
        _ => all,
    }
}

fn table(left: &PrivacyEgressResponse) -> Table {
    Table {
        headers: vec!["when", "to", "bytes", "why", "model", "masked", "run"],
        rows: left.rows.iter().map(row).collect(),
    }
}

fn row(row: &EgressRow) -> Vec<Cell> {
    vec![
        cell(local_time(row.at_ms)),
        if row.loopback {
            styled(format!("{} (this machine)", row.destination), Role::Dim)
        } else {
            styled(row.destination.as_str(), Role::Strong)
        },
        cell(grouped(row.bytes)),
        cell(row.purpose.as_str()),
        cell(row.model.as_deref().unwrap_or("–")),
        cell(match row.redactions {
            0 => "–".to_owned(),
            n => count(n.into(), "secret", "secrets"),
        }),
        cell(
            row.run_id
                .map_or_else(|| "–".to_owned(), |run_id| run_id.to_string()),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(rows: &[(&str, bool, u64)], rows_total: u64) -> PrivacyEgressResponse {
        let elsewhere = || rows.iter().filter(|row| !row.1);
        PrivacyEgressResponse {
            rows: rows
                .iter()
                .map(|&(destination, loopback, bytes)| EgressRow {
                    egress_id: Uuid::nil(),
                    run_id: None,
                    at_ms: 0,
                    destination: destination.to_owned(),
                    loopback,
                    bytes,
                    purpose: "answer".to_owned(),
                    model: None,
                    redactions: 0,
                    policy: "local-first".to_owned(),
                })
                .collect(),
            cursor: None,
            bytes_total: rows.iter().map(|row| row.2).sum(),
            rows_total,
            elsewhere_bytes_total: Some(elsewhere().map(|row| row.2).sum()),
            elsewhere_rows_total: Some(elsewhere().count() as u64),
        }
    }

    #[test]
    fn what_stayed_on_this_machine_is_not_counted_as_gone() {
        let here = ("http://127.0.0.1:11434", true, 3_000);
        let there = ("https://api.example.com", false, 1_200);
        assert_eq!(
            summary(&left(&[here], 1)),
            "3,000 bytes in 1 request, none of it to another machine"
        );
        assert_eq!(
            summary(&left(&[here, there], 2)),
            "4,200 bytes in 2 requests, 1,200 in 1 to other machines"
        );
    }

    #[test]
    fn what_an_older_daemon_does_not_tell_apart_is_not_judged() {
        let here = ("http://127.0.0.1:11434", true, 3_000);
        let mut left = left(&[here], 2);
        left.elsewhere_rows_total = None;
        assert_eq!(summary(&left), "3,000 bytes in 2 requests");
    }
}
