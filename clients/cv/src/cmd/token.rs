//! `cv token`

use std::collections::BTreeMap;

use convergio_client::{Client, ClientError};
use convergio_contract::{
    method::Empty,
    model::Policy,
    token::{
        TokenCreate, TokenCreateParams, TokenCreateResponse, TokenInfo, TokenList,
        TokenListResponse, TokenRevoke, TokenRevokeParams, TokenState,
    },
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    keys, local_time, money,
    output::paint::Role,
    table::{Cell, Format, Table, cell, show, styled},
};

/// Makes, lists and takes back tokens for programs that speak OpenAI's or Anthropic's wire.
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

/// What to do with tokens.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Makes a token and prints it, once.
    Create(Box<CreateArgs>),
    /// Lists them, with what they spent.
    List,
    /// Takes one back, at once.
    Revoke {
        /// Its name.
        #[arg(value_hint = clap::ValueHint::Other)]
        name: String,
    },
}

/// A new token.
#[derive(clap::Args, Debug)]
pub struct CreateArgs {
    /// Letters, digits, `-`, `_` and `.`; never used before.
    #[arg(value_hint = clap::ValueHint::Other)]
    pub name: String,
    /// At most this many US dollars in all, for instance `5`.
    #[arg(long, value_name = "USD", value_parser = money::parse)]
    pub max: Option<i64>,
    /// At most this many US dollars a day.
    #[arg(long, value_name = "USD", value_parser = money::parse)]
    pub daily: Option<i64>,
    /// Only these models, parted by commas: provider/model, or an alias.
    #[arg(long, value_name = "MODELS", value_delimiter = ',', value_hint = clap::ValueHint::Other)]
    pub models: Vec<String>,
    /// Ask this model, whatever the program names.
    #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// Good for so long, for instance `12h`, `7d`.
    #[arg(long, value_name = "TIME", value_parser = days_ms)]
    pub expires: Option<u64>,
    /// Only models on this machine: nothing leaves it.
    #[arg(long)]
    pub local_only: bool,
}

/// A duration in milliseconds: a number with `m`, `h` or `d`.
fn days_ms(text: &str) -> Result<u64, String> {
    let refused = || "use a number above zero with m, h or d, for instance 7d".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(refused()),
    };
    let number = number.parse::<u64>().ok();
    let wait = number.and_then(|number| number.checked_mul(factor));
    wait.filter(|ms| *ms > 0).ok_or_else(refused)
}

/// Makes a token; where the daemon asks for keys that nobody sends unasked, once more with them.
pub async fn create(
    client: &Client,
    mut params: TokenCreateParams,
) -> Result<TokenCreateResponse, ClientError> {
    match client.call::<TokenCreate>(&params).await {
        Err(error) if keys::add_asked_or_empty(&error, &mut params.keys) => {
            client.call::<TokenCreate>(&params).await
        }
        other => other,
    }
}

/// What names of models stand for where one model answers all of them.
pub fn every_name(model: Option<&String>) -> BTreeMap<String, String> {
    let all = model.map(|model| ("*".to_owned(), model.clone()));
    all.into_iter().collect()
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb.unwrap_or(Verb::List) {
        Verb::Create(create) => made(*create, args.format, context),
        Verb::List => list(args.format, context),
        Verb::Revoke { name } => revoke(name, args.format, context),
    }
}

fn made(args: CreateArgs, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let params = TokenCreateParams {
        model_map: every_name(args.model.as_ref()),
        name: args.name,
        max_usd: args.max.map(money::dollars),
        daily_usd: args.daily.map(money::dollars),
        models: args.models,
        policy: args.local_only.then_some(Policy::LocalOnly),
        expires_in_ms: args.expires,
        keys: keys::exported(),
        ..TokenCreateParams::default()
    };
    let made = daemon::call(
        context,
        Start::IfNeeded,
        "making the token",
        |client: Client| async move { create(&client, params).await },
    )?;
    if matches!(format, Format::Json | Format::Ndjson) {
        context.answer.json(&made)?;
    } else {
        context.answer.line(made.secret.expose())?;
    }
    context.answer.flush()?;
    let name = &made.token.name;
    match (&made.gateway.url, made.gateway.enabled) {
        (Some(url), _) => context.notes.note(&format!(
            "Shown once. OPENAI_BASE_URL={url}/v1 or ANTHROPIC_BASE_URL={url} · back: cv token revoke {name}"
        )),
        (None, true) => context.notes.note(&format!(
            "Shown once. The gateway does not listen ({}): cv gateway · back: cv token revoke {name}",
            made.gateway.error.as_deref().unwrap_or("nobody knows why")
        )),
        (None, false) => context.notes.note(&format!(
            "Shown once. The gateway is off: cv config set gateway.enabled true · back: cv token revoke {name}"
        )),
    }
    Ok(Exit::Ok)
}

fn list(format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let listed: TokenListResponse = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the tokens",
        |client: Client| async move { client.call::<TokenList>(&Empty {}).await },
    )?;
    if listed.tokens.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say(
            "No tokens yet. One for a program: `cv token create NAME --max 5`. \
             One for as long as a program runs: `cv guard --max 5 -- claude`",
        )?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec!["token", "state", "spent", "of", "runs", "last used", "for"],
        rows: listed.tokens.iter().map(row).collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("tokens", "token")),
    )?;
    Ok(Exit::Ok)
}

fn row(token: &TokenInfo) -> Vec<Cell> {
    let limit = match (token.max_nano_usd, token.daily_nano_usd) {
        (None, None) => "no limit of its own".to_owned(),
        (Some(max), None) => money::shown(max),
        (None, Some(daily)) => format!("{} a day", money::shown(daily)),
        (Some(max), Some(daily)) => {
            format!("{}, {} a day", money::shown(max), money::shown(daily))
        }
    };
    let mut models = token.models.join(", ");
    if let Some(every) = token.model_map.get("*") {
        models = format!("always {every}");
    }
    vec![
        styled(token.name.as_str(), Role::Strong),
        match token.state {
            TokenState::Good => styled("good", Role::Good),
            TokenState::Expired => styled("expired", Role::Bad),
            TokenState::Revoked => styled("revoked", Role::Bad),
        },
        cell(money::shown(token.spent_nano_usd)),
        cell(limit),
        cell(token.runs.to_string()),
        cell(token.last_used_ms.map(local_time).unwrap_or_default()),
        cell(models),
    ]
}

fn revoke(name: String, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let params = TokenRevokeParams { name };
    let revoked = daemon::call(
        context,
        Start::IfNeeded,
        "taking the token back",
        |client: Client| async move { client.call::<TokenRevoke>(&params).await },
    )?;
    if matches!(format, Format::Json | Format::Ndjson) {
        context.answer.json(&revoked)?;
    } else {
        context.answer.say(&format!(
            "Revoked {}: it opens nothing any more, and nothing brings it back. Another one: `cv token create NAME`",
            revoked.token.name
        ))?;
    }
    context.answer.flush()?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_time_has_a_unit() {
        assert_eq!(days_ms("7d"), Ok(604_800_000));
        assert_eq!(days_ms("12h"), Ok(43_200_000));
        for wrong in ["7", "0d", "d", "7w", "-1d", "99999999999999999999d"] {
            assert!(days_ms(wrong).is_err(), "{wrong}");
        }
    }
}
