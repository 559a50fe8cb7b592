//! `cv models`

use convergio_client::Client;
use convergio_contract::model::{ModelInfo, ModelList, ModelListParams, ModelListResponse};

use super::{model_card, prices, provider};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    money,
    output::paint::Role,
    render::words::grouped,
    table::{Cell, Format, Table, cell, show, styled},
};

/// Lists the models that can be asked, those that can be used now first.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do; without it, list.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Which to list.
    #[command(flatten)]
    pub filter: Filter,
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

/// What to do with models.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Lists them.
    List {
        /// Which.
        #[command(flatten)]
        filter: Filter,
    },
    /// Shows all that is known of one.
    Show {
        /// As `--model` takes it: `provider/model`.
        #[arg(value_name = "MODEL", value_hint = clap::ValueHint::Other)]
        name: String,
    },
    /// Shows which prices are in force, and takes others.
    Prices {
        /// What to do; without it, show.
        #[command(subcommand)]
        verb: Option<prices::Verb>,
    },
}

/// Which models to list. What is asked for must be known of a model: where nobody says what it can
/// do, it is left out.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Filter {
    /// Only this provider's.
    #[arg(long, value_name = "NAME", value_hint = clap::ValueHint::Other)]
    pub provider: Option<String>,
    /// Only those that call tools.
    #[arg(long)]
    pub tools: bool,
    /// Only those that see pictures.
    #[arg(long)]
    pub vision: bool,
    /// Only those that run on this machine.
    #[arg(long)]
    pub local: bool,
    /// Only those with a known price.
    #[arg(long)]
    pub priced: bool,
}

impl Filter {
    /// Both, where something was said before the verb and behind it.
    fn with(self, other: Self) -> Self {
        Self {
            provider: other.provider.or(self.provider),
            tools: self.tools || other.tools,
            vision: self.vision || other.vision,
            local: self.local || other.local,
            priced: self.priced || other.priced,
        }
    }

    fn takes(&self, model: &ModelInfo) -> bool {
        let can = |word: &str| {
            let words = model.capabilities.as_ref();
            words.is_some_and(|all| all.iter().any(|one| one == word))
        };
        (!self.tools || can("tools"))
            && (!self.vision || can("vision"))
            && (!self.local || model.local)
            && (!self.priced || model.local || !model.price_nano_usd_per_million.is_empty())
    }

    fn is_narrow(&self) -> bool {
        self.tools || self.vision || self.local || self.priced
    }
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb {
        None => list(args.filter, args.format, context),
        Some(Verb::List { filter }) => list(args.filter.with(filter), args.format, context),
        Some(Verb::Show { name }) => model_card::run(&name, args.format, context),
        Some(Verb::Prices { verb }) => prices::run(verb, args.format, context),
    }
}

/// The models of one provider, or of all.
pub fn listed(
    provider: Option<String>,
    context: &mut Context,
) -> Result<ModelListResponse, Failure> {
    daemon::call(
        context,
        Start::IfNeeded,
        "looking for models",
        |client: Client| async move {
            // Which variables hold keys is known only with the providers.
            let (_, keys) = provider::list(&client, false).await?;
            client
                .call::<ModelList>(&ModelListParams { provider, keys })
                .await
        },
    )
}

fn list(filter: Filter, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let mut listed = listed(filter.provider.clone(), context)?;
    let all = listed.models.len();
    listed.models.retain(|model| filter.takes(model));
    if listed.models.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say(if all > 0 && filter.is_narrow() {
            "None of the models that are known is so. All of them: `cv models`"
        } else {
            "No model yet. Local: `cv setup`. Cloud: `export ANTHROPIC_API_KEY=…`, \
             then `cv models`"
        })?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec![
            "model",
            "where",
            "context",
            "out",
            "can",
            "$ per million in / out",
            "priced",
            "state",
        ],
        rows: listed.models.iter().map(row).collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("models", "model")),
    )?;
    Ok(Exit::Ok)
}

/// What it can do, for a person.
pub fn can(model: &ModelInfo) -> String {
    match &model.capabilities {
        None => "?".to_owned(),
        Some(words) if words.is_empty() => "–".to_owned(),
        Some(words) => words.join(" "),
    }
}

fn row(model: &ModelInfo) -> Vec<Cell> {
    let price = |resource: &str| {
        model
            .price_nano_usd_per_million
            .get(resource)
            .map(|nano| money::decimal(*nano))
    };
    let prices = match (price("in_uncached"), price("out_text")) {
        _ if model.local => styled("free", Role::Good),
        (Some(input), Some(output)) => cell(format!("{input} / {output}")),
        _ => styled("no price", Role::Warning),
    };
    let by = model.priced_by.as_ref().filter(|_| !model.local);
    let priced = by.map_or_else(
        || "–".to_owned(),
        |by| by.as_of.clone().unwrap_or_else(|| by.list.clone()),
    );
    let state = match &model.unavailable {
        Some(why) => styled(why.as_str(), Role::Warning),
        None if model.default => styled("default", Role::Strong),
        None => cell("ready"),
    };
    let tokens = |count: Option<u64>| cell(count.map_or_else(|| "–".to_owned(), grouped));
    vec![
        styled(model.name.as_str(), Role::Strong),
        cell(if model.local { "here" } else { "cloud" }),
        tokens(model.context),
        tokens(model.max_output),
        cell(can(model)),
        prices,
        cell(priced),
        state,
    ]
}
