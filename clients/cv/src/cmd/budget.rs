//! `cv budget`

use convergio_client::Client;
use convergio_contract::{
    budget::{
        BudgetInfo, BudgetList, BudgetListResponse, BudgetOf, BudgetRemove, BudgetRemoveParams,
        BudgetSet, BudgetSetParams,
    },
    method::Empty,
};

use super::fix;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time, money,
    output::{escape, paint::Role},
    table::{Cell, Format, Table, cell, show, styled},
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
        /// For how long.
        #[arg(value_enum)]
        window: Window,
        /// US dollars, for instance `2.00`; `0` stops all cloud spending.
        #[arg(value_name = "USD", value_parser = crate::money::parse)]
        limit: i64,
        /// Whose; everybody's where there is none.
        #[command(flatten)]
        of: Of,
        /// What it does when it is reached: stop, or only warn.
        #[arg(long, value_enum, default_value_t, value_name = "MODE")]
        mode: Mode,
    },
    /// Takes a limit away. The daily one of everybody goes back to $1.00.
    Rm {
        /// For how long.
        #[arg(value_enum)]
        window: Window,
        /// Whose; everybody's where there is none.
        #[command(flatten)]
        of: Of,
    },
    /// Shows what a question would hold, and in which budgets. Sends nothing.
    Preview {
        /// The question.
        #[arg(value_name = "PROMPT", required = true)]
        prompt: Vec<String>,
        /// As `cv ask` takes it.
        #[arg(short, long, value_name = "MODEL")]
        model: Option<String>,
        /// Output tokens at most.
        #[arg(long, value_name = "TOKENS")]
        max_output: Option<u32>,
    },
}

/// Whose limit.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub struct Of {
    /// What this provider is paid.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// What this agent spends.
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What this plugin spends.
    #[arg(long, value_name = "NAME")]
    pub plugin: Option<String>,
    /// What comes in with this token of the gateway.
    #[arg(long, value_name = "NAME")]
    pub token: Option<String>,
}

impl Of {
    fn wire(self) -> Option<BudgetOf> {
        let provider = self.provider.map(BudgetOf::Provider);
        let agent = self.agent.map(BudgetOf::Agent);
        let plugin = self.plugin.map(BudgetOf::Plugin);
        let token = self.token.map(BudgetOf::Token);
        provider.or(agent).or(plugin).or(token)
    }
}

/// The time that a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Window {
    /// A calendar day.
    #[value(alias = "day")]
    Daily,
    /// A calendar month.
    #[value(alias = "month")]
    Monthly,
    /// Each run.
    Run,
    /// Each conversation.
    Session,
    /// All together, without an end.
    Total,
}

impl Window {
    const fn wire(self) -> &'static str {
        match self {
            Self::Daily => "day",
            Self::Monthly => "month",
            Self::Run => "run",
            Self::Session => "session",
            Self::Total => "total",
        }
    }
}

/// What a limit does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Nothing more is sent.
    #[default]
    Stop,
    /// It is said, and goes on.
    Warn,
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
        Verb::Set {
            window,
            limit,
            of,
            mode,
        } => {
            let of = of.wire();
            let params = BudgetSetParams {
                window: window.wire().to_owned(),
                limit_usd: money::dollars(limit),
                of: of.clone(),
                warns: mode == Mode::Warn,
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
                let now = find(&listed.budgets, window, of.as_ref());
                let said = set(now, window, of.as_ref(), limit);
                match of {
                    // It is no setting, so there is no file to take back.
                    Some(BudgetOf::Token(_)) => context.answer.line(&said)?,
                    _ => fix::done(&said, context)?,
                }
            }
        }
        Verb::Rm { window, of } => {
            let of = of.wire();
            let params = BudgetRemoveParams {
                window: window.wire().to_owned(),
                of: of.clone(),
            };
            let listed = daemon::call(
                context,
                Start::IfNeeded,
                "removing the budget",
                |client: Client| async move { client.call::<BudgetRemove>(&params).await },
            )?;
            if matches!(args.format, Format::Json | Format::Ndjson) {
                print(&listed, args.format, context)?;
            } else {
                let now = find(&listed.budgets, window, of.as_ref());
                let name = name(window, of.as_ref());
                let said = match now {
                    Some(left) => format!("{name}: {}", money::shown(left.limit_nano_usd)),
                    None => format!("{name}: no limit"),
                };
                fix::done(&said, context)?;
            }
        }
        Verb::Preview {
            prompt,
            model,
            max_output,
        } => {
            return super::budget_preview::preview(
                &prompt.join(" "),
                model,
                max_output,
                args.format,
                context,
            );
        }
    }
    Ok(Exit::Ok)
}

/// Whose limit it is, by scope and name.
fn scope(of: Option<&BudgetOf>) -> (&'static str, &str) {
    match of {
        None => ("tenant", ""),
        Some(BudgetOf::Provider(name)) => ("provider", name),
        Some(BudgetOf::Agent(name)) => ("agent", name),
        Some(BudgetOf::Plugin(name)) => ("plugin", name),
        Some(BudgetOf::Token(name)) => ("token", name),
    }
}

fn find<'a>(
    budgets: &'a [BudgetInfo],
    window: Window,
    of: Option<&BudgetOf>,
) -> Option<&'a BudgetInfo> {
    let place = (scope(of), window.wire());
    budgets.iter().find(|budget| {
        let scope = (budget.scope.as_str(), budget.scope_key.as_str());
        (scope, budget.window.as_str()) == place
    })
}

fn name(window: Window, of: Option<&BudgetOf>) -> String {
    let cap = match window {
        Window::Daily => "Daily cap",
        Window::Monthly => "Monthly cap",
        Window::Run => "Cap of each run",
        Window::Session => "Cap of each conversation",
        Window::Total => "Cap in all",
    };
    match scope(of) {
        (_, "") => cap.to_owned(),
        (scope, name) => format!("{cap} of {scope} {name}"),
    }
}

/// What is in force now, which a policy may have made less than was asked for.
fn set(
    now: Option<&BudgetInfo>,
    window: Window,
    of: Option<&BudgetOf>,
    wanted_nano_usd: i64,
) -> String {
    let name = name(window, of);
    let key = match (window, of) {
        (Window::Daily, None) => "budget.daily_usd",
        (Window::Monthly, None) => "budget.monthly_usd",
        _ => "budget.limits",
    };
    let only_told = now.is_some_and(|budget| budget.warns);
    let only_told = if only_told { ", only told" } else { "" };
    match now {
        Some(budget) if budget.limit_nano_usd != wanted_nano_usd => format!(
            "{name}: {} (written: {}; a stricter layer decides, see cv config explain {key})",
            money::shown(budget.limit_nano_usd),
            money::shown(wanted_nano_usd)
        ),
        Some(_) | None => format!("{name}: {}{only_told}", money::shown(wanted_nano_usd)),
    }
}

/// Which budget it is, in the middle of a sentence: `budget of this day`, `budget of token claude`.
pub fn title(budget: &BudgetInfo) -> String {
    let window = escape::line(&budget.window);
    let stretch = match budget.window.as_str() {
        "total" => String::new(),
        "run" | "session" => format!(" of each {window}"),
        _ => format!(" of this {window}"),
    };
    let whose = match budget.scope.as_str() {
        "tenant" => String::new(),
        scope => format!(
            " of {} {}",
            escape::line(scope),
            escape::line(&budget.scope_key)
        ),
    };
    let all = if stretch.is_empty() && whose.is_empty() {
        " of all time"
    } else {
        ""
    };
    format!("budget{stretch}{whose}{all}")
}

/// Whose it is: `everybody`, `provider openai`.
pub fn whose(budget: &BudgetInfo) -> String {
    match (budget.scope.as_str(), budget.scope_key.as_str()) {
        ("tenant", _) => "everybody".to_owned(),
        (scope, name) => format!("{scope} {name}"),
    }
}

fn until(budget: &BudgetInfo) -> String {
    match (budget.window.as_str(), budget.resets_ms) {
        ("run" | "session", _) => "for each one".to_owned(),
        (_, 0) => "never anew".to_owned(),
        (_, ms) => local_time(ms),
    }
}

fn state(budget: &BudgetInfo) -> Cell {
    let spent = budget
        .posted_nano_usd
        .saturating_add(budget.pending_nano_usd);
    if budget.frozen && !budget.warns {
        styled("frozen: billed more than was held", Role::Bad)
    } else if spent >= budget.limit_nano_usd {
        let words = if budget.warns {
            "passed, only told"
        } else {
            "used up"
        };
        styled(words, Role::Bad)
    } else if budget.warns {
        styled("open, only told", Role::Good)
    } else {
        styled("open", Role::Good)
    }
}

fn print(
    listed: &BudgetListResponse,
    format: Format,
    context: &mut Context,
) -> Result<(), Failure> {
    let table = Table {
        headers: vec!["of", "window", "limit", "used", "held", "until", "state"],
        rows: listed
            .budgets
            .iter()
            .map(|budget| {
                let default = if budget.chosen { "" } else { " (default)" };
                vec![
                    cell(whose(budget)),
                    styled(budget.window.as_str(), Role::Strong),
                    cell(format!("{}{default}", money::shown(budget.limit_nano_usd))),
                    cell(money::shown(budget.posted_nano_usd)),
                    cell(money::shown(budget.pending_nano_usd)),
                    cell(until(budget)),
                    state(budget),
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

    fn day() -> BudgetInfo {
        BudgetInfo {
            scope: "tenant".to_owned(),
            window: "day".to_owned(),
            limit_nano_usd: 500_000_000,
            chosen: true,
            ..BudgetInfo::default()
        }
    }

    #[test]
    fn what_is_in_force_is_said_and_not_what_was_wished() {
        let budget = day();
        let told = |wanted| set(Some(&budget), Window::Daily, None, wanted);
        assert!(told(2_000_000_000).starts_with("Daily cap: $0.50 (written: $2.00"));
        assert_eq!(told(500_000_000), "Daily cap: $0.50");
        let agent = BudgetOf::Agent("rex".to_owned());
        let warns = BudgetInfo {
            warns: true,
            ..day()
        };
        assert_eq!(
            set(Some(&warns), Window::Run, Some(&agent), 500_000_000),
            "Cap of each run of agent rex: $0.50, only told"
        );
    }

    #[test]
    fn a_budget_is_found_by_whose_it_is() {
        let mock = BudgetInfo {
            scope: "provider".to_owned(),
            scope_key: "mock".to_owned(),
            ..day()
        };
        let budgets = [day(), mock.clone()];
        let of = BudgetOf::Provider("mock".to_owned());
        assert_eq!(find(&budgets, Window::Daily, Some(&of)), Some(&mock));
        assert_eq!(find(&budgets, Window::Daily, None), Some(&day()));
        assert_eq!(find(&budgets, Window::Monthly, None), None);
        assert_eq!(title(&mock), "budget of this day of provider mock");
        assert_eq!(title(&day()), "budget of this day");
        let token = BudgetInfo {
            scope: "token".to_owned(),
            scope_key: "claude".to_owned(),
            window: "total".to_owned(),
            ..day()
        };
        assert_eq!(title(&token), "budget of token claude");
        assert_eq!(whose(&mock), "provider mock");
        assert_eq!(until(&mock), "never anew");
    }
}
