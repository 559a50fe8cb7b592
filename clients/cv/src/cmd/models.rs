//! `cv models`

use convergio_client::Client;
use convergio_contract::model::{ModelInfo, ModelList, ModelListParams};

use super::provider;
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
    /// Only this provider's.
    #[arg(long, value_name = "NAME", global = true, value_hint = clap::ValueHint::Other)]
    pub provider: Option<String>,
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
    List,
}

/// Lists them.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let wanted = args.provider;
    let listed = daemon::call(
        context,
        Start::IfNeeded,
        "looking for models",
        |client: Client| async move {
            // Which variables hold keys is known only with the providers.
            let (_, keys) = provider::list(&client, false).await?;
            let params = ModelListParams {
                provider: wanted,
                keys,
            };
            client.call::<ModelList>(&params).await
        },
    )?;
    if listed.models.is_empty() && matches!(args.format, Format::Text | Format::Md) {
        context.answer.say(
            "No model yet. Local: `cv setup`. Cloud: `export ANTHROPIC_API_KEY=…`, \
             then `cv models`",
        )?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec![
            "model",
            "where",
            "context",
            "$ per million in / out",
            "state",
        ],
        rows: listed.models.iter().map(row).collect(),
    };
    show(
        &mut context.answer,
        args.format,
        &table,
        &listed,
        Some(("models", "model")),
    )?;
    Ok(Exit::Ok)
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
    let state = match &model.unavailable {
        Some(why) => styled(why.as_str(), Role::Warning),
        None if model.default => styled("default", Role::Strong),
        None => cell("ready"),
    };
    vec![
        styled(model.name.as_str(), Role::Strong),
        cell(if model.local { "here" } else { "cloud" }),
        cell(model.context.map_or_else(|| "–".to_owned(), grouped)),
        prices,
        state,
    ]
}
