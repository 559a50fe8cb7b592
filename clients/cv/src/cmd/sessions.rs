//! `cv sessions`

use convergio_client::Client;
use convergio_contract::{
    Uuid,
    session::{
        SessionDelete, SessionDeleteParams, SessionGet, SessionGetParams, SessionGetResponse,
        SessionList, SessionListParams,
    },
};
use serde_json::json;

use super::latest;
use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    local_time,
    markdown::Screen,
    output::{escape, paint::Role},
    render::words::count,
    table::{Format, Table, cell, show, styled},
};

/// Lists, shows and removes conversations.
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

/// What to do with conversations.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Lists this folder's conversations, latest first.
    List {
        /// Those of all folders.
        #[arg(long)]
        all: bool,
        /// At most this many.
        #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Shows one with its messages.
    Show {
        /// The conversation.
        #[arg(value_name = "ID", value_parser = crate::cli::session_id)]
        session_id: Uuid,
    },
    /// Removes one for good, with its messages; what was spent stays in the ledger.
    Rm {
        /// The conversation.
        #[arg(value_name = "ID", value_parser = crate::cli::session_id)]
        session_id: Uuid,
    },
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let verb = args.verb.unwrap_or(Verb::List {
        all: false,
        limit: 20,
    });
    match verb {
        Verb::List { all, limit } => list(all, limit, args.format, context),
        Verb::Show { session_id } => {
            let params = SessionGetParams { session_id };
            let found = daemon::call(
                context,
                Start::IfNeeded,
                "asking for the conversation",
                |client: Client| async move { client.call::<SessionGet>(&params).await },
            )?;
            one(&found, args.format, context)
        }
        Verb::Rm { session_id } => {
            let params = SessionDeleteParams { session_id };
            let removed = daemon::call(
                context,
                Start::IfNeeded,
                "removing the conversation",
                |client: Client| async move { client.call::<SessionDelete>(&params).await },
            )?;
            if matches!(args.format, Format::Json | Format::Ndjson) {
                context.answer.json(&json!({
                    "v": 1, "type": "completed",
                    "session_id": session_id, "messages": removed.messages,
                }))?;
            } else {
                context.answer.say(&format!(
                    "Removed the conversation with {}, for good: there is no way back",
                    count(removed.messages.into(), "message", "messages")
                ))?;
            }
            Ok(Exit::Ok)
        }
    }
}

fn list(all: bool, limit: u32, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    let root = if all {
        None
    } else {
        Some(latest::root(context)?.1)
    };
    let params = SessionListParams {
        root,
        cursor: None,
        limit: Some(limit),
    };
    let listed = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the conversations",
        |client: Client| async move { client.call::<SessionList>(&params).await },
    )?;
    if listed.sessions.is_empty() && matches!(format, Format::Text | Format::Md) {
        context.answer.say(if all {
            "No conversations yet. First one: `cv ask \"hello\"`"
        } else {
            "No conversations in this folder yet. First one: `cv ask \"hello\"`. \
             Elsewhere: `cv sessions list --all`"
        })?;
        return Ok(Exit::Ok);
    }
    let mut headers = vec!["conversation", "latest", "messages"];
    if all {
        headers.push("where");
    }
    headers.push("began with");
    let table = Table {
        headers,
        rows: listed
            .sessions
            .iter()
            .map(|session| {
                let mut row = vec![
                    cell(session.session_id.to_string()),
                    cell(local_time(session.updated_ms)),
                    cell(session.messages.to_string()),
                ];
                if all {
                    row.push(cell(session.root.as_str()));
                }
                row.push(styled(session.title.as_str(), Role::Strong));
                row
            })
            .collect(),
    };
    show(
        &mut context.answer,
        format,
        &table,
        &listed,
        Some(("sessions", "session")),
    )?;
    if listed.cursor.is_some() {
        context
            .notes
            .note("There are more: cv sessions list -n 500");
    }
    Ok(Exit::Ok)
}

fn one(found: &SessionGetResponse, format: Format, context: &mut Context) -> Result<Exit, Failure> {
    if matches!(format, Format::Json | Format::Ndjson) {
        show(
            &mut context.answer,
            format,
            &Table::default(),
            found,
            Some(("messages", "message")),
        )?;
        return Ok(Exit::Ok);
    }
    if found.messages_more > 0 {
        context.notes.note(&format!(
            "{} before these",
            count(found.messages_more.into(), "message", "messages")
        ));
    }
    for message in &found.messages {
        let who = match (message.role.as_str(), &message.model) {
            ("user", _) => "You".to_owned(),
            (role, None) => escape::line(role).into_owned(),
            (_, Some(model)) => escape::line(model).into_owned(),
        };
        let head = format!("{who} · {}", local_time(message.created_ms));
        let layout = context.answer.layout;
        if format == Format::Md {
            context.answer.line(&format!("## {head}\n"))?;
        } else {
            context.answer.write(&layout.text(&head, Role::Dim, 2))?;
        }
        if context.answer.is_terminal && format == Format::Text {
            let mut screen = Screen::new(layout);
            let mut text = screen.push(&message.text);
            text.push_str(&screen.end());
            context.answer.write(&text)?;
        } else {
            context.answer.line(&escape::shown(&message.text))?;
        }
        context.answer.line("")?;
    }
    context.answer.flush()?;
    context.notes.note(&format!(
        "Go on: cv ask --session {} \"…\"",
        found.session.session_id
    ));
    Ok(Exit::Ok)
}
