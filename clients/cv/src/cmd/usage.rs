//! `cv usage`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    budget::BudgetInfo,
    usage::{UsageBy, UsageQuery, UsageQueryParams, UsageQueryResponse, UsageRow},
};

use super::{usage_dispute, usage_export, usage_plot, usage_reconcile, usage_verify, usage_why};
use crate::{
    ask::words::amount,
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    output::{
        layout::{Layout, columns},
        paint::Role,
    },
    render::words::{count, grouped},
    table::{Cell, Format, Table, show, styled},
};

/// The narrowest bar beside a table; a terminal without room for it shows bars instead of columns.
const BAR_MIN_COLUMNS: usize = 8;
/// The widest bar beside a table.
const BAR_MAX_COLUMNS: usize = 20;

/// What models were used and what it cost.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else to do with the books.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Summed by.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// From here on: `7d`, `24h` or a day such as `2026-11-01`; without it, 30 days.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::since_ms)]
    pub since: Option<i64>,
    /// Until here: an age, or a day, which is included.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::until_ms)]
    pub until: Option<i64>,
    /// Only this run.
    #[arg(long, value_name = "RUN", value_parser = crate::cli::run_id)]
    pub run: Option<Uuid>,
    /// At most this many rows.
    #[arg(short = 'n', long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// Bars in proportion to the cost, wherever it goes; a terminal has them for days.
    #[arg(long)]
    pub plot: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// What else to do with the books.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    #[doc(hidden)]
    Why(usage_why::Args),
    #[doc(hidden)]
    Verify(usage_verify::Args),
    #[doc(hidden)]
    Export(usage_export::Args),
    #[doc(hidden)]
    Reconcile(usage_reconcile::Args),
    #[doc(hidden)]
    Dispute(usage_dispute::Args),
}

/// What rows are summed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The day.
    #[default]
    Day,
    /// The model.
    Model,
    /// The provider.
    Provider,
    /// The agent.
    Agent,
    /// The program that asked.
    Client,
    /// The folder.
    Cwd,
    /// The token that a program came in with.
    Token,
    /// The run.
    Run,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Agent => "agent",
            Self::Client => "client",
            Self::Cwd => "folder",
            Self::Token => "token",
            Self::Run => "run",
        }
    }
}

impl From<By> for UsageBy {
    fn from(by: By) -> Self {
        match by {
            By::Day => Self::Day,
            By::Model => Self::Model,
            By::Provider => Self::Provider,
            By::Agent => Self::Agent,
            By::Client => Self::Client,
            By::Cwd => Self::Cwd,
            By::Token => Self::Token,
            By::Run => Self::Run,
        }
    }
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        Some(Verb::Why(args)) => return usage_why::run(args, context),
        Some(Verb::Verify(args)) => return usage_verify::run(&args, context),
        Some(Verb::Export(args)) => return usage_export::run(&args, context),
        Some(Verb::Reconcile(args)) => return usage_reconcile::run(args, context),
        Some(Verb::Dispute(args)) => return usage_dispute::run(args, context),
        None => {}
    }
    args.format.announce(context);
    crate::cli::stretch(args.since, args.until)?;
    let params = UsageQueryParams {
        by: args.by.into(),
        since_ms: args.since,
        until_ms: args.until,
        run_id: args.run,
        limit: Some(args.limit),
    };
    let used = daemon::call(
        context,
        Start::IfNeeded,
        "adding up the usage",
        |client: Client| async move { client.call::<UsageQuery>(&params).await },
    )?;
    let for_people = matches!(args.format, Format::Text | Format::Md);
    if used.rows.is_empty() && for_people {
        context
            .answer
            .say("No model was asked in this time. First question: `cv ask \"hello\"`")?;
    } else {
        let bars = args.format == Format::Text
            && (args.plot || args.by == By::Day && context.answer.is_terminal);
        let layout = context.answer.layout;
        match bars.then(|| room_for_bars(&used, args.by, layout)) {
            // A table that would be cut into pieces says less than its picture.
            Some(None) => {
                let mut text = usage_plot::plot(&used.rows, layout);
                text.push_str(&layout.text(&sum(&used.total), Role::Strong, 2));
                context.answer.write(&text)?;
            }
            room => show(
                &mut context.answer,
                args.format,
                &table(&used, args.by, room.flatten()),
                &used,
                Some(("rows", "row")),
            )?,
        }
    }
    if used.rows_more > 0 {
        context.notes.note(&format!(
            "{} not listed: cv usage -n 500",
            count(used.rows_more.into(), "more row is", "more rows are")
        ));
    }
    if for_people {
        for note in remarks(&used) {
            context.notes.note(&note);
        }
        for budget in &used.budgets {
            context.notes.note(&budget_line(budget));
        }
    }
    Ok(Exit::Ok)
}

/// Columns for bars beside the table; none where it leaves no room.
fn room_for_bars(used: &UsageQueryResponse, by: By, layout: Layout) -> Option<usize> {
    let Some(width) = layout.width else {
        return Some(BAR_MAX_COLUMNS);
    };
    let plain = table(used, by, None).text(Layout::default());
    let wide = plain.lines().map(columns).max().unwrap_or(0) + 2;
    // The table keeps room for its last column's words.
    let room = width.checked_sub(wide.max(BAR_MAX_COLUMNS))?;
    (room >= BAR_MIN_COLUMNS && wide + 24 <= width).then_some(room.min(BAR_MAX_COLUMNS))
}

/// All rows in one line, for where there is no table.
fn sum(total: &UsageRow) -> String {
    format!(
        "all: {}, {} in, {} out, {}",
        count(total.runs, "run", "runs"),
        grouped(total.input_tokens),
        grouped(total.output_tokens),
        cost(total)
    )
}

/// What a sum of costs does not say.
fn remarks(used: &UsageQueryResponse) -> Vec<String> {
    let total = &used.total;
    let mut remarks = Vec::new();
    if used.cached > 0 {
        remarks.push(format!(
            "{} answered from kept answers, free",
            count(used.cached, "more call was", "more calls were")
        ));
    }
    if total.cached_input_tokens > 0 {
        remarks.push(format!(
            "{} of the input tokens were read from the providers' caches",
            grouped(total.cached_input_tokens)
        ));
    }
    if total.estimated > 0 {
        remarks.push(format!(
            "at most: {} an upper bound, because the provider did not say all that was used",
            count(total.estimated, "attempt has", "attempts have")
        ));
    }
    if total.adjusted_nano_usd != 0 {
        remarks.push(format!(
            "invoices corrected this by {}: {} in all",
            money::signed(total.adjusted_nano_usd),
            money::shown(
                total
                    .amount_nano_usd
                    .saturating_add(total.adjusted_nano_usd)
            )
        ));
    }
    remarks
}

fn table(used: &UsageQueryResponse, by: By, bars: Option<usize>) -> Table {
    let dearest = used
        .rows
        .iter()
        .map(|row| row.amount_nano_usd)
        .max()
        .unwrap_or(0);
    let mut headers = vec![by.name(), "runs", "in", "out", "cost"];
    if bars.is_some() {
        headers.push("");
    }
    let mut rows: Vec<Vec<Cell>> = used
        .rows
        .iter()
        .map(|row| {
            let mut cells = cells(row, Role::Plain);
            if let Some(width) = bars {
                let bar = usage_plot::bar(row.amount_nano_usd, dearest, width);
                cells.push(styled(bar, Role::Good));
            }
            cells
        })
        .collect();
    if used.rows.len() > 1 || used.rows_more > 0 {
        let total = UsageRow {
            key: "all".to_owned(),
            ..used.total.clone()
        };
        rows.push(cells(&total, Role::Strong));
    }
    Table { headers, rows }
}

fn cost(row: &UsageRow) -> String {
    let mut cost = amount(row.amount_nano_usd, row.estimated > 0);
    if row.open > 0 {
        cost.push_str(&format!(
            " and {} not settled ({} held)",
            count(row.open, "attempt", "attempts"),
            money::shown(row.held_nano_usd)
        ));
    }
    if row.adjusted_nano_usd != 0 {
        cost.push_str(&format!(
            " ({} by invoice)",
            money::signed(row.adjusted_nano_usd)
        ));
    }
    cost
}

fn cells(row: &UsageRow, role: Role) -> Vec<Cell> {
    let key = match row.key.as_str() {
        "" => "(none)",
        key => key,
    };
    vec![
        styled(key, role),
        styled(grouped(row.runs), role),
        styled(grouped(row.input_tokens), role),
        styled(grouped(row.output_tokens), role),
        styled(cost(row), role),
    ]
}

/// A budget in one line.
pub fn budget_line(budget: &BudgetInfo) -> String {
    let used = budget
        .posted_nano_usd
        .saturating_add(budget.pending_nano_usd);
    let mut text = format!(
        "{}: {} of {}{}",
        super::budget::title(budget),
        money::shown(used),
        money::shown(budget.limit_nano_usd),
        if budget.chosen { "" } else { " (default)" }
    );
    if budget.pending_nano_usd > 0 {
        text.push_str(&format!(
            ", {} of it held for calls in progress",
            money::shown(budget.pending_nano_usd)
        ));
    }
    if budget.frozen {
        text.push_str(", frozen: a provider billed more than was held");
    }
    if budget.warns {
        text.push_str(", only told");
    }
    if budget.resets_ms > 0 {
        text.push_str(&format!(" · until {}", local_time(budget.resets_ms)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, nano: i64) -> UsageRow {
        UsageRow {
            key: key.to_owned(),
            runs: 2,
            attempts: 3,
            open: 0,
            input_tokens: 1_204,
            cached_input_tokens: 0,
            output_tokens: 310,
            amount_nano_usd: nano,
            estimated: 0,
            held_nano_usd: 0,
            adjusted_nano_usd: 0,
        }
    }

    fn used() -> UsageQueryResponse {
        UsageQueryResponse {
            rows: vec![row("2026-11-20", 1_000_000_000), row("2026-11-19", 1)],
            rows_more: 0,
            total: row("", 1_000_000_001),
            cached: 0,
            budgets: Vec::new(),
        }
    }

    #[test]
    fn days_have_bars_and_a_sum() {
        assert_eq!(
            table(&used(), By::Day, Some(20)).text(Layout::default()),
            "day         runs  in     out  cost\n\
             2026-11-20  2     1,204  310  $1.00              ████████████████████\n\
             2026-11-19  2     1,204  310  less than $0.0001  ▏\n\
             all         2     1,204  310  $1.00\n"
        );
    }

    #[test]
    fn bars_stand_beside_the_table_only_where_it_leaves_room() {
        let at = |width| Layout {
            width: Some(width),
            color: false,
        };
        assert_eq!(room_for_bars(&used(), By::Day, at(40)), None);
        assert_eq!(room_for_bars(&used(), By::Day, at(200)), Some(20));
        for width in 20..200 {
            if let Some(room) = room_for_bars(&used(), By::Day, at(width)) {
                let text = table(&used(), By::Day, Some(room)).text(at(width));
                assert!(
                    text.lines().all(|line| columns(line) <= width),
                    "{width}:\n{text}"
                );
                assert_eq!(text.lines().count(), 4, "{width}:\n{text}");
            }
        }
    }

    #[test]
    fn what_a_sum_hides_is_said() {
        let mut total = row("", 3_000_000_000);
        total.open = 1;
        total.held_nano_usd = 60_000_000;
        total.estimated = 2;
        total.cached_input_tokens = 1_000;
        total.adjusted_nano_usd = 90_000_000;
        assert_eq!(
            cost(&total),
            "at most $3.00 and 1 attempt not settled ($0.06 held) (+$0.09 by invoice)"
        );
        let used = UsageQueryResponse {
            total,
            cached: 2,
            ..used()
        };
        assert_eq!(
            remarks(&used),
            [
                "2 more calls were answered from kept answers, free",
                "1,000 of the input tokens were read from the providers' caches",
                "at most: 2 attempts have an upper bound, because the provider did not say all that \
                 was used",
                "invoices corrected this by +$0.09: $3.09 in all",
            ]
        );
    }
}
