//! `cv usage`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    usage::{BudgetInfo, UsageBy, UsageQuery, UsageQueryParams, UsageQueryResponse, UsageRow},
};

use crate::{
    ask::words::amount,
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    output::paint::Role,
    render::words::{count, grouped},
    table::{Cell, Format, Table, show, styled},
};

/// The widest bar.
const BAR_MAX_COLUMNS: u64 = 20;

/// What models were used and what it cost.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Summed by.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub by: By,
    /// From here on: `7d`, `24h` or a day such as `2026-11-01`; without it, 30 days.
    #[arg(long, value_name = "TIME", value_parser = crate::cli::since_ms)]
    pub since: Option<i64>,
    /// Only this run.
    #[arg(long, value_name = "RUN", value_parser = crate::cli::run_id)]
    pub run: Option<Uuid>,
    /// At most this many rows.
    #[arg(short = 'n', long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub limit: u32,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// What rows are summed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The day.
    #[default]
    Day,
    /// The model.
    Model,
    /// The program that asked.
    Client,
    /// The folder.
    Cwd,
    /// The run.
    Run,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Client => "client",
            Self::Cwd => "folder",
            Self::Run => "run",
        }
    }
}

impl From<By> for UsageBy {
    fn from(by: By) -> Self {
        match by {
            By::Day => Self::Day,
            By::Model => Self::Model,
            By::Client => Self::Client,
            By::Cwd => Self::Cwd,
            By::Run => Self::Run,
        }
    }
}

/// Shows it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let params = UsageQueryParams {
        by: args.by.into(),
        since_ms: args.since,
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
        let bars = args.by == By::Day && args.format == Format::Text && context.answer.is_terminal;
        show(
            &mut context.answer,
            args.format,
            &table(&used, args.by, bars),
            &used,
            Some(("rows", "row")),
        )?;
    }
    if used.rows_more > 0 {
        context.notes.note(&format!(
            "{} not listed: cv usage -n 500",
            count(used.rows_more.into(), "more row is", "more rows are")
        ));
    }
    if for_people {
        for budget in &used.budgets {
            context.notes.note(&budget_line(budget));
        }
    }
    Ok(Exit::Ok)
}

fn table(used: &UsageQueryResponse, by: By, bars: bool) -> Table {
    let dearest = used
        .rows
        .iter()
        .map(|row| row.amount_nano_usd)
        .max()
        .unwrap_or(0);
    let mut headers = vec![by.name(), "runs", "in", "out", "cost"];
    if bars {
        headers.push("");
    }
    let mut rows: Vec<Vec<Cell>> = used
        .rows
        .iter()
        .map(|row| {
            let mut cells = cells(row, Role::Plain);
            if bars {
                cells.push(styled(bar(row.amount_nano_usd, dearest), Role::Good));
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

fn cells(row: &UsageRow, role: Role) -> Vec<Cell> {
    let mut cost = amount(row.amount_nano_usd, row.estimated > 0);
    if row.open > 0 {
        cost.push_str(&format!(
            " and {} not settled",
            count(row.open, "attempt", "attempts")
        ));
    }
    vec![
        styled(row.key.as_str(), role),
        styled(grouped(row.runs), role),
        styled(grouped(row.input_tokens), role),
        styled(grouped(row.output_tokens), role),
        styled(cost, role),
    ]
}

/// A bar in proportion to the dearest; whatever cost anything has one.
fn bar(nano: i64, dearest: i64) -> String {
    let (nano, dearest) = (nano.max(0).unsigned_abs(), dearest.max(1).unsigned_abs());
    if nano == 0 {
        return String::new();
    }
    let wide = u128::from(nano) * u128::from(BAR_MAX_COLUMNS) / u128::from(dearest);
    "█".repeat(usize::try_from(wide).unwrap_or(0).max(1))
}

/// A budget in one line.
pub fn budget_line(budget: &BudgetInfo) -> String {
    let used = budget
        .posted_nano_usd
        .saturating_add(budget.pending_nano_usd);
    let mut text = format!(
        "budget of this {}: {} of {}{}",
        crate::output::escape::line(&budget.window),
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
    text.push_str(&format!(" · until {}", local_time(budget.resets_ms)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::layout::Layout;

    fn row(key: &str, nano: i64) -> UsageRow {
        UsageRow {
            key: key.to_owned(),
            runs: 2,
            attempts: 3,
            open: 0,
            input_tokens: 1_204,
            output_tokens: 310,
            amount_nano_usd: nano,
            estimated: 0,
        }
    }

    #[test]
    fn days_have_bars_and_a_sum() {
        let used = UsageQueryResponse {
            rows: vec![row("2026-11-20", 1_000_000_000), row("2026-11-19", 1)],
            rows_more: 0,
            total: row("", 1_000_000_001),
            budgets: Vec::new(),
        };
        assert_eq!(
            table(&used, By::Day, true).text(Layout::default()),
            "day         runs  in     out  cost\n\
             2026-11-20  2     1,204  310  $1.00              ████████████████████\n\
             2026-11-19  2     1,204  310  less than $0.0001  █\n\
             all         2     1,204  310  $1.00\n"
        );
    }

    #[test]
    fn bars_keep_their_proportion() {
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(5, 10).chars().count(), 10);
        assert_eq!(bar(i64::MAX, i64::MAX).chars().count(), 20);
    }
}
