//! `cv setup`

use std::path::PathBuf;

use convergio_client::{Client, ClientError};
use convergio_contract::{
    budget::{BudgetInfo, BudgetList, BudgetSet, BudgetSetParams},
    config::{ConfigGet, ConfigGetParams, ConfigSet, ConfigSetParams},
    model::{ModelInfo, ModelList, ModelListParams},
    provider::{KeyState, ProviderInfo},
};
use serde_json::json;

use super::{
    choices::{Current, Plan, PolicyArg, ask},
    gguf, provider,
};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    money,
    output::{escape, layout::Piece, paint::Role},
    render::words::count,
    table::{Cell, Format, Table, cell, styled},
    terminal, waiting,
};

/// Finds keys, Ollama and model files, and asks what may be spent. Every answer is also an
/// option.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where answers may come from.
    #[arg(long, value_enum, value_name = "POLICY")]
    pub policy: Option<PolicyArg>,
    /// What cloud models may cost a day, in US dollars.
    #[arg(long, value_name = "USD", value_parser = crate::money::parse)]
    pub daily_usd: Option<i64>,
    /// The model that is asked where none is named.
    #[arg(long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub default_model: Option<String>,
    /// Ask nothing: take what is proposed for everything that is not given.
    #[arg(short, long)]
    pub yes: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// What is there.
struct Found {
    providers: Vec<ProviderInfo>,
    models: Vec<ModelInfo>,
    default_model: Option<String>,
    policy: String,
    budgets: Vec<BudgetInfo>,
    files: gguf::Found,
}

/// Finds, asks, writes.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let found = look(context)?;
    let for_people = matches!(args.format, Format::Text | Format::Md);
    if for_people {
        let text = table(&found).text(context.answer.layout);
        context.answer.write(&text)?;
        for line in files_lines(&found.files) {
            context.answer.say(&line)?;
        }
        context.answer.flush()?;
    }
    let given = Plan {
        policy: args.policy,
        daily_nano_usd: args.daily_usd,
        default_model: args.default_model.clone(),
    };
    let proposed = propose(&given, &found);
    let plan = if args.yes {
        proposed
    } else if !given.is_empty() {
        given
    } else if for_people && terminal::can_ask() {
        match ask(current(&proposed, &found), context)? {
            Some(plan) => plan,
            None => {
                context.notes.note("Nothing was written.");
                return Ok(Exit::Ok);
            }
        }
    } else {
        return only_tell(&proposed, &found, args.format, context);
    };
    if plan.is_empty() {
        return only_tell(&plan, &found, args.format, context);
    }
    write(&plan, &found, args.format, context)
}

fn look(context: &mut Context) -> Result<Found, Failure> {
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
    let data = daemon::endpoint()
        .ok()
        .map(|endpoint| endpoint.data_dir().to_owned());
    let looking = waiting::on_thread(move || Ok(gguf::find(&gguf::places(&home, data.as_deref()))));
    let files = waiting::wait(context, "looking for model files", looking)?;
    daemon::call(
        context,
        Start::IfNeeded,
        "looking for keys and models",
        |client: Client| async move {
            let (listed, keys) = provider::list(&client, false).await?;
            let models = client
                .call::<ModelList>(&ModelListParams {
                    provider: None,
                    keys,
                })
                .await?;
            let policy = client
                .call::<ConfigGet>(&ConfigGetParams {
                    key: Some("models.policy".to_owned()),
                })
                .await?;
            let budgets = client
                .call::<BudgetList>(&convergio_contract::method::Empty {})
                .await?;
            Ok::<_, ClientError>(Found {
                providers: listed.providers,
                default_model: listed.default_model,
                models: models.models,
                policy: policy
                    .values
                    .first()
                    .and_then(|value| value.value.as_str())
                    .unwrap_or_default()
                    .to_owned(),
                budgets: budgets.budgets,
                files,
            })
        },
    )
}

fn table(found: &Found) -> Table {
    let row = |name: &'static str, value: Cell| vec![styled(name, Role::Dim), value];
    let mut rows = Vec::new();
    let with_key = found
        .providers
        .iter()
        .filter(|provider| matches!(provider.key, KeyState::Found { .. }));
    for provider in with_key {
        if let KeyState::Found { source } = &provider.key {
            rows.push(row(
                "Key",
                styled(format!("{} ({source})", provider.name), Role::Good),
            ));
        }
    }
    if rows.is_empty() {
        rows.push(row("Key", cell("none found")));
    }
    let local: Vec<&ModelInfo> = found
        .models
        .iter()
        .filter(|model| model.local && model.unavailable.is_none())
        .collect();
    rows.push(row(
        "Here",
        match local.as_slice() {
            [] => cell("no model runs on this machine; Ollama was looked for"),
            local => styled(
                format!(
                    "{}: {}{}",
                    count(local.len() as u64, "model", "models"),
                    local
                        .iter()
                        .take(4)
                        .map(|model| model.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                    if local.len() > 4 { " …" } else { "" }
                ),
                Role::Good,
            ),
        },
    ));
    rows.push(row(
        "Default",
        cell(found.default_model.as_deref().unwrap_or("no model")),
    ));
    rows.push(row("Policy", cell(found.policy.as_str())));
    // Those of tokens and agents are theirs alone: `cv budget list`.
    let caps = found.budgets.iter();
    for budget in caps.filter(|budget| matches!(budget.scope.as_str(), "" | "tenant" | "provider"))
    {
        let stretch = match budget.window.as_str() {
            "total" => "in all".to_owned(),
            window => format!("a {}", escape::line(window)),
        };
        let whose = match budget.scope.as_str() {
            "provider" => format!(" of {}", escape::line(&budget.scope_key)),
            _ => String::new(),
        };
        rows.push(row(
            "Cap",
            cell(format!(
                "{} {stretch}{whose}{}",
                money::shown(budget.limit_nano_usd),
                if budget.chosen { "" } else { " (default)" }
            )),
        ));
    }
    Table {
        headers: Vec::new(),
        rows,
    }
}

/// The model files, and what can be done with them now.
fn files_lines(found: &gguf::Found) -> Vec<String> {
    let Some(first) = found.files.first() else {
        return Vec::new();
    };
    let mut lines: Vec<String> = found
        .files
        .iter()
        .take(5)
        .map(|file| {
            format!(
                "Model file: {} ({}.{} GB)",
                escape::line(&file.path.display().to_string()),
                file.bytes / 1_000_000_000,
                file.bytes % 1_000_000_000 / 100_000_000
            )
        })
        .collect();
    if found.files.len() > 5 || found.cut {
        lines.push(format!(
            "and {}{} more",
            found.files.len().saturating_sub(5),
            if found.cut { " or" } else { "" }
        ));
    }
    lines.push(format!(
        "Convergio does not run such files itself yet. Until then: `llama-server -m {} --port 8080`, \
         then `cv provider add llama --kind openai --base-url http://127.0.0.1:8080/v1 --local \
         --model NAME --default`; or Ollama",
        escape::line(&first.path.display().to_string())
    ));
    lines
}

/// What is proposed for everything that is not given and not chosen yet.
fn propose(given: &Plan, found: &Found) -> Plan {
    let chosen = found
        .budgets
        .iter()
        .any(|budget| budget.window == "day" && budget.chosen);
    let usable = found
        .models
        .iter()
        .find(|model| model.unavailable.is_none())
        .map(|model| model.name.clone());
    Plan {
        // A policy always holds; it is changed only where somebody says so.
        policy: given.policy,
        daily_nano_usd: given
            .daily_nano_usd
            .or_else(|| (!chosen).then_some(1_000_000_000)),
        default_model: given
            .default_model
            .clone()
            .or_else(|| found.default_model.is_none().then_some(usable).flatten()),
    }
}

fn current(proposed: &Plan, found: &Found) -> Current {
    Current {
        policy: PolicyArg::ALL
            .into_iter()
            .find(|policy| policy.name() == found.policy)
            .unwrap_or(PolicyArg::LocalFirst),
        cap_nano_usd: found
            .budgets
            .iter()
            .find(|budget| budget.window == "day")
            .map_or(1_000_000_000, |budget| budget.limit_nano_usd),
        model: proposed
            .default_model
            .clone()
            .or_else(|| found.default_model.clone()),
        known: found.default_model.clone(),
    }
}

fn only_tell(
    proposed: &Plan,
    found: &Found,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    if matches!(format, Format::Json | Format::Ndjson) {
        context.answer.json(&document(found, &[], Some(proposed)))?;
        return Ok(Exit::Ok);
    }
    if found.models.iter().all(|model| model.unavailable.is_some()) {
        context.answer.say(
            "No model can be asked yet. Local: install Ollama and `ollama pull` a model. \
             Cloud: `export ANTHROPIC_API_KEY=…`. Rules review without one: `cv review`",
        )?;
    }
    context.answer.say(&if proposed.is_empty() {
        "Everything is chosen already. Change it: `cv setup --help`".to_owned()
    } else {
        format!(
            "Nothing was written. To write this: `{}`",
            proposed.command()
        )
    })?;
    Ok(Exit::Ok)
}

/// Writes the settings one by one; each can be taken back.
fn write(
    plan: &Plan,
    found: &Found,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let set = |key: &str, value: String| ConfigSetParams {
        key: key.to_owned(),
        value,
        expected_rev: None,
    };
    let mut settings = Vec::new();
    if let Some(policy) = plan.policy {
        settings.push(set("models.policy", policy.name().to_owned()));
    }
    if let Some(model) = &plan.default_model {
        settings.push(set("models.default", model.clone()));
    }
    let cap = plan.daily_nano_usd.map(|nano| BudgetSetParams {
        window: "day".to_owned(),
        limit_usd: money::dollars(nano),
        ..BudgetSetParams::default()
    });
    daemon::call(
        context,
        Start::IfNeeded,
        "writing the settings",
        |client: Client| async move {
            for params in &settings {
                client.call::<ConfigSet>(params).await?;
            }
            if let Some(params) = &cap {
                client.call::<BudgetSet>(params).await?;
            }
            Ok::<_, ClientError>(())
        },
    )?;
    let lines = plan.lines();
    if matches!(format, Format::Json | Format::Ndjson) {
        context.answer.json(&document(found, &lines, None))?;
        return Ok(Exit::Ok);
    }
    for line in &lines {
        let text = context.answer.layout.pieces(
            &[
                Piece::new("", format!("Wrote {line}"), Role::Good),
                Piece::new(" · ", "back: cv undo", Role::Plain),
            ],
            2,
        );
        context.answer.write(&text)?;
    }
    context.answer.flush()?;
    context.notes.note("Try it: cv ask \"hello\"");
    Ok(Exit::Ok)
}

fn document(found: &Found, written: &[String], proposed: Option<&Plan>) -> serde_json::Value {
    json!({
        "v": 1,
        "type": "completed",
        "providers": found.providers,
        "models": found.models,
        "default_model": found.default_model,
        "policy": found.policy,
        "budgets": found.budgets,
        "model_files": found
            .files
            .files
            .iter()
            .map(|file| json!({"path": file.path.display().to_string(), "bytes": file.bytes}))
            .collect::<Vec<_>>(),
        "written": written,
        "command": proposed.filter(|plan| !plan.is_empty()).map(Plan::command),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(chosen: bool, default_model: Option<&str>) -> Found {
        Found {
            providers: Vec::new(),
            models: vec![ModelInfo {
                name: "ollama/tiny".to_owned(),
                provider: "ollama".to_owned(),
                model: "tiny".to_owned(),
                local: true,
                context: None,
                max_output: None,
                price_nano_usd_per_million: std::collections::BTreeMap::new(),
                capabilities: None,
                tags: Vec::new(),
                price_tiers: Vec::new(),
                priced_by: None,
                default: false,
                unavailable: None,
            }],
            default_model: default_model.map(str::to_owned),
            policy: "local-first".to_owned(),
            budgets: vec![BudgetInfo {
                window: "day".to_owned(),
                limit_nano_usd: 1_000_000_000,
                posted_nano_usd: 0,
                pending_nano_usd: 0,
                chosen,
                ..BudgetInfo::default()
            }],
            files: gguf::Found::default(),
        }
    }

    #[test]
    fn only_what_nobody_chose_is_proposed() {
        let fresh = propose(&Plan::default(), &found(false, None));
        assert_eq!(
            fresh.command(),
            "cv setup --daily-usd 1.00 --default-model ollama/tiny --yes"
        );
        assert!(propose(&Plan::default(), &found(true, Some("a/b"))).is_empty());
        let given = Plan {
            daily_nano_usd: Some(5_000_000_000),
            ..Plan::default()
        };
        let plan = propose(&given, &found(true, Some("a/b")));
        assert_eq!(plan.lines(), ["budget.daily_usd = \"5.00\""]);
    }

    #[test]
    fn the_caps_are_those_that_hold_for_everybody() {
        let mut found = found(true, None);
        for (scope, key, window) in [
            ("token", "claude-1", "total"),
            ("provider", "acme", "month"),
        ] {
            found.budgets.push(BudgetInfo {
                scope: scope.to_owned(),
                scope_key: key.to_owned(),
                window: window.to_owned(),
                limit_nano_usd: 7_000_000_000,
                chosen: true,
                ..BudgetInfo::default()
            });
        }
        let text = table(&found).text(crate::output::layout::Layout::default());
        assert!(text.contains("$1.00 a day"), "{text}");
        assert!(text.contains("$7.00 a month of acme"), "{text}");
        assert!(!text.contains("total"), "{text}");
    }

    #[test]
    fn model_files_are_told_with_what_can_be_done() {
        let files = gguf::Found {
            files: vec![gguf::ModelFile {
                path: "/m/a.gguf".into(),
                bytes: 4_900_000_000,
            }],
            cut: false,
        };
        let lines = files_lines(&files).join("\n");
        assert!(lines.contains("/m/a.gguf (4.9 GB)"), "{lines}");
        assert!(
            lines.contains("does not run such files itself yet"),
            "{lines}"
        );
        assert!(lines.contains("llama-server -m /m/a.gguf"), "{lines}");
    }
}
