//! `cv models prices`

use std::{
    io,
    path::{Path, PathBuf},
};

use convergio_client::Client;
use convergio_contract::{
    method::Empty,
    price::{
        LIST_MAX_BYTES, PriceChange, PricesChanged, PricesInForce, PricesRollback, PricesShow,
        PricesUpdate, PricesUpdateParams, SIGNATURE_MAX_BYTES,
    },
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    local_time, money,
    output::paint::Role,
    table::{Cell, Format, Table, cell, show, styled},
    whole_file::{self, Unread},
};

/// What to do with prices.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Takes a list that a trusted key signed and that is newer than what is in force.
    ///
    /// Whose lists are taken: `cv config set prices.trusted_keys KEY`. No key is built in. What was
    /// spent keeps the prices of its time.
    Update {
        /// The list, with its signature beside it (`LIST.minisig`), or the address of one.
        #[arg(value_name = "FILE|URL", value_hint = clap::ValueHint::AnyPath)]
        from: String,
    },
    /// Goes back to the list before, else to the prices of this release.
    Rollback,
}

/// Does it.
pub fn run(verb: Option<Verb>, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    match verb {
        None => {
            let in_force = daemon::call(
                context,
                Start::IfNeeded,
                "asking for the prices",
                |client: Client| async move { client.call::<PricesShow>(&Empty {}).await },
            )?;
            let table = Table {
                headers: Vec::new(),
                rows: rows(&in_force),
            };
            show(&mut context.answer, format, &table, &in_force, None)?;
        }
        Some(Verb::Update { from }) => {
            let params = params(&from)?;
            let changed = daemon::call(
                context,
                Start::IfNeeded,
                "taking the list of prices",
                |client: Client| async move { client.call::<PricesUpdate>(&params).await },
            )?;
            print(&changed, format, context)?;
        }
        Some(Verb::Rollback) => {
            let changed = daemon::call(
                context,
                Start::IfNeeded,
                "going back to other prices",
                |client: Client| async move { client.call::<PricesRollback>(&Empty {}).await },
            )?;
            print(&changed, format, context)?;
        }
    }
    Ok(Exit::Ok)
}

fn params(from: &str) -> Result<PricesUpdateParams, Failure> {
    if from.starts_with("https://") || from.starts_with("http://") {
        return Ok(PricesUpdateParams {
            url: Some(from.to_owned()),
            ..PricesUpdateParams::default()
        });
    }
    let mut signature = PathBuf::from(from).into_os_string();
    signature.push(".minisig");
    Ok(PricesUpdateParams {
        text: Some(read(Path::new(from), LIST_MAX_BYTES)?),
        signature: Some(read(Path::new(&signature), SIGNATURE_MAX_BYTES)?),
        url: None,
    })
}

fn read(path: &Path, max: usize) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        let failed = Failure::io("read", path, &error, Hint::PRICES_HELP);
        match error.kind() {
            io::ErrorKind::NotFound => Failure {
                kind: Kind::NotFound,
                ..failed
            },
            _ => failed,
        }
    };
    let bytes = whole_file::read(path, max as u64).map_err(|unread| match unread {
        Unread::Io(error) => failed(error),
        Unread::Endless => Failure::new(
            Kind::Usage,
            format!("{} is not a regular file", path.display()),
            "a pipe or a device may never end",
            Hint::PRICES_HELP,
        ),
        Unread::TooLarge => Failure::new(
            Kind::TooLarge,
            format!("{} is too large", path.display()),
            format!("it may have {max} bytes at most"),
            Hint::PRICES_HELP,
        ),
    })?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            Kind::Usage,
            format!("{} is no list of prices", path.display()),
            "it is no text",
            Hint::PRICES_HELP,
        )
    })
}

fn rows(in_force: &PricesInForce) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut add = |name: &str, value: Cell| rows.push(vec![styled(name, Role::Dim), value]);
    let list = in_force.origin == "list";
    let publisher = in_force.publisher.as_deref().unwrap_or("nobody");
    add(
        "in force",
        styled(
            if list {
                format!("a list by {publisher}")
            } else {
                "the prices of this release".to_owned()
            },
            Role::Strong,
        ),
    );
    add("of", cell(local_time(in_force.issued_ms)));
    if let Some(taken) = in_force.taken_ms {
        add("taken", cell(local_time(taken)));
    }
    if let Some(key) = &in_force.key {
        let trusted = in_force.key_trusted == Some(true);
        add(
            "signed by",
            if trusted {
                cell(key.as_str())
            } else {
                styled(
                    format!("{key}, which is trusted no more: cv models prices rollback"),
                    Role::Warning,
                )
            },
        );
    }
    if let Some(sha256) = &in_force.sha256 {
        add("sha256", cell(sha256.as_str()));
    }
    add("models", cell(in_force.models.to_string()));
    if in_force.trusted_keys.is_empty() {
        let none = "nobody: cv config set prices.trusted_keys KEY";
        add("lists of", cell(none));
    }
    for key in &in_force.trusted_keys {
        add("lists of", cell(key.as_str()));
    }
    if let Some(problem) = &in_force.problem {
        add("problem", styled(problem.as_str(), Role::Bad));
    }
    rows
}

fn print(changed: &PricesChanged, format: Format, context: &mut Context) -> Result<(), Failure> {
    if matches!(format, Format::Json | Format::Ndjson) {
        let table = Table::default();
        return show(&mut context.answer, format, &table, changed, None);
    }
    let now = &changed.in_force;
    let what = match &now.publisher {
        Some(publisher) => format!("the list of {} by {publisher}", local_time(now.issued_ms)),
        None => "the prices of this release".to_owned(),
    };
    context.answer.say(&format!(
        "In force: {what}. Models that changed: {}",
        changed.changed
    ))?;
    if !changed.changes.is_empty() {
        let table = Table {
            headers: vec!["model", "$ per million in / out before", "now"],
            rows: changed.changes.iter().map(change).collect(),
        };
        show(&mut context.answer, format, &table, changed, None)?;
    }
    context.answer.flush()
}

fn change(change: &PriceChange) -> Vec<Cell> {
    let both = |prices: &std::collections::BTreeMap<String, i64>| {
        let of = |class: &str| prices.get(class).map(|nano| money::decimal(*nano));
        match (of("in_uncached"), of("out_text")) {
            (Some(input), Some(output)) => format!("{input} / {output}"),
            _ => "no price".to_owned(),
        }
    };
    vec![
        styled(change.name.as_str(), Role::Strong),
        cell(both(&change.before)),
        cell(both(&change.after)),
    ]
}
