//! `cv route`

use std::collections::BTreeMap;

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    chat::{Input, InputKind, RunStartParams, SessionUse},
    model::Policy,
    route::{Need, RouteExplain, RouteExplainParams, RouteExplainResponse, RouteStep},
    run::RunOptions,
};

use super::{latest, provider};
use crate::{
    context::{Context, ErrorForm},
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    money,
    output::paint::Role,
    render::words::grouped,
    table::{Cell, Format, Table, cell, show, styled},
};

/// Says which model would answer, and why. Nothing is sent.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do with routes.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// The models that would answer a question, in order: why, and at what cost.
    Explain(Explain),
}

/// Which question.
#[derive(clap::Args, Debug)]
pub struct Explain {
    /// The question.
    #[arg(value_name = "PROMPT", required = true, value_hint = clap::ValueHint::Other)]
    pub prompt: Vec<String>,
    /// `provider/model`, or one word for several: fast, smart, code, private, cheap, your own.
    #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// Where answers may come from.
    #[arg(long, value_enum, value_name = "POLICY", conflicts_with = "local_only")]
    pub policy: Option<PolicyWord>,
    /// Models on this machine only.
    #[arg(long)]
    pub local_only: bool,
    /// Only models that call tools.
    #[arg(long)]
    pub tools: bool,
    /// Only models that see pictures.
    #[arg(long)]
    pub vision: bool,
    /// Only models that can be told how much to reason.
    #[arg(long)]
    pub reasoning: bool,
    /// Tokens that the answer may have at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_output: Option<u32>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// A policy by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyWord {
    /// This machine where it can do the job, else the cloud within budget.
    LocalFirst,
    /// The cloud within budget, else this machine.
    CloudFirst,
    /// This machine alone.
    LocalOnly,
    /// Whatever is expected to cost least.
    Cheapest,
}

impl PolicyWord {
    /// As it travels.
    pub const fn wire(self) -> Policy {
        match self {
            Self::LocalFirst => Policy::LocalFirst,
            Self::CloudFirst => Policy::CloudFirst,
            Self::LocalOnly => Policy::LocalOnly,
            Self::Cheapest => Policy::Cheapest,
        }
    }
}

/// Explains.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let Verb::Explain(args) = args.verb;
    args.format.announce(context);
    let (_, root) = latest::root(context)?;
    let format = args.format;
    let explained = daemon::call(
        context,
        Start::IfNeeded,
        "planning who would be asked",
        |client: Client| async move {
            // Which variables hold keys is known only with the providers.
            let (_, keys) = provider::list(&client, false).await?;
            client
                .call::<RouteExplain>(&params(&args, root, keys))
                .await
        },
    )?;
    // Who reads tables learns more from the three lines than from an empty one.
    let is_empty = explained.routes.is_empty() && matches!(format, Format::Text | Format::Md);
    if !is_empty {
        show(
            &mut context.answer,
            format,
            &table(&explained),
            &explained,
            None,
        )?;
    }
    match explained.refusal {
        Some(refusal) => {
            // The document above says it already; only the three lines are missing.
            context.error_form = ErrorForm::Notes;
            Err(refusal.into())
        }
        None => Ok(Exit::Ok),
    }
}

fn params(
    args: &Explain,
    root: String,
    keys: BTreeMap<String, convergio_contract::SecretText>,
) -> RouteExplainParams {
    let needs = [
        (args.tools, Need::Tools),
        (args.vision, Need::Vision),
        (args.reasoning, Need::Reasoning),
    ];
    RouteExplainParams {
        question: RunStartParams {
            run_id: Uuid::now_v7(),
            input: vec![Input {
                kind: InputKind::Prompt,
                name: None,
                text: args.prompt.join(" "),
            }],
            root,
            session: SessionUse::New,
            system: None,
            template: None,
            variables: BTreeMap::new(),
            output_schema: None,
            options: RunOptions {
                model: args.model.clone(),
                policy: match args.local_only {
                    true => Some(Policy::LocalOnly),
                    false => args.policy.map(PolicyWord::wire),
                },
                max_output: args.max_output,
                keys,
                ..RunOptions::default()
            },
        },
        needs: needs
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .map(|(_, need)| need)
            .collect(),
    }
}

fn cost(step: &RouteStep) -> Cell {
    match (step.local, step.expected_nano_usd, step.hold_nano_usd) {
        (true, ..) => styled("free", Role::Good),
        (false, Some(expected), Some(hold)) => cell(format!(
            "about {}, holds {}",
            money::shown(expected),
            money::shown(hold)
        )),
        (false, Some(expected), None) => cell(format!("about {}", money::shown(expected))),
        (false, None, _) => cell("unknown"),
    }
}

fn why(step: &RouteStep) -> String {
    let mut why = step.reason.clone();
    if !step.on.is_empty() {
        why.push_str(&format!(", after {}", step.on.join(", ")));
    }
    why
}

fn table(explained: &RouteExplainResponse) -> Table {
    let steps = explained.routes.iter().enumerate().map(|(place, step)| {
        let state = match &step.problem {
            Some(problem) => styled(problem.clone(), Role::Bad),
            None => cell(step.health.clone()),
        };
        vec![
            cell((place + 1).to_string()),
            cell(step.model.clone()),
            cell(match (&step.destination, step.local) {
                (_, true) => "this machine".to_owned(),
                (Some(destination), false) => destination.clone(),
                (None, false) => String::new(),
            }),
            cell(step.context.map(grouped).unwrap_or_default()),
            cost(step),
            cell(why(step)),
            state,
        ]
    });
    let left_out = explained.left_out.iter().map(|left| {
        vec![
            styled("–", Role::Dim),
            styled(left.model.clone(), Role::Dim),
            styled(if left.local { "this machine" } else { "" }, Role::Dim),
            cell(""),
            cell(""),
            styled(format!("not asked: {}", left.reason), Role::Dim),
            cell(""),
        ]
    });
    Table {
        headers: vec!["", "model", "where", "context", "cost", "why", "state"],
        rows: steps.chain(left_out).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::layout::Layout;

    #[test]
    fn a_plan_names_every_model_and_why() {
        let explained = RouteExplainResponse {
            policy: Policy::LocalFirst,
            needs: vec![Need::Tools],
            input_tokens_min: 2,
            input_tokens_max: 90,
            routes: vec![RouteStep {
                model: "mock/big".to_owned(),
                local: false,
                destination: Some("https://api.example.org".to_owned()),
                reason: "configured fallback".to_owned(),
                on: vec!["rate_limit".to_owned()],
                expected_nano_usd: Some(1_000_000),
                hold_nano_usd: Some(4_000_000),
                context: Some(200_000),
                health: "ready".to_owned(),
                problem: None,
            }],
            left_out: vec![convergio_contract::route::RouteLeftOut {
                model: "mock/blind".to_owned(),
                local: true,
                reason: "it calls no tools".to_owned(),
            }],
            refusal: None,
        };
        let text = table(&explained).text(Layout::default());
        for part in [
            "mock/big",
            "https://api.example.org",
            "200,000",
            "about $0.0010, holds $0.0040",
            "configured fallback, after rate_limit",
            "ready",
            "mock/blind",
            "not asked: it calls no tools",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
