//! `cv provider`

use std::collections::BTreeMap;

use convergio_client::{Client, ClientError};
use convergio_contract::{
    SecretText,
    provider::{
        KeyState, ProviderAdd, ProviderAddParams, ProviderInfo, ProviderList, ProviderListParams,
        ProviderListResponse, ProviderModel, ProviderRemove, ProviderRemoveParams, ProviderTest,
        ProviderTestParams, ProviderTestResponse,
    },
};

use super::{fix, provider_key};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    keys,
    output::{escape, layout::Piece, paint::Role},
    render::words::{count, duration},
    table::{Cell, Format, Table, cell, show, styled},
};

/// Lists, adds, tests and removes providers, and stores their keys.
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

/// What to do with providers.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Lists configured providers and those whose key is set or that run here.
    List {
        /// The whole built-in catalogue.
        #[arg(long)]
        all: bool,
    },
    /// Adds a provider to your settings, or changes it.
    Add(Box<AddArgs>),
    /// Stores a key: typed unseen at the terminal, or piped in. Never an argument, because
    /// everybody on the machine sees those.
    SetKey {
        /// The provider.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
    },
    /// Asks a provider for its models: shows that address, certificate and key work. Free.
    Test {
        /// The provider.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
    },
    /// Removes a provider from your settings, and its stored key.
    Remove {
        /// The provider.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
        /// Only the stored key.
        #[arg(long)]
        key_only: bool,
    },
}

/// A provider's settings.
#[derive(clap::Args, Debug)]
pub struct AddArgs {
    /// The name in `provider/model`.
    #[arg(value_hint = clap::ValueHint::Other)]
    pub name: String,
    /// Its wire: anthropic, openai (and whatever is compatible), openai-responses, azure, gemini or
    /// ollama.
    #[arg(long, value_hint = clap::ValueHint::Other)]
    pub kind: Option<String>,
    /// Where it is, for instance `http://127.0.0.1:8080/v1`.
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub base_url: Option<String>,
    /// The variable that holds its key.
    #[arg(long, value_name = "VARIABLE", conflicts_with = "key_cmd", value_hint = clap::ValueHint::Other)]
    pub key_env: Option<String>,
    /// A command that prints its key.
    #[arg(long, value_name = "COMMAND", value_hint = clap::ValueHint::CommandString)]
    pub key_cmd: Option<String>,
    /// More trusted roots, a PEM file.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub ca_file: Option<String>,
    /// Its models run on this machine.
    #[arg(long)]
    pub local: bool,
    /// Ask it without encryption although it is another machine: where the way there is safe.
    #[arg(long)]
    pub allow_plain_http: bool,
    /// A model of it, by its id there.
    #[arg(long, value_name = "ID", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// US dollars per million input tokens of the model.
    #[arg(long, value_name = "USD", requires = "model", value_parser = usd)]
    pub input_price: Option<String>,
    /// US dollars per million output tokens of the model.
    #[arg(long, value_name = "USD", requires = "model", value_parser = usd)]
    pub output_price: Option<String>,
    /// Tokens that the model reads and writes at most together.
    #[arg(long, value_name = "N", requires = "model")]
    pub context: Option<u64>,
    /// Ask this model where none is named.
    #[arg(long, requires = "model")]
    pub default: bool,
}

/// Checked here, sent as it was typed.
fn usd(text: &str) -> Result<String, String> {
    crate::money::parse(text).map(|_| text.trim_start_matches('$').to_owned())
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb.unwrap_or(Verb::List { all: false }) {
        Verb::List { all } => {
            let listed = daemon::call(
                context,
                Start::IfNeeded,
                "looking for providers",
                |client: Client| async move { list(&client, all).await.map(|(listed, _)| listed) },
            )?;
            print_list(&listed, args.format, context)
        }
        Verb::Add(add) => {
            let priced = add.input_price.is_some() || add.output_price.is_some();
            let params = add_params(*add);
            let added = daemon::call(
                context,
                Start::IfNeeded,
                "adding the provider",
                |client: Client| async move { client.call::<ProviderAdd>(&params).await },
            )?;
            if added.local && priced {
                context.notes.note(
                    "it is said to run on this machine: its models are free, the prices are not used",
                );
            }
            print_added(&added, args.format, context)
        }
        Verb::SetKey { name } => provider_key::run(name, args.format, context),
        Verb::Test { name } => test(name, args.format, context),
        Verb::Remove { name, key_only } => remove(name, key_only, args.format, context),
    }
}

/// The providers, with the keys that are set here, those included that only a setting names; and
/// those keys.
pub async fn list(
    client: &Client,
    all: bool,
) -> Result<(ProviderListResponse, BTreeMap<String, SecretText>), ClientError> {
    let mut params = ProviderListParams {
        keys: keys::exported(),
        all,
    };
    let listed = client.call::<ProviderList>(&params).await?;
    let missing = listed
        .providers
        .iter()
        .filter(|provider| provider.configured)
        .filter_map(|provider| match &provider.key {
            KeyState::Missing { env_names, .. } => Some(env_names),
            KeyState::Found { .. } | KeyState::NotNeeded => None,
        })
        .flatten();
    if !keys::add(missing, &mut params.keys) {
        return Ok((listed, params.keys));
    }
    let listed = client.call::<ProviderList>(&params).await?;
    Ok((listed, params.keys))
}

fn add_params(add: AddArgs) -> ProviderAddParams {
    let default_model = add
        .default
        .then(|| add.model.as_ref().map(|id| format!("{}/{id}", add.name)))
        .flatten();
    ProviderAddParams {
        default_model,
        kind: add.kind,
        base_url: add.base_url,
        key_env: add.key_env,
        key_cmd: add.key_cmd,
        ca_file: add.ca_file,
        local: add.local.then_some(true),
        allow_plain_http: add.allow_plain_http.then_some(true),
        models: add
            .model
            .map(|id| {
                let model = ProviderModel {
                    input_price: add.input_price,
                    output_price: add.output_price,
                    context: add.context,
                };
                (id, model)
            })
            .into_iter()
            .collect(),
        name: add.name,
    }
}

/// The key's state in words.
pub fn key_cell(key: &KeyState) -> Cell {
    match key {
        KeyState::Found { source } => styled(format!("found: {source}"), Role::Good),
        KeyState::NotNeeded => styled("not needed", Role::Dim),
        KeyState::Missing { env_names, .. } => match env_names.first() {
            Some(name) => styled(format!("missing: {name}"), Role::Warning),
            None => styled("missing", Role::Warning),
        },
    }
}

fn print_list(
    listed: &ProviderListResponse,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    if listed.providers.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say(
            "No provider yet. Local: `cv setup`. Cloud: `export ANTHROPIC_API_KEY=…`. \
             All: `cv provider list --all`",
        )?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec!["provider", "kind", "where", "models", "key", "problem"],
        rows: listed
            .providers
            .iter()
            .map(|provider| {
                vec![
                    styled(provider.name.as_str(), Role::Strong),
                    cell(provider.kind.as_str()),
                    cell(if provider.local {
                        format!("{} (this machine)", provider.base_url)
                    } else {
                        provider.base_url.clone()
                    }),
                    cell(provider.models.to_string()),
                    key_cell(&provider.key),
                    match &provider.problem {
                        Some(problem) => styled(problem.as_str(), Role::Bad),
                        None => styled("–", Role::Dim),
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
        Some(("providers", "provider")),
    )?;
    if context.global.verbose {
        for provider in &listed.providers {
            if let KeyState::Missing { tried, .. } = &provider.key {
                for place in tried {
                    context.notes.note(&format!(
                        "{}: {}",
                        escape::line(&provider.name),
                        escape::line(place)
                    ));
                }
            }
        }
    }
    let default = listed.default_model.as_deref().map_or_else(
        || "no default model: cv models".to_owned(),
        |model| format!("default model {}", escape::line(model)),
    );
    context.notes.pieces(
        &[
            Piece::new("", default, Role::Dim),
            Piece::new(
                " · ",
                format!("set-key stores in: {}", escape::line(&listed.key_store)),
                Role::Dim,
            ),
        ],
        2,
    );
    Ok(Exit::Ok)
}

/// Whether the variable holds something here.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn print_added(
    added: &ProviderInfo,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    if matches!(format, Format::Json | Format::Ndjson) {
        show(&mut context.answer, format, &Table::default(), added, None)?;
        return Ok(Exit::Ok);
    }
    let name = escape::line(&added.name).into_owned();
    let what = format!("Provider {name}: {}", escape::line(&added.base_url));
    fix::done(&what, context)?;
    if let Some(problem) = &added.problem {
        context.notes.note(&escape::line(problem));
    }
    context.notes.note(&match &added.key {
        // The daemon does not see this command's environment; a call takes the key along.
        KeyState::Missing { env_names, .. } if !env_names.iter().any(|name| is_set(name)) => {
            format!("Give it a key: cv provider set-key {name}")
        }
        KeyState::Missing { .. } | KeyState::Found { .. } | KeyState::NotNeeded => {
            format!("Try it: cv provider test {name}")
        }
    });
    Ok(Exit::Ok)
}

fn test(name: String, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let tested = daemon::call(
        context,
        Start::IfNeeded,
        "asking the provider for its models",
        |client: Client| async move {
            let mut params = ProviderTestParams {
                name,
                keys: keys::exported(),
            };
            let tested = match client.call::<ProviderTest>(&params).await {
                Err(error) if keys::add_asked(&error, &mut params.keys) => None,
                Ok(ProviderTestResponse {
                    error: Some(error), ..
                }) if keys::add_asked(&ClientError::Rpc(error.clone()), &mut params.keys) => None,
                tested => Some(tested?),
            };
            match tested {
                Some(tested) => Ok(tested),
                None => client.call::<ProviderTest>(&params).await,
            }
        },
    )?;
    if let Some(error) = &tested.error {
        return Err(error.clone().into());
    }
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let mut rows = vec![row(
        "Works",
        if tested.ok {
            styled(format!("yes, {}", duration(tested.duration_ms)), Role::Good)
        } else {
            styled("no", Role::Bad)
        },
    )];
    if let Some(source) = &tested.key_source {
        rows.push(row("Key", cell(source.as_str())));
    }
    let total = tested.models.len() as u64 + u64::from(tested.models_more);
    rows.push(row("Models", cell(count(total, "model", "models"))));
    rows.extend(
        tested
            .models
            .iter()
            .map(|model| row("", cell(model.as_str()))),
    );
    if tested.models_more > 0 {
        let more = format!("and {} more", tested.models_more);
        rows.push(row("", styled(more, Role::Dim)));
    }
    let table = Table {
        headers: Vec::new(),
        rows,
    };
    show(&mut context.answer, format, &table, &tested, None)?;
    Ok(if tested.ok { Exit::Ok } else { Exit::Provider })
}

fn remove(
    name: String,
    key_only: bool,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let params = ProviderRemoveParams {
        name: name.clone(),
        key_only,
    };
    let removed = daemon::call(
        context,
        Start::IfNeeded,
        "removing the provider",
        |client: Client| async move { client.call::<ProviderRemove>(&params).await },
    )?;
    if !removed.removed && !removed.key_removed {
        return Err(Failure::new(
            Kind::NotFound,
            format!("Nothing of {name} to remove"),
            if key_only {
                "no key of it is stored"
            } else {
                "it does not stand in your settings, and no key of it is stored"
            },
            Hint::PROVIDERS,
        ));
    }
    if matches!(format, Format::Json | Format::Ndjson) {
        show(
            &mut context.answer,
            format,
            &Table::default(),
            &removed,
            None,
        )?;
        return Ok(Exit::Ok);
    }
    let name = escape::line(&name);
    if removed.removed {
        fix::done(
            &format!("Removed provider {name} from your settings"),
            context,
        )?;
    }
    if removed.key_removed {
        let text = context.answer.layout.pieces(
            &[
                Piece::new("", format!("Removed the stored key of {name}"), Role::Good),
                Piece::new(
                    " · ",
                    format!("back: cv provider set-key {name}, with the key"),
                    Role::Plain,
                ),
            ],
            2,
        );
        context.answer.write(&text)?;
    }
    provider_key::still_named(&name, &removed, context);
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_default_belong_to_the_model() {
        let params = add_params(AddArgs {
            name: "mock".to_owned(),
            kind: Some("openai".to_owned()),
            base_url: Some("http://127.0.0.1:9000/v1".to_owned()),
            key_env: Some("MOCK_KEY".to_owned()),
            key_cmd: None,
            ca_file: None,
            local: false,
            allow_plain_http: false,
            model: Some("gpt-test".to_owned()),
            input_price: Some("3.00".to_owned()),
            output_price: Some("15".to_owned()),
            context: Some(128_000),
            default: true,
        });
        assert_eq!(params.default_model.as_deref(), Some("mock/gpt-test"));
        assert_eq!(params.local, None);
        let model = &params.models["gpt-test"];
        assert_eq!(model.input_price.as_deref(), Some("3.00"));
        assert_eq!(model.context, Some(128_000));
    }

    #[test]
    fn a_price_is_dollars() {
        assert_eq!(usd("$3.00"), Ok("3.00".to_owned()));
        assert!(usd("three").is_err());
    }
}
