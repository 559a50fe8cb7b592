//! `cv usage why`: what a run cost, to be added up by hand.

use convergio_client::Client;
use convergio_contract::audit::{
    UsageWhy, UsageWhyParams, UsageWhyResponse, WhyAttempt, WhyHold, WhyLine, WhyStep,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    output::paint::Role,
    render::words::{count, grouped},
    table::{Cell, Format, Table, cell, show, styled},
};

/// Says why a run cost what it did: the model's choice, what was held, each line of the bill.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run, or an attempt: its id, or 4 or more of its first or last digits; without it, the
    /// latest run that asked a model.
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Says it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let params = UsageWhyParams { run: args.run };
    let why = daemon::call(
        context,
        Start::IfNeeded,
        "looking up why",
        |client: Client| async move { client.call::<UsageWhy>(&params).await },
    )?;
    show(
        &mut context.answer,
        args.format,
        &table(&why),
        &why,
        Some(("attempts", "attempt")),
    )?;
    if !why.events_kept {
        context
            .notes
            .note("The run's events are no longer kept: nobody knows why its models were chosen.");
    }
    if why.attempts.is_empty() {
        context.notes.note("No model was asked in this run.");
    }
    Ok(Exit::Ok)
}

fn row(label: &str, value: impl Into<String>) -> Vec<Cell> {
    vec![styled(label, Role::Dim), cell(value.into())]
}

fn table(why: &UsageWhyResponse) -> Table {
    let mut rows = vec![row(
        "Run",
        format!(
            "{} · {} · {}",
            why.run_id,
            count(why.attempts.len() as u64, "attempt", "attempts"),
            money::exact(why.amount_nano_usd)
        ),
    )];
    for one in &why.attempts {
        rows.push(vec![cell("")]);
        rows.extend(attempt(one));
    }
    Table {
        headers: Vec::new(),
        rows,
    }
}

/// The rows of one attempt; also the text of a dispute's evidence.
pub fn attempt(one: &WhyAttempt) -> Vec<Vec<Cell>> {
    let own = &one.attempt;
    let answered = match &own.answered_by {
        Some(by) if *by != own.model => format!(", answered by {by}"),
        _ => String::new(),
    };
    let ended = match (&own.stop, own.state.as_str()) {
        (Some(stop), state) => format!("{state} ({stop})"),
        (None, state) => state.to_owned(),
    };
    let mut rows = vec![vec![
        styled(format!("Attempt {}", own.n), Role::Strong),
        styled(
            format!("{}/{}{answered} · {ended}", own.provider, own.model),
            Role::Strong,
        ),
    ]];
    rows.push(row("  id", own.attempt_id.to_string()));
    if let Some(reason) = &one.reason {
        let purpose = one.purpose.as_deref().unwrap_or_default();
        rows.push(row("  why", format!("{reason} · for {purpose}")));
    }
    for less in &one.downgraded {
        rows.push(row("  less", less.as_str()));
    }
    if own.local {
        rows.push(row("  cost", "free: it ran on this machine"));
    }
    if let Some(hold) = &one.hold {
        rows.extend(held(hold));
    }
    for budget in &one.budgets {
        let window = match (budget.starts_ms, budget.ends_ms) {
            (Some(from), Some(until)) => {
                format!(", {} to {}", local_time(from), local_time(until))
            }
            _ => String::new(),
        };
        rows.push(row(
            "  counted",
            format!(
                "in {} (limit now {}){window}",
                budget.name,
                money::shown(budget.limit_nano_usd)
            ),
        ));
    }
    if let Some(prices) = &one.prices {
        rows.push(row(
            "  prices",
            format!(
                "of {}{}, used since {}, version {}, sha256 {}",
                prices.source,
                in_force(prices.effective_from_ms),
                local_time(prices.recorded_ms),
                prices.version_id,
                digits(&prices.sha256)
            ),
        ));
    }
    rows.extend(bill(one));
    if one.overage_nano_usd > 0 {
        rows.push(row(
            "  over",
            format!(
                "{} more than was held was billed, which froze the budget",
                money::exact(one.overage_nano_usd)
            ),
        ));
    }
    rows.push(row("  left", left(one)));
    if let Some(id) = &own.provider_req_id {
        rows.push(row("  provider", format!("knows it as {id}")));
    }
    for transfer in &one.transfers {
        let amount = match transfer.unit.as_str() {
            "nano_usd" => money::exact(transfer.amount),
            unit => format!("{} {unit}", transfer.amount),
        };
        rows.push(row(
            "  books",
            format!(
                "#{} {} {amount} · {} to {} · hash {}",
                transfer.seq,
                transfer.kind,
                transfer.debit,
                transfer.credit,
                digits(&transfer.hash)
            ),
        ));
    }
    if let Some(dispute) = &one.dispute {
        let note = dispute.note.as_deref().unwrap_or("no reason given");
        let until = match dispute.withdrawn_ms {
            Some(at) => format!(", withdrawn {}", local_time(at)),
            None => String::new(),
        };
        rows.push(row(
            "  disputed",
            format!("since {}: {note}{until}", local_time(dispute.opened_ms)),
        ));
    }
    rows
}

/// A hash as a person compares it.
fn digits(hex: &str) -> &str {
    hex.get(..16).unwrap_or(hex)
}

/// Since when a price list holds, where it says so: a day in UTC.
fn in_force(ms: i64) -> String {
    if ms <= 0 {
        return String::new();
    }
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| String::new(),
        |at| {
            let day = at.to_zoned(jiff::tz::TimeZone::UTC).date();
            format!(", in force since {day}")
        },
    )
}

fn product(step: &WhyStep) -> String {
    format!(
        "{} × {} a million",
        grouped(step.quantity),
        money::exact(step.nano_usd_per_million)
    )
}

fn held(hold: &WhyHold) -> Vec<Vec<Cell>> {
    let sums: Vec<String> = [&hold.input, &hold.output]
        .into_iter()
        .flatten()
        .map(product)
        .collect();
    vec![row(
        "  held",
        format!(
            "{} = {}, for {} in and {} out at most",
            sums.join(" + "),
            money::exact(hold.amount_nano_usd),
            grouped(hold.input_tokens_max),
            grouped(hold.output_tokens_max)
        ),
    )]
}

/// What was used, line by line, and its sum.
fn bill(one: &WhyAttempt) -> Vec<Vec<Cell>> {
    let own = &one.attempt;
    let Some(amount) = own.amount_nano_usd else {
        return vec![row("  cost", "not settled yet")];
    };
    let from = match own.source.as_deref() {
        Some("reported") => "as the provider reported",
        Some("estimate") => "an upper bound: the provider did not say it all",
        Some("estimate_ceiling") => "the whole hold: nobody knows what was used",
        _ => "nothing was billed",
    };
    let mut rows = Vec::new();
    if own.inconsistent {
        rows.push(row(
            "  doubt",
            "the provider's figures contradict each other; the higher ones were taken",
        ));
    }
    if one.lines.is_empty() {
        for (resource, quantity) in &own.usage {
            rows.push(row("  used", format!("{} {resource}", grouped(*quantity))));
        }
    }
    rows.extend(one.lines.iter().map(line));
    if !own.local {
        rows.push(vec![
            styled("  cost", Role::Dim),
            styled(format!("{} · {from}", money::exact(amount)), Role::Strong),
        ]);
    }
    rows
}

fn line(line: &WhyLine) -> Vec<Cell> {
    let steps: Vec<String> = line.steps.iter().map(product).collect();
    let as_other = if line.priced_as == line.resource {
        String::new()
    } else {
        format!(", at the price of {}", line.priced_as)
    };
    row(
        "  used",
        format!(
            "{} {}: {} = {}{as_other}",
            grouped(line.quantity),
            line.resource,
            steps.join(" + "),
            money::exact(line.amount_nano_usd)
        ),
    )
}

fn left(one: &WhyAttempt) -> String {
    let Some(egress) = &one.egress else {
        return "nothing is recorded to have left for it".to_owned();
    };
    format!(
        "{} to {}{}, {} masked, allowed by {}",
        count(egress.bytes, "byte", "bytes"),
        egress.destination,
        if egress.loopback {
            " (this machine)"
        } else {
            ""
        },
        count(egress.redactions.into(), "secret", "secrets"),
        egress.policy
    )
}
