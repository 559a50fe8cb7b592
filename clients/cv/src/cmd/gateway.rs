//! `cv gateway`

use convergio_client::Client;
use convergio_contract::{
    method::Empty,
    token::{GatewayStatus, GatewayStatusResponse},
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::Failure,
    exit::Exit,
    table::Format,
};

/// Shows whether programs that speak OpenAI's or Anthropic's wire are served, and where.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Does it.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let status = daemon::call(
        context,
        Start::IfNeeded,
        "asking for the gateway",
        |client: Client| async move { client.call::<GatewayStatus>(&Empty {}).await },
    )?;
    if matches!(args.format, Format::Json | Format::Ndjson) {
        context.answer.json(&status)?;
    } else {
        context.answer.say(&said(&status))?;
    }
    context.answer.flush()?;
    Ok(Exit::Ok)
}

fn said(status: &GatewayStatusResponse) -> String {
    match (&status.url, status.enabled) {
        (Some(url), true) => format!(
            "The gateway listens at {url}: {} requests, {} connections. A token: `cv token create NAME`",
            status.requests, status.connections
        ),
        (Some(url), false) => format!(
            "The gateway listens at {url} for guarded programs alone. For others: `cv config set gateway.enabled true`"
        ),
        (None, true) => format!(
            "The gateway does not listen: {}; it is tried again. Another port: \
             `cv config set gateway.port 0` takes a free one",
            status.error.as_deref().unwrap_or("the daemon is ending")
        ),
        (None, false) => "The gateway is off. Always on: `cv config set gateway.enabled true`. \
                          For one program: `cv guard --max 5 -- claude`"
            .to_owned(),
    }
}
