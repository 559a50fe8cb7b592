//! `cv review`

use std::{collections::BTreeMap, path::Path, time::Duration};

use convergio_client::{Client, ClientOptions};
use convergio_contract::{
    Uuid,
    config::{ConfigGet, ConfigGetParams},
    finding::Severity,
    model::Policy,
    review::{ReviewLatest, ReviewLatestParams, ReviewStart, ReviewStartParams},
    run::{OnLastReaderGone, RunOptions},
};

use super::{
    answer, latest, piped, preview,
    printer::Printer,
    reviewing::{beating, stream},
    settings::{FailOn, Settings},
};
use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    git::{Selected, Wanted, advice::path_for_revision, discover::top_level, select},
    hint::Hint,
    keys::{self},
    local_time,
    output::{escape, layout::Piece, paint::Role},
    render::{Report, ReviewFormat, SeverityArg},
    spinner, stdin,
    tasks::missed,
    terminal,
    waiting::{self, Deadline},
    wire,
};

/// How long a connection that is made ahead of the diff may stay without its handshake, which
/// otherwise travels with the first request. The daemon closes those that never begin.
const HANDSHAKE_LATE_MS: u64 = 1_000;

/// Reviews changes: `git diff | cv review`, or in a repository everything not yet committed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = Exit::table())]
pub struct Args {
    /// Since a revision (`HEAD~1`), a range (`main..feature`, three dots from the merge base),
    /// or `-` for a diff on stdin.
    #[arg(value_name = "REF|RANGE|-", conflicts_with_all = ["staged", "base", "replay"])]
    pub target: Option<String>,
    /// What is staged.
    #[arg(long, conflicts_with_all = ["base", "replay"])]
    pub staged: bool,
    /// The branch and what is not committed, since the merge base with REF.
    #[arg(long, value_name = "REF", conflicts_with = "replay")]
    pub base: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: ReviewFormat,
    /// Exit 1 when a finding is at least this bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// Leave out what is less bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub min_severity: Option<SeverityArg>,
    /// After this many findings text holds back minor and nit ones; 0 for never.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = crate::cli::number)]
    pub max_findings: Option<u32>,
    /// Run the opt-in rules too.
    #[arg(long)]
    pub strict: bool,
    /// Only these rules.
    #[arg(long, value_name = "RULE,…", value_delimiter = ',', value_hint = clap::ValueHint::Other)]
    pub rules: Vec<String>,
    /// Print the last result again; nothing is reviewed.
    #[arg(long, conflicts_with = "detach")]
    pub replay: bool,
    /// Rules only, even where a model is configured.
    #[arg(long, conflicts_with_all = ["model", "focus", "max_cost", "max_output", "local_only", "dry_run"])]
    pub no_model: bool,
    /// Let this model look too: `provider/model`, as `cv models` names it.
    #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// What the model should look for above all.
    #[arg(long, value_name = "TEXT", value_hint = clap::ValueHint::Other)]
    pub focus: Option<String>,
    /// What the model may cost at most, in US dollars.
    #[arg(long, value_name = "USD", value_parser = crate::money::parse)]
    pub max_cost: Option<i64>,
    /// Tokens that each of the model's answers may have at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_output: Option<u32>,
    /// Models on this machine only.
    #[arg(long)]
    pub local_only: bool,
    /// Only say what would be sent to a model, and what it would cost.
    #[arg(long, conflicts_with_all = ["replay", "detach"])]
    pub dry_run: bool,
    /// Start the review and leave; `cv attach RUN` reads it.
    #[arg(long)]
    pub detach: bool,
    /// Keep no content: only that the review was.
    #[arg(long)]
    pub ephemeral: bool,
    /// Do not read stdin, whatever stands there.
    #[arg(long)]
    pub no_stdin: bool,
}

/// Reviews, or prints the last result.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut printer = Printer::new(args.format, context);
    if args.ephemeral {
        printer.ephemeral();
    }
    let outcome = if args.replay {
        replay(&args, context, &mut printer)
    } else {
        review(&args, context, &mut printer)
    };
    printer.close(outcome, context)
}

fn replay(args: &Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let (_, root) = latest::root(context)?;
    let (found, configured) = daemon::call(
        context,
        Start::IfNeeded,
        "looking for the last review",
        |client: Client| async move {
            let configured = client.queue::<ConfigGet>(&ConfigGetParams::default())?;
            let found = client
                .call::<ReviewLatest>(&ReviewLatestParams { root })
                .await?;
            Ok((found, configured.response().await?))
        },
    )?;
    let settings = options(args, Settings::of(&configured), printer);
    let when = local_time(found.run.ended_ms.unwrap_or(found.run.started_ms));
    if args.format == ReviewFormat::Text {
        let selection = escape::line(&found.run.selection).into_owned();
        context
            .notes
            .note(&format!("Review of {selection} ({when})"));
    }
    for event in Report::events(found) {
        printer.event(&event, &mut context.answer)?;
    }
    printer.end(settings.fail_on, context)
}

/// The settings with the options in their place.
pub fn options(args: &Args, configured: Settings, printer: &mut Printer) -> Settings {
    let settings = Settings {
        fail_on: args.fail_on.map_or(configured.fail_on, FailOn::severity),
        max_findings: args.max_findings.or(configured.max_findings),
    };
    if let Some(max_findings) = settings.max_findings {
        printer.max_findings(max_findings);
    }
    settings
}

fn review(args: &Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let folder = context.folder()?;
    let from_stdin = reads_stdin(args)?;
    let reach = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    waiting::block_on(async {
        let deadline = Deadline::from_now(deadline_ms);
        // The daemon may have to start: it does so while the diff is being made.
        let connecting = (from_stdin || top_level(&folder).is_some())
            .then(|| tokio::spawn(connect_ahead(reach.clone())));
        let change = if from_stdin {
            let reading = piped::change(&mut context.notes, folder);
            let reading = beating(printer, &mut context.answer, reading);
            deadline
                .guard("waiting for a diff on stdin", reading)
                .await?
        } else {
            let wanted = wanted(args);
            let target = args.target.clone();
            let work = waiting::on_thread(move || {
                select(&folder, &wanted).map_err(|failure| {
                    target
                        .filter(|_| failure.kind == Kind::NotFound)
                        .and_then(|text| path_for_revision(&folder, &text))
                        .unwrap_or(failure)
                })
            });
            let work = spinner::during(&mut context.notes, "Asking git for the changes", work);
            let work = beating(printer, &mut context.answer, work);
            deadline.guard("asking git for the changes", work).await?
        };
        if change.diff.iter().all(u8::is_ascii_whitespace) {
            if !args.rules.is_empty() {
                let checking = check_rules(reach, args, change.clone());
                deadline.guard("checking the rules", checking).await?;
            }
            return printer.nothing(&change.empty.0, &change.empty.1, context);
        }
        if args.format == ReviewFormat::Text || context.notes.animated {
            let header = escape::line(&change.header).into_owned();
            context
                .notes
                .pieces(&[Piece::new("", header, Role::Dim)], 2);
        }
        let connect = async {
            match connecting {
                Some(connecting) => connecting.await.unwrap_or_else(|error| {
                    Err(Failure::new(
                        Kind::Unreachable,
                        "The daemon cannot be reached",
                        error.to_string(),
                        Hint::DOCTOR,
                    ))
                }),
                None => daemon::connect(reach.clone()).await,
            }
        };
        let connect = spinner::during(&mut context.notes, "Reaching the daemon", connect);
        let mut client = deadline.guard("reaching the daemon", connect).await?;
        if let Some(told) = client.notice() {
            context.notes.note(daemon::notice(told));
        }
        let run_id = Uuid::now_v7();
        let mut params = params(args, change, run_id)?;
        if args.dry_run {
            let asking = preview::review(&client, params, args.format, context);
            return deadline.guard("asking what would be sent", asking).await;
        }
        let mut outcome = deadline
            .guard(
                "reviewing",
                Box::pin(stream(&client, &mut params, args, context, printer)),
            )
            .await;
        if let Err(failure) = &outcome
            && failure.kind == Kind::Unreachable
            && printer.report.run_id.is_none()
        {
            // The daemon may have ended while the diff was awaited. The run's id makes a second
            // start of the same run harmless.
            client = deadline
                .guard("reaching the daemon", daemon::connect(reach))
                .await?;
            outcome = deadline
                .guard(
                    "reviewing",
                    Box::pin(stream(&client, &mut params, args, context, printer)),
                )
                .await;
        }
        if let Err(failure) = &outcome
            && matches!(
                failure.kind,
                Kind::Interrupted | Kind::Timeout | Kind::ReaderGone
            )
            && !args.detach
        {
            answer::cancel(&client, run_id).await;
        }
        let Some(settings) = outcome? else {
            return Ok(Exit::Ok);
        };
        missed::hear(&client, context).await;
        let ended = printer.end(settings.fail_on, context);
        let spent = printer
            .report
            .summary
            .as_ref()
            .and_then(|summary| summary.model.as_ref())
            .is_some_and(|model| model.amount_nano_usd > 0);
        if spent && !context.notes.quiet {
            answer::tell_cap(&client, context).await;
        }
        ended
    })
}

/// Lets the daemon refuse rules that it does not know, where there is nothing to review: a
/// misspelt one must not stay silent until the first change. Nothing of it is kept.
async fn check_rules(reach: ClientOptions, args: &Args, change: Selected) -> Result<(), Failure> {
    let client = daemon::connect(reach).await?;
    let mut params = params(args, change, Uuid::now_v7())?;
    params.options.ephemeral = true;
    params.options.on_last_reader_gone = OnLastReaderGone::Cancel;
    // Nothing is worth a model's look here.
    params.no_model = true;
    params.options.keys.clear();
    // No later review is compared with this one.
    "rules".clone_into(&mut params.selection);
    let ended = async {
        // In one write: nothing of the run is kept, and once it has ended nobody finds it.
        let started = client.queue::<ReviewStart>(&params)?;
        let mut events = client.subscribe(params.run_id, 0)?;
        client.flush().await?;
        started.response().await?;
        while let Some(event) = events.next().await? {
            if event.body.is_terminal() {
                break;
            }
        }
        Ok(())
    };
    ended.await.map_err(daemon::failure)
}

/// Connects while the diff is still being made or awaited.
async fn connect_ahead(reach: ClientOptions) -> Result<Client, Failure> {
    let client = daemon::connect(reach).await?;
    let waiting = client.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(HANDSHAKE_LATE_MS)).await;
        // A connection that is lost meanwhile is noticed by the first request.
        let _ = waiting.flush().await;
    });
    Ok(client)
}

/// Whether the diff comes from stdin.
fn reads_stdin(args: &Args) -> Result<bool, Failure> {
    match args.target.as_deref() {
        Some("-") if args.no_stdin => Err(Failure::new(
            Kind::Usage,
            "`-` and --no-stdin contradict each other",
            "`-` reads the diff from stdin",
            Hint::REVIEW_HELP,
        )),
        Some("-") => Ok(true),
        Some(_) => Ok(false),
        None => Ok(!args.staged
            && args.base.is_none()
            && !args.no_stdin
            && stdin::source() == stdin::Source::Bytes),
    }
}

fn wanted(args: &Args) -> Wanted {
    match (&args.target, &args.base) {
        (Some(target), _) => Wanted::parse(target),
        (None, Some(base)) => Wanted::Base(base.clone()),
        (None, None) if args.staged => Wanted::Staged,
        (None, None) => Wanted::Default,
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(
            Kind::Usage,
            "The folder's path is not UTF-8",
            format!(
                "the daemon names folders in UTF-8, and {} is none",
                path.display()
            ),
            Hint::PIPE_A_DIFF,
        )
    })
}

fn params(args: &Args, change: Selected, run_id: Uuid) -> Result<ReviewStartParams, Failure> {
    Ok(ReviewStartParams {
        run_id,
        diff: wire::blob(change.diff, "The diff")?,
        root: text_of(&change.root)?,
        selection: change.selection,
        base_sha: change.base_sha,
        base_silences: change.base_silences,
        strict: args.strict.then_some(true),
        rules: args.rules.clone(),
        min_severity: args.min_severity.map(Severity::from),
        options: RunOptions {
            idempotency_key: None,
            on_last_reader_gone: if args.detach {
                OnLastReaderGone::Continue
            } else {
                OnLastReaderGone::Cancel
            },
            ephemeral: args.ephemeral,
            model: args.model.clone(),
            policy: args.local_only.then_some(Policy::LocalOnly),
            max_output: args.max_output,
            max_cost_nano_usd: args.max_cost,
            cost_token: None,
            cache: false,
            can_ask: !args.no_model
                && matches!(args.format, ReviewFormat::Text | ReviewFormat::Md)
                && terminal::can_ask(),
            keys: if args.no_model {
                BTreeMap::new()
            } else {
                keys::exported()
            },
        },
        no_model: args.no_model,
        focus: args.focus.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_revisions_are_told_apart() {
        assert_eq!(Wanted::parse("HEAD~1"), Wanted::Since("HEAD~1".to_owned()));
        let range = |from: &str, to: &str, from_merge_base| Wanted::Range {
            from: from.to_owned(),
            to: to.to_owned(),
            from_merge_base,
        };
        assert_eq!(Wanted::parse("a..b"), range("a", "b", false));
        assert_eq!(Wanted::parse("a...b"), range("a", "b", true));
        assert_eq!(Wanted::parse("main.."), range("main", "HEAD", false));
        assert_eq!(Wanted::parse("...b"), range("HEAD", "b", true));
    }
}
