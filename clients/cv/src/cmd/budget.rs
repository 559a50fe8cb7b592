//! `cv budget`

use convergio_client::Client;
use convergio_contract::{
    method::Empty,
    usage::{BudgetInfo, BudgetList, BudgetListResponse, BudgetSet, BudgetSetParams},
};

use super::fix;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    output::paint::Role,
    table::{Format, Table, cell, show, styled},
};

/// Shows and sets what models may cost.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<Verb>,
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

/// What to do with budgets.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Shows the budgets and how much of them is used.
    List,
    /// Sets a limit. What was used stays used.
    Set {
        /// Which.
        #[arg(value_enum)]
        window: Window,
        /// US dollars, for instance `2.00`; `0` stops all cloud spending.
        #[arg(value_name = "USD", value_parser = crate::money::parse)]
        limit: i64,
    },
}

/// The time that a budget is for.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Window {
    /// A calendar day.
    #[value(alias = "day")]
    Daily,
}

impl Window {
    const fn wire(self) -> &'static str {
        match self {
            Self::Daily => "day",
        }
    }
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb.unwrap_or(Verb::List) {
        Verb::List => {
            let listed = daemon::call(
                context,
                Start::IfNeeded,
                "asking for the budgets",
                |client: Client| async move { client.call::<BudgetList>(&Empty {}).await },
            )?;
            print(&listed, args.format, context)?;
        }
        Verb::Set { window, limit } => {
            let params = BudgetSetParams {
                window: window.wire().to_owned(),
                limit_usd: money::dollars(limit),
            };
            let listed = daemon::call(
                context,
                Start::IfNeeded,
                "setting the budget",
                |client: Client| async move { client.call::<BudgetSet>(&params).await },
            )?;
            if matches!(args.format, Format::Json | Format::Ndjson) {
                print(&listed, args.format, context)?;
            } else {
                let now = listed
                    .budgets
                    .iter()
                    .find(|budget| budget.window == window.wire());
                fix::done(&set(now, limit), context)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// What is in force now, which a policy may have made less than was asked for.
fn set(now: Option<&BudgetInfo>, wanted_nano_usd: i64) -> String {
    match now {
        Some(budget) if budget.limit_nano_usd != wanted_nano_usd => format!(
            "Daily cap: {} (written: {}; a stricter layer decides, see cv config explain budget.daily_usd)",
            money::shown(budget.limit_nano_usd),
            money::shown(wanted_nano_usd)
        ),
        Some(_) | None => format!("Daily cap: {}", money::shown(wanted_nano_usd)),
    }
}

fn print(
    listed: &BudgetListResponse,
    format: Format,
    context: &mut Context,
) -> Result<(), Failure> {
    let table = Table {
        headers: vec!["window", "limit", "used", "held", "until", "state"],
        rows: listed
            .budgets
            .iter()
            .map(|budget| {
                let spent = budget
                    .posted_nano_usd
                    .saturating_add(budget.pending_nano_usd);
                vec![
                    styled(budget.window.as_str(), Role::Strong),
                    cell(format!(
                        "{}{}",
                        money::shown(budget.limit_nano_usd),
                        if budget.chosen { "" } else { " (default)" }
                    )),
                    cell(money::shown(budget.posted_nano_usd)),
                    cell(money::shown(budget.pending_nano_usd)),
                    cell(local_time(budget.resets_ms)),
                    if budget.frozen {
                        styled("frozen: billed more than was held", Role::Bad)
                    } else if spent >= budget.limit_nano_usd {
                        styled("used up", Role::Bad)
                    } else {
                        styled("open", Role::Good)
                    },
                ]
            })
            .collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        listed,
        Some(("budgets", "budget")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_said_and_not_what_was_wished() {
        let budget = BudgetInfo {
            window: "day".to_owned(),
            limit_nano_usd: 500_000_000,
            posted_nano_usd: 0,
            pending_nano_usd: 0,
            resets_ms: 0,
            chosen: true,
            frozen: false,
        };
        assert!(set(Some(&budget), 2_000_000_000).starts_with("Daily cap: $0.50 (written: $2.00"));
        assert_eq!(set(Some(&budget), 500_000_000), "Daily cap: $0.50");
    }
}
