//! `cv usage reconcile`: a provider's invoice beside the books.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use convergio_client::Client;
use convergio_contract::{
    ErrorCode,
    books::{
        INVOICE_MAX_BYTES, UsageDifference, UsageReconcile, UsageReconcileParams,
        UsageReconcileResponse,
    },
};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind, describe},
    exit::Exit,
    git::advice::in_shell,
    hint::Hint,
    money,
    output::{escape, paint::Role},
    render::words::{count, grouped},
    table::{Cell, Format, Table, cell, show, styled},
    terminal,
    whole_file::{self, Unread},
    wire,
};

/// Compares the books with a provider's export; changes nothing without --apply.
///
/// Reads CSV and JSON of Anthropic's and OpenAI's usage and cost reports, and a CSV of our own:
/// day,provider,model,resource,quantity,amount_usd. A day agrees where it differs by 1 % or a cent
/// at most, whichever is more.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The export.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The provider as it is configured here, where the file names none or another one.
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Correct the books: rows are added, none is changed.
    #[arg(long)]
    pub apply: bool,
    /// Do not ask before correcting.
    #[arg(long, requires = "apply")]
    pub yes: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Compares.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    let path = context.folder()?.join(&args.file);
    let mut params = UsageReconcileParams {
        file: wire::blob(read(&path)?, "The export")?,
        provider: args.provider,
        apply: None,
    };
    let found = compare(params.clone(), context)?;
    let again = again(&args.file, params.provider.as_deref());
    let over = is_over(&found);
    let for_people = matches!(args.format, Format::Text | Format::Md);
    if !args.apply || found.adjust_nano_usd == 0 && found.differences.is_empty() {
        print(&found, args.format, context)?;
        if for_people && !args.apply && correctable(&found) > 0 && !over {
            context.notes.note(&format!(
                "Nothing can be corrected yet: the file speaks of {}, and only days that are over \
                 in UTC are corrected",
                escape::line(found.last_day.as_deref().unwrap_or_default())
            ));
        } else if for_people && !args.apply && correctable(&found) > 0 {
            context.notes.note(&format!(
                "Nothing was changed. Correct the books by {}: add --apply",
                money::signed(found.adjust_nano_usd)
            ));
        }
        return Ok(Exit::Ok);
    }
    if for_people {
        print(&found, args.format, context)?;
    }
    if correctable(&found) > 0 {
        // Days that are not over are refused whatever is agreed to.
        if !args.yes && over && !agreed(&found, &again)? {
            context.notes.note("Nothing was changed.");
            return Ok(Exit::Ok);
        }
        params.apply = Some(found.digest.clone());
    }
    let found = match params.apply {
        Some(_) => compare(params, context)?,
        None => found,
    };
    if for_people {
        let text = format!(
            "Corrected the books by {} in {}",
            money::signed(found.adjust_nano_usd),
            count(found.adjusted.len() as u64, "added row", "added rows")
        );
        context.answer.say(&text)?;
        context.notes.note(
            "Rows of the books are never taken out: an export with the former amounts, applied, \
             corrects them back.",
        );
    } else {
        show(
            &mut context.answer,
            args.format,
            &Table::default(),
            &found,
            Some(("differences", "difference")),
        )?;
    }
    Ok(Exit::Ok)
}

fn compare(
    params: UsageReconcileParams,
    context: &mut Context,
) -> Result<UsageReconcileResponse, Failure> {
    daemon::call(
        context,
        Start::IfNeeded,
        "comparing with the books",
        |client: Client| async move { client.call::<UsageReconcile>(&params).await },
    )
}

fn correctable(found: &UsageReconcileResponse) -> u64 {
    let shown = found.differences.iter();
    let shown = shown.filter(|one| one.adjust_nano_usd.is_some_and(|nano| nano != 0));
    shown.count() as u64
}

/// Whether every day of the file is over, in UTC.
fn is_over(found: &UsageReconcileResponse) -> bool {
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    // Such texts compare as their days do.
    found.last_day.as_ref().is_none_or(|last| *last < today)
}

/// The same command with a yes in it.
fn again(file: &Path, provider: Option<&str>) -> Hint {
    let provider = provider.map_or_else(String::new, |name| {
        format!(" --provider {}", in_shell(name))
    });
    let file = in_shell(&file.to_string_lossy());
    Hint::of_this_place(format!(
        "`cv usage reconcile{provider} --apply --yes {file}`, once you have seen what it would \
         do"
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: String| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read", path.display()),
            why,
            Hint::RECONCILE_HELP,
        )
    };
    let most = INVOICE_MAX_BYTES as u64;
    whole_file::read(path, most).map_err(|unread| match unread {
        Unread::Io(error) => failed(describe(&error)),
        Unread::Endless => {
            failed("it is no plain file: a pipe or a device may never end".to_owned())
        }
        Unread::TooLarge => Failure::new(
            Kind::TooLarge,
            format!("{} is too large", path.display()),
            format!("{} MiB are read at most", most / 1024 / 1024),
            Hint::RECONCILE_HELP,
        ),
    })
}

/// Whether the person at the terminal wants it.
fn agreed(found: &UsageReconcileResponse, again: &Hint) -> Result<bool, Failure> {
    let nobody = || {
        Failure::new(
            Kind::Rpc(ErrorCode::ConsentRequired),
            "Nothing was changed",
            "correcting the books needs a person's yes, and there is no terminal",
            again.clone(),
        )
    };
    if !terminal::can_ask() {
        return Err(nobody());
    }
    let mut tty = terminal::open().map_err(|_| nobody())?;
    let question = terminal::Question::default();
    let asked = write!(
        tty,
        "Correct the books by {} in {}? [y/N] ",
        money::signed(found.adjust_nano_usd),
        count(correctable(found), "row", "rows")
    )
    .and_then(|()| terminal::line(&mut tty));
    let answer = asked.map_err(|_| nobody())?;
    question.answered();
    let answer = answer.unwrap_or_default();
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

fn print(
    found: &UsageReconcileResponse,
    format: Format,
    context: &mut Context,
) -> Result<(), Failure> {
    let for_people = matches!(format, Format::Text | Format::Md);
    if for_people && found.differences.is_empty() {
        let text = if found.first_day.is_none() {
            "The file has no lines: there is nothing to compare.".to_owned()
        } else {
            format!(
                "The books agree on {}: {} here, {} by the provider.",
                count(found.days_within, "day", "days"),
                money::shown(found.local_nano_usd),
                money::shown(found.remote_nano_usd)
            )
        };
        context.answer.say(&text)?;
    } else {
        show(
            &mut context.answer,
            format,
            &table(found),
            found,
            Some(("differences", "difference")),
        )?;
    }
    if for_people {
        for note in notes(found) {
            context.notes.note(&note);
        }
    }
    Ok(())
}

fn notes(found: &UsageReconcileResponse) -> Vec<String> {
    let mut notes = Vec::new();
    if !found.differences.is_empty() {
        let days = match (&found.first_day, &found.last_day) {
            (Some(first), Some(last)) => {
                format!("{} to {} (UTC)", escape::line(first), escape::line(last))
            }
            _ => String::new(),
        };
        notes.push(format!(
            "{days}: {} here, {} by the provider; {} within 1 % or a cent",
            money::exact(found.local_nano_usd),
            money::exact(found.remote_nano_usd),
            count(found.days_within, "day agrees", "days agree")
        ));
    }
    if found.differences_more > 0 {
        let more = count(found.differences_more, "more differs", "more differ");
        notes.push(format!("{more}, not shown"));
    }
    if found.open > 0 {
        let calls = count(found.open, "call", "calls");
        notes.push(format!(
            "{calls} of these days not settled yet: compare again later"
        ));
    }
    let unsaid = found.differences.iter().any(|one| !one.remote_said);
    if unsaid {
        notes.push(
            "(by our prices): the file names quantities only, so nothing of it is corrected"
                .to_owned(),
        );
    }
    notes
}

fn table(found: &UsageReconcileResponse) -> Table {
    Table {
        headers: vec!["day", "model", "what", "here", "provider", "difference"],
        rows: found.differences.iter().map(row).collect(),
    }
}

fn row(one: &UsageDifference) -> Vec<Cell> {
    let model = one.model.as_deref().unwrap_or("all models");
    let remote = match one.remote_nano_usd {
        Some(nano) if one.remote_said => money::exact(nano),
        Some(nano) => format!("{} (by our prices)", money::exact(nano)),
        None => "not priced".to_owned(),
    };
    let mut difference = match one.remote_nano_usd {
        Some(nano) => money::signed(nano.saturating_sub(one.local_nano_usd)),
        None => "–".to_owned(),
    };
    for (resource, quantity) in &one.remote {
        let here = one.local.get(resource).copied().unwrap_or(0);
        if here != *quantity {
            difference.push_str(&format!(
                " · {resource}: {} here, {} there",
                grouped(here),
                grouped(*quantity)
            ));
        }
    }
    vec![
        cell(one.day.as_str()),
        cell(format!("{}/{model}", one.provider)),
        styled(one.drift.as_str(), Role::Warning),
        cell(format!(
            "{} in {}",
            money::exact(one.local_nano_usd),
            count(one.attempts, "call", "calls")
        )),
        cell(remote),
        styled(difference, Role::Strong),
    ]
}
