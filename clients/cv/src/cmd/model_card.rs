//! `cv models show`

use convergio_contract::{ErrorCode, RpcError, model::ModelInfo};

use super::models::{can, listed};
use crate::{
    context::Context,
    error::Failure,
    exit::Exit,
    money,
    output::paint::Role,
    render::words::grouped,
    table::{Cell, Format, Table, cell, show, styled},
};

/// What a person calls a class of tokens.
const CLASSES: &[(&str, &str)] = &[
    ("in_uncached", "input"),
    ("in_cache_read", "input read from its cache"),
    ("in_cache_write_5m", "input written to its cache"),
    ("in_cache_write_1h", "the same, kept for an hour"),
    ("out_text", "output"),
];

/// Shows one model.
pub fn run(name: &str, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let Some((provider, _)) = name.split_once('/') else {
        return Err(not_found(
            format!("{name:?} names no model"),
            "a model is named provider/model",
        ));
    };
    let models = listed(Some(provider.to_owned()), context)?.models;
    let Some(model) = models.into_iter().find(|model| model.name == name) else {
        return Err(not_found(
            format!("there is no model {name:?}"),
            "nobody says that the provider has it: neither its server, nor the catalogue, nor the settings",
        ));
    };
    let table = Table {
        headers: Vec::new(),
        rows: rows(&model),
    };
    show(&mut context.answer, format, &table, &model, None)?;
    Ok(Exit::Ok)
}

fn not_found(what: String, why: &str) -> Failure {
    RpcError::new(ErrorCode::NotFound, what)
        .why(why)
        .hint("cv models")
        .into()
}

fn rows(model: &ModelInfo) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: Cell| rows.push(vec![styled(name, Role::Dim), value]);
    let tokens = |count: Option<u64>| {
        cell(count.map_or_else(
            || "not known".to_owned(),
            |count| format!("{} tokens", grouped(count)),
        ))
    };
    add("model", styled(model.name.as_str(), Role::Strong));
    add(
        "runs",
        cell(if model.local { "here" } else { "in the cloud" }),
    );
    add(
        "state",
        match &model.unavailable {
            Some(why) => styled(why.as_str(), Role::Warning),
            None if model.default => styled("default", Role::Strong),
            None => styled("ready", Role::Good),
        },
    );
    add("reads", tokens(model.context));
    add("writes", tokens(model.max_output));
    add(
        "can",
        cell(match model.capabilities {
            None => "not known".to_owned(),
            Some(_) => can(model),
        }),
    );
    if !model.tags.is_empty() {
        add("good for", cell(model.tags.join(" ")));
    }
    if model.local {
        add("costs", styled("nothing", Role::Good));
        return rows;
    }
    if model.price_nano_usd_per_million.is_empty() {
        add(
            "costs",
            styled("nobody says: it is not asked", Role::Warning),
        );
        return rows;
    }
    for (class, words) in CLASSES {
        if let Some(nano) = model.price_nano_usd_per_million.get(*class) {
            let shown = format!("${} per million tokens", money::dollars(*nano));
            add(words, cell(shown));
        }
    }
    for tier in &model.price_tiers {
        let of = |class: &str| {
            let nano = tier.price_nano_usd_per_million.get(class).copied();
            money::dollars(nano.unwrap_or_default())
        };
        add(
            "long prompts",
            cell(format!(
                "from {} tokens on: ${} in, ${} out",
                grouped(tier.from_prompt_tokens),
                of("in_uncached"),
                of("out_text")
            )),
        );
    }
    if let Some(by) = &model.priced_by {
        add("said by", cell(by.list.as_str()));
        if let Some(source) = &by.source {
            let day = by.as_of.as_deref().unwrap_or("no day");
            add("published", cell(format!("{source} ({day})")));
        }
        if let (Some(from), Some(input), Some(output)) =
            (&by.next_from, &by.next_input_usd, &by.next_output_usd)
        {
            let words = format!("from {from} on: ${input} in, ${output} out");
            add("announced", styled(words, Role::Warning));
        }
    }
    rows
}
