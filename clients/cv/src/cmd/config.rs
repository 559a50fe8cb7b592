//! `cv config`

use std::{path::PathBuf, process::Command};

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    config::{
        ConfigChanged, ConfigExplain, ConfigExplainParams, ConfigExplainResponse, ConfigGet,
        ConfigGetParams, ConfigGetResponse, ConfigSet, ConfigSetParams, ConfigUnset,
        ConfigUnsetParams, ConfigValue,
    },
    health::HealthGet,
    method::Empty,
    undo::{UndoFile, UndoPutParams},
};

use super::fix;
use crate::{
    context::Context,
    daemon::{self, Start},
    edit::{Place, sha256},
    error::{Failure, Kind, describe},
    exit::Exit,
    hint::Hint,
    output::{escape, paint::Role},
    table::{Format, Table, cell, show, styled},
    wire,
};

/// Shows and changes settings.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
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

/// What to do with settings.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Shows one value, or all.
    Get {
        /// For instance `review.max_findings`.
        #[arg(value_hint = clap::ValueHint::Other)]
        key: Option<String>,
    },
    /// Sets a value in your file.
    Set {
        /// For instance `review.max_findings`.
        #[arg(value_hint = clap::ValueHint::Other)]
        key: String,
        /// The value.
        #[arg(allow_hyphen_values = true, value_hint = clap::ValueHint::Other)]
        value: String,
    },
    /// Removes a value from your file.
    Unset {
        /// For instance `review.max_findings`.
        #[arg(value_hint = clap::ValueHint::Other)]
        key: String,
    },
    /// Says what a key does, where its value comes from, and what every layer says.
    Explain {
        /// For instance `review.max_findings`.
        #[arg(value_hint = clap::ValueHint::Other)]
        key: String,
    },
    /// Prints the path of your file.
    Path,
    /// Opens your file in your editor.
    Edit,
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    match args.verb {
        Verb::Get { key } => get(key, args.format, context),
        Verb::Set { key, value } => {
            let params = ConfigSetParams {
                key,
                value,
                expected_rev: None,
            };
            let changed = daemon::call(
                context,
                Start::IfNeeded,
                "setting the value",
                |client: Client| async move { client.call::<ConfigSet>(&params).await },
            )?;
            report(&changed, args.format, context)
        }
        Verb::Unset { key } => {
            let params = ConfigUnsetParams {
                key,
                expected_rev: None,
            };
            let changed = daemon::call(
                context,
                Start::IfNeeded,
                "removing the value",
                |client: Client| async move { client.call::<ConfigUnset>(&params).await },
            )?;
            report(&changed, args.format, context)
        }
        Verb::Explain { key } => explain(key, args.format, context),
        Verb::Path => {
            // Not from the settings: who asks may want to mend them.
            let file = daemon::call(
                context,
                Start::IfNeeded,
                "asking for the path",
                |client: Client| async move { client.call::<HealthGet>(&Empty {}).await },
            )?
            .config_file;
            match args.format {
                Format::Text | Format::Md => context.answer.line(&escape::line(&file))?,
                Format::Json | Format::Ndjson => context
                    .answer
                    .json(&serde_json::json!({"v": 1, "type": "completed", "file": file}))?,
            }
            Ok(Exit::Ok)
        }
        Verb::Edit => edit(context),
    }
}

fn values(key: Option<String>, context: &mut Context) -> Result<ConfigGetResponse, Failure> {
    let params = ConfigGetParams { key };
    daemon::call(
        context,
        Start::IfNeeded,
        "reading the settings",
        |client: Client| async move { client.call::<ConfigGet>(&params).await },
    )
}

/// A value as a person types it.
fn typed(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "(not set)".to_owned(),
        other => other.to_string(),
    }
}

fn get(key: Option<String>, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let single = key.is_some();
    let found = values(key, context)?;
    if single
        && format == Format::Text
        && let [only] = found.values.as_slice()
    {
        context.answer.line(&escape::line(&typed(&only.value)))?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: vec!["key", "value", "from"],
        rows: found
            .values
            .iter()
            .map(|value| {
                let from = if value.layer == "default" {
                    styled("default", Role::Dim)
                } else {
                    cell(format!("{} ({})", value.layer, value.source))
                };
                vec![cell(value.key.as_str()), cell(typed(&value.value)), from]
            })
            .collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &found,
        Some(("values", "value")),
    )?;
    Ok(Exit::Ok)
}

fn report(changed: &ConfigChanged, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    match format {
        Format::Text | Format::Md => {
            let ConfigValue {
                key, value, layer, ..
            } = &changed.value;
            let what = format!(
                "{} = {} ({})",
                escape::line(key),
                escape::line(&typed(value)),
                escape::line(layer)
            );
            fix::done(&what, context)?;
        }
        Format::Json | Format::Ndjson => {
            show(
                &mut context.answer,
                format,
                &Table::default(),
                changed,
                None,
            )?;
        }
    }
    Ok(Exit::Ok)
}

fn explain(key: String, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let params = ConfigExplainParams { key };
    let told: ConfigExplainResponse = daemon::call(
        context,
        Start::IfNeeded,
        "reading the settings",
        |client: Client| async move { client.call::<ConfigExplain>(&params).await },
    )?;
    let row = |name: &'static str, text: String| vec![styled(name, Role::Dim), cell(text)];
    let mut rows = vec![
        row("Key", told.effective.key.clone()),
        row("Does", told.doc.clone()),
        row("Accepts", told.accepts.clone()),
        row("Value", typed(&told.effective.value)),
        row(
            "From",
            format!("{} ({})", told.effective.layer, told.effective.source),
        ),
    ];
    for layer in &told.layers {
        rows.push(row(
            "Layer",
            format!(
                "{}: {} ({})",
                layer.layer,
                typed(&layer.value),
                layer.source
            ),
        ));
    }
    if told.fixed_by_policy {
        rows.push(row(
            "Policy",
            "your organization fixes this value; your file cannot change it".to_owned(),
        ));
    }
    let table = Table {
        headers: Vec::new(),
        rows,
    };
    show(&mut context.answer, format, &table, &told, None)?;
    Ok(Exit::Ok)
}

/// The editor works on a copy, so that the way back is stored before the file itself changes.
fn edit(context: &mut Context) -> Result<Exit, Failure> {
    use std::io::IsTerminal;
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(
            Kind::Usage,
            "There is nobody to edit",
            "an editor needs a terminal on stdin",
            Hint::EDITOR,
        ));
    }
    let file = PathBuf::from(values(None, context)?.file);
    let place = Place::absolute(&file, true)?;
    let found = place.read()?;
    let before = found.as_ref().map(|found| found.bytes.clone());
    let copy = file.with_file_name(format!("edit-{}.toml", Uuid::now_v7().simple()));
    let copied = Place::absolute(&copy, true)?;
    copied.write(before.as_deref().unwrap_or_default(), None)?;
    let edited = in_editor(&copy, context).and_then(|()| copied.read());
    copied.remove()?;
    let after = edited?.map(|found| found.bytes).unwrap_or_default();
    if before.as_deref().unwrap_or_default() == after {
        context.answer.say("Nothing changed")?;
        return Ok(Exit::Ok);
    }
    let params = UndoPutParams {
        undo_id: Uuid::now_v7(),
        label: "cv config edit".to_owned(),
        root: file
            .parent()
            .and_then(|folder| folder.to_str())
            .unwrap_or("/")
            .to_owned(),
        files: vec![UndoFile {
            path: place.text()?,
            before: before
                .map(|bytes| wire::blob(bytes, "The configuration"))
                .transpose()?,
            after_sha256: sha256(&after),
        }],
        silence: None,
        ended_silence: None,
    };
    fix::put_undo(params, context)?;
    place.write(&after, found.as_ref())?;
    fix::done(&format!("Changed {}", file.display()), context)?;
    // Told after it was written, because only the daemon knows what fits; undo takes it back.
    values(None, context)?;
    Ok(Exit::Ok)
}

fn in_editor(file: &std::path::Path, context: &Context) -> Result<(), Failure> {
    let editor = context.surroundings.editor.as_deref().unwrap_or("vi");
    // An editor may come with arguments of its own, so the shell splits it.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("exec {editor} \"$1\""))
        .arg("sh")
        .arg(file)
        .status();
    let why = match status {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => format!("`{editor}` ended with {status}; nothing was changed"),
        Err(error) => describe(&error),
    };
    Err(Failure::new(
        Kind::Usage,
        "The editor did not finish",
        why,
        Hint::EDITOR,
    ))
}
