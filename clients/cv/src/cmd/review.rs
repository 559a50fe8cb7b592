//! `cv review`

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use convergio_client::{Client, ClientError};
use convergio_contract::{
    ErrorCode, EventBody, RunEvent, Uuid,
    config::{ConfigGet, ConfigGetParams},
    finding::Severity,
    limits::DIFF_MAX_BYTES,
    review::{ReviewLatest, ReviewLatestParams, ReviewStart, ReviewStartParams},
    run::{OnLastReaderGone, RunCancel, RunCancelParams, RunOptions},
};
use serde_json::json;

use crate::{
    context::{Context, ErrorForm},
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    git::{
        Selected, Wanted,
        discover::top_level,
        select,
        selection::{SILENCES_MAX_BYTES, SILENCES_PATH, count_files},
    },
    hint::Hint,
    output::{Answer, Notes, layout::Piece, paint::Role},
    render::{
        Detail, Renderer, Report, ReviewFormat, SeverityArg, renderer, report::End, text,
        words::count,
    },
    spinner, stdin,
    waiting::{self, Deadline},
    wire,
};

/// How long a cancelled run may take to say so.
const CANCEL_MS: u64 = 2_000;
/// How often NDJSON says that the review still goes on.
const HEARTBEAT_MS: u64 = 5_000;
/// How long stdin may be silent before a person is told what is waited for.
const SILENT_STDIN_MS: u64 = 3_000;

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
    pub fail_on: Option<SeverityArg>,
    /// Leave out what is less bad.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub min_severity: Option<SeverityArg>,
    /// After this many findings text holds back minor and nit ones; 0 for never.
    #[arg(long, value_name = "N")]
    pub max_findings: Option<u32>,
    /// Run the opt-in rules too.
    #[arg(long)]
    pub strict: bool,
    /// Only these rules.
    #[arg(long, value_name = "RULE,…", value_delimiter = ',')]
    pub rules: Vec<String>,
    /// Print the last result again; nothing is reviewed.
    #[arg(long, conflicts_with = "detach")]
    pub replay: bool,
    /// Rules only, even where a model is configured.
    #[arg(long)]
    pub no_model: bool,
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

/// What to review, whatever it came from.
struct Change {
    diff: Vec<u8>,
    root: PathBuf,
    selection: String,
    base_sha: Option<String>,
    base_silences: Option<String>,
    header: String,
    empty: (String, Hint),
}

impl From<Selected> for Change {
    fn from(selected: Selected) -> Self {
        Self {
            diff: selected.diff,
            root: selected.root,
            selection: selected.selection,
            base_sha: selected.base_sha,
            base_silences: selected.base_silences,
            header: selected.header,
            empty: selected.empty,
        }
    }
}

/// Reviews, or prints the last result.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let mut printer = Printer::new(args.format, context);
    let outcome = if args.replay {
        replay(&args, context, &mut printer)
    } else {
        review(&args, context, &mut printer)
    };
    printer.close(outcome, context)
}

/// A format, what it has seen, and its failure.
pub struct Printer {
    format: ReviewFormat,
    detail: Detail,
    renderer: Box<dyn Renderer>,
    /// What is known so far.
    pub report: Report,
}

impl Printer {
    /// A printer for a format; errors on stdout are its own business from here on.
    pub fn new(format: ReviewFormat, context: &mut Context) -> Self {
        context.error_form = ErrorForm::Notes;
        let detail = Detail {
            verbose: context.global.verbose,
            ..Detail::default()
        };
        Self {
            format,
            detail,
            renderer: renderer(format, detail),
            report: Report::default(),
        }
    }

    /// Sets how many findings text shows before it holds any back. Before the first event only.
    pub fn max_findings(&mut self, max_findings: u32) {
        self.detail.max_findings = max_findings;
        self.renderer = renderer(self.format, self.detail);
    }

    /// Takes an event in and prints what the format prints on arrival.
    pub fn event(&mut self, event: &RunEvent, answer: &mut Answer) -> Result<(), Failure> {
        self.report.take(event);
        if let EventBody::Failed { .. } | EventBody::Cancelled { .. } = event.body
            && self.format != ReviewFormat::Ndjson
        {
            return Ok(());
        }
        self.renderer.event(event, answer)
    }

    /// Prints the end of a run that ended, and says how the process ends.
    pub fn end(
        &mut self,
        fail_on: Option<Severity>,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        match self.report.end.clone() {
            Some(End::Completed) => {}
            Some(End::Failed(error)) => return Err(error.into()),
            Some(End::Cancelled(reason)) => {
                return Err(Failure::new(
                    Kind::Rpc(ErrorCode::Cancelled),
                    "The review was cancelled",
                    reason,
                    Hint::AGAIN,
                ));
            }
            None => {
                return Err(Failure::new(
                    Kind::Unreachable,
                    "The review has no end",
                    "its events stopped before it was complete",
                    Hint::DOCTOR_AND_LOGS,
                ));
            }
        }
        self.renderer.end(&self.report, &mut context.answer)?;
        context.answer.flush()?;
        if self.format == ReviewFormat::Text {
            let hints = text::hints(&self.report);
            if !hints.is_empty() {
                context.notes.pieces(&hints, 0);
            }
        } else {
            for reason in &self.report.coverage.unreviewed {
                context.notes.note(&format!(
                    "not reviewed: {}",
                    crate::output::escape::line(reason)
                ));
            }
        }
        Ok(self.report.exit(fail_on))
    }

    /// Lets the format tell a failure.
    pub fn close(
        &mut self,
        outcome: Result<Exit, Failure>,
        context: &mut Context,
    ) -> Result<Exit, Failure> {
        if let Err(failure) = &outcome
            && !matches!(failure.kind, Kind::ReaderGone | Kind::Output)
        {
            context.notes.still();
            self.renderer
                .failed(&self.report, failure, &mut context.answer)
                .and_then(|()| context.answer.flush())?;
        }
        outcome
    }
}

fn fail_on(args: &Args) -> Option<Severity> {
    args.fail_on.map(Severity::from)
}

fn replay(args: &Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let folder = context.folder()?;
    let root = text_of(&top_level(&folder).unwrap_or(folder))?;
    let latest = daemon::call(
        context,
        Start::IfNeeded,
        "looking for the last review",
        |client: Client| async move {
            client
                .call::<ReviewLatest>(&ReviewLatestParams { root })
                .await
        },
    )?;
    printer.max_findings(args.max_findings.unwrap_or(printer.detail.max_findings));
    let when = crate::local_time(latest.run.ended_ms.unwrap_or(latest.run.started_ms));
    if args.format == ReviewFormat::Text {
        context
            .notes
            .note(&format!("Review of {} ({when})", latest.run.selection));
    }
    for event in Report::events(latest) {
        printer.event(&event, &mut context.answer)?;
    }
    printer.end(fail_on(args), context)
}

fn review(args: &Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let folder = context.folder()?;
    let wanted = wanted(args);
    if args.no_stdin && args.target.as_deref() == Some("-") {
        return Err(Failure::new(
            Kind::Usage,
            "`-` and --no-stdin contradict each other",
            "`-` reads the diff from stdin",
            Hint::REVIEW_HELP,
        ));
    }
    let from_stdin = match args.target.as_deref() {
        Some("-") => true,
        Some(_) => false,
        None => {
            !args.staged
                && args.base.is_none()
                && !args.no_stdin
                && stdin::source() == stdin::Source::Bytes
        }
    };
    let options = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    waiting::block_on(async {
        let deadline = Deadline::from_now(deadline_ms);
        // The daemon may have to start: it does so while the diff is being made.
        let connecting = (from_stdin || top_level(&folder).is_some())
            .then(|| tokio::spawn(daemon::connect(options.clone())));
        let change = if from_stdin {
            deadline
                .guard(
                    "waiting for a diff on stdin",
                    from_pipe(&mut context.notes, folder),
                )
                .await?
        } else {
            let work = waiting::on_thread(move || select(&folder, &wanted));
            let work = spinner::during(&mut context.notes, "Asking git for the changes", work);
            deadline
                .guard("asking git for the changes", work)
                .await?
                .into()
        };
        if change.diff.iter().all(u8::is_ascii_whitespace) {
            return nothing(&change, args, context, printer);
        }
        if args.format == ReviewFormat::Text || context.notes.animated {
            let header = crate::output::escape::line(&change.header).into_owned();
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
                None => daemon::connect(options).await,
            }
        };
        let connect = spinner::during(&mut context.notes, "Reaching the daemon", connect);
        let client = deadline.guard("reaching the daemon", connect).await?;
        if let Some(told) = client.notice() {
            context.notes.note(daemon::notice(told));
        }
        let run_id = Uuid::now_v7();
        let params = params(args, change, run_id)?;
        let outcome = deadline
            .guard("reviewing", stream(&client, params, args, context, printer))
            .await;
        if let Err(failure) = &outcome
            && matches!(failure.kind, Kind::Interrupted | Kind::Timeout)
            && !args.detach
        {
            cancel(&client, run_id).await;
        }
        match outcome? {
            Some(exit) => Ok(exit),
            None => printer.end(fail_on(args), context),
        }
    })
}

fn wanted(args: &Args) -> Wanted {
    match (&args.target, &args.base) {
        (Some(target), _) => Wanted::parse(target),
        (None, Some(base)) => Wanted::Base(base.clone()),
        (None, None) if args.staged => Wanted::Staged,
        (None, None) => Wanted::Default,
    }
}

/// Reads the diff from stdin. The base is not known then, so silences count only where the diff
/// leaves their file alone: what HEAD says of it is what the base said.
async fn from_pipe(notes: &mut Notes, folder: PathBuf) -> Result<Change, Failure> {
    let reading = waiting::on_thread(|| stdin::read_all(DIFF_MAX_BYTES));
    let message = "Waiting for a diff on stdin (--no-stdin reviews the repository)";
    let diff = if notes.animated {
        spinner::during(notes, message, reading).await?
    } else {
        let mut reading = std::pin::pin!(reading);
        let silent = Duration::from_millis(SILENT_STDIN_MS);
        match tokio::time::timeout(silent, &mut reading).await {
            Ok(diff) => diff?,
            Err(_) => {
                notes.note(message);
                reading.await?
            }
        }
    };
    let top = top_level(&folder);
    let root = top.clone().unwrap_or(folder);
    let header = format!(
        "{} in the diff on stdin",
        count(count_files(&diff), "file", "files")
    );
    let mut change = Change {
        diff,
        root,
        selection: "stdin".to_owned(),
        base_sha: None,
        base_silences: None,
        header,
        empty: (
            "Nothing to review: stdin was empty.".to_owned(),
            Hint::EMPTY_STDIN,
        ),
    };
    let touches = change
        .diff
        .windows(SILENCES_PATH.len())
        .any(|window| window == SILENCES_PATH.as_bytes());
    if let Some(top) = top
        && !touches
        && top.join(SILENCES_PATH).exists()
    {
        change.base_silences = waiting::on_thread(move || committed_silences(&top)).await?;
    }
    Ok(change)
}

fn committed_silences(top: &Path) -> Result<Option<String>, Failure> {
    let object = format!("HEAD:{SILENCES_PATH}");
    let output = crate::git::Git::new(top).run(["cat-file", "blob", &object], SILENCES_MAX_BYTES);
    // Without git, or before the first commit, nothing is silenced: more is shown, not less.
    Ok(output
        .ok()
        .filter(|output| output.ok && !output.cut)
        .and_then(|output| String::from_utf8(output.stdout).ok()))
}

/// The empty state: an answer, not an error.
fn nothing(
    change: &Change,
    args: &Args,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    printer.report.end = Some(End::Completed);
    match args.format {
        ReviewFormat::Text | ReviewFormat::Md => {
            let text = format!("{} {}", change.empty.0, change.empty.1);
            let text = context.answer.layout.text(&text, Role::Plain, 2);
            context.answer.write(&text)?;
        }
        _ => {
            printer.renderer.end(&printer.report, &mut context.answer)?;
            context.notes.note(&change.empty.0);
        }
    }
    context.answer.flush()?;
    Ok(Exit::Ok)
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

fn params(args: &Args, change: Change, run_id: Uuid) -> Result<ReviewStartParams, Failure> {
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
        },
    })
}

/// Starts the run and prints its events. An exit code where that is all there is to do.
async fn stream(
    client: &Client,
    params: ReviewStartParams,
    args: &Args,
    context: &mut Context,
    printer: &mut Printer,
) -> Result<Option<Exit>, Failure> {
    let run_id = params.run_id;
    let queue = || -> Result<_, ClientError> {
        let settings = args.max_findings.is_none().then(|| {
            client.queue::<ConfigGet>(&ConfigGetParams {
                key: Some("review.max_findings".to_owned()),
            })
        });
        let started = client.queue::<ReviewStart>(&params)?;
        let events = (!args.detach).then(|| client.subscribe(run_id, 0));
        Ok((settings.transpose()?, started, events.transpose()?))
    };
    let (settings, started, events) = queue().map_err(daemon::failure)?;
    drop(params);
    let starting = async {
        client.flush().await?;
        let settings = match settings {
            Some(settings) => settings.response().await.ok(),
            None => None,
        };
        Ok((settings, started.response().await?))
    };
    let (settings, accepted) = spinner::during(&mut context.notes, "Sending the diff", starting)
        .await
        .map_err(daemon::failure)?;
    let configured = settings
        .and_then(|settings| settings.values.into_iter().next())
        .and_then(|setting| setting.value.as_u64())
        .and_then(|value| u32::try_from(value).ok());
    if let Some(max_findings) = args.max_findings.or(configured) {
        printer.max_findings(max_findings);
    }
    let Some(mut events) = events else {
        detached(accepted.run_id, args.format, context)?;
        return Ok(Some(Exit::Ok));
    };
    let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
    heartbeat.reset();
    loop {
        let next = spinner::during(&mut context.notes, "Reviewing", async {
            tokio::select! {
                biased;
                event = events.next() => Some(event),
                _ = heartbeat.tick() => None,
            }
        });
        let Some(event) = next.await else {
            printer.renderer.heartbeat(now_ms(), &mut context.answer)?;
            continue;
        };
        match event.map_err(daemon::failure)? {
            Some(event) => {
                printer.event(&event, &mut context.answer)?;
                if event.body.is_terminal() {
                    return Ok(None);
                }
            }
            None => return Ok(None),
        }
    }
}

fn detached(run_id: Uuid, format: ReviewFormat, context: &mut Context) -> Result<(), Failure> {
    if format.is_json() {
        context.answer.json(&json!({
            "v": 1, "type": "detached", "run_id": run_id, "complete": false,
        }))?;
    } else {
        context.answer.line(&run_id.to_string())?;
    }
    context.answer.flush()?;
    context.notes.note(&format!("Read it: cv attach {run_id}"));
    Ok(())
}

/// Ends the run. It ends by itself soon after its last reader went, so nothing hangs on this.
async fn cancel(client: &Client, run_id: Uuid) {
    let params = RunCancelParams { run_id };
    let cancel = async {
        client
            .call::<RunCancel>(&params)
            .await
            .map_err(daemon::failure)
    };
    let _ = Deadline::from_now(Some(CANCEL_MS))
        .guard("cancelling", cancel)
        .await;
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
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
