//! `cv usage verify`

use convergio_client::Client;
use convergio_contract::{
    ErrorCode,
    books::{UsageVerify, UsageVerifyResponse},
    method::Empty,
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    money,
    render::words::{count, grouped},
    table::{Format, Table, cell, show},
};

/// Checks the books: every number, hash, cached figure, cost and price; exit 70 where one is wrong.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Verifies.
pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let found = daemon::call(
        context,
        Start::IfNeeded,
        "replaying the books",
        |client: Client| async move { client.call::<UsageVerify>(&Empty {}).await },
    )?;
    let lines = wrong(&found);
    if found.sound && matches!(args.format, Format::Text | Format::Md) {
        let head = found.head.as_deref().map_or_else(String::new, |head| {
            format!("; the last one's hash is {head}")
        });
        let rows = count(found.rows, "row", "rows");
        context
            .answer
            .say(&format!("The books are sound: {rows}{head}."))?;
        return Ok(Exit::Ok);
    }
    let table = Table {
        headers: Vec::new(),
        rows: lines.iter().map(|line| vec![cell(line.as_str())]).collect(),
    };
    show(&mut context.answer, args.format, &table, &found, None)?;
    match (found.sound, args.format) {
        (true, _) => Ok(Exit::Ok),
        (false, Format::Json | Format::Ndjson) => Ok(Exit::Internal),
        (false, _) => Err(Failure::new(
            Kind::Rpc(ErrorCode::StorageError),
            "The books are not what was written",
            lines.first().cloned().unwrap_or_default(),
            Hint::RESTORE,
        )),
    }
}

fn wrong(found: &UsageVerifyResponse) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(seq) = found.first_bad_seq {
        let why = found.why.as_deref().unwrap_or("it is not what was written");
        lines.push(format!(
            "row {seq}: {why}; the {} before it are sound",
            grouped(found.rows)
        ));
    }
    for one in &found.differences {
        lines.push(format!(
            "budget {}: {} spent and {} held are cached, the rows say {} and {}",
            one.budget_id,
            money::exact(one.cached_posted_nano_usd),
            money::exact(one.cached_pending_nano_usd),
            money::exact(one.posted_nano_usd),
            money::exact(one.pending_nano_usd)
        ));
    }
    let attempts = found.attempts.iter();
    lines.extend(attempts.map(|one| {
        let row = one
            .seq
            .map_or_else(String::new, |seq| format!(" (row {seq})"));
        format!("attempt {}{row}: {}", one.attempt_id, one.why)
    }));
    let prices = found.prices.iter();
    lines.extend(prices.map(|id| format!("prices {id}: they were changed")));
    let adjustments = found.adjustments.iter();
    lines.extend(adjustments.map(|seq| format!("row {seq}: no invoice stands behind it")));
    lines
}
