//! `cv ask`

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use convergio_client::{Client, ClientError, RunEvents};
use convergio_contract::{
    Uuid,
    chat::{RunStart, RunStartParams, SessionUse},
    limits::INPUT_MAX_BYTES,
    model::Policy,
    run::{OnLastReaderGone, RunAccepted, RunOptions},
};
use serde_json::json;
use tokio::sync::oneshot;

use super::{answer, latest, preview};
use crate::{
    ask::{Asked, Printer, file::Target, input, schema::Schema},
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    keys::{self, Mending},
    spinner, stdin,
    table::Format,
    tasks::missed,
    terminal,
    waiting::{self, Deadline},
};

/// How long a prompt waits for a first byte on stdin.
const SILENT_STDIN_MS: u64 = 3_000;

/// Asks a model; what is piped in joins the question: `git diff | cv ask "explain this"`.
#[derive(clap::Args, Debug)]
#[command(after_long_help = Exit::table())]
pub struct Args {
    /// The question; `-` waits for all of stdin.
    #[arg(value_name = "PROMPT", value_hint = clap::ValueHint::Other)]
    pub prompt: Vec<String>,
    /// Send this text file along; may be repeated.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub attach: Vec<PathBuf>,
    /// Go on with the latest conversation of this folder.
    #[arg(short = 'c', long = "continue", conflicts_with = "session")]
    pub go_on: bool,
    /// Go on with this conversation, as `cv sessions` names it.
    #[arg(long, value_name = "ID", value_parser = crate::cli::session_id)]
    pub session: Option<Uuid>,
    /// Keep no content: only that it was asked, what it cost and what left.
    #[arg(long)]
    pub ephemeral: bool,
    /// `provider/model`, as `cv models` names it, or one word for several: fast, smart, code,
    /// private, cheap, or your own.
    #[arg(short, long, value_name = "MODEL", value_hint = clap::ValueHint::Other)]
    pub model: Option<String>,
    /// Keep the answer, and give it again, free, when the same is asked of the same model.
    #[arg(long, conflicts_with = "ephemeral")]
    pub cache: bool,
    /// Tokens that the answer may have at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_output: Option<u32>,
    /// What the answer may cost at most, in US dollars.
    #[arg(long, value_name = "USD", value_parser = crate::money::parse)]
    pub max_cost: Option<i64>,
    /// Only say what would be sent, to whom, and what it would cost.
    #[arg(long)]
    pub dry_run: bool,
    /// Models on this machine only.
    #[arg(long)]
    pub local_only: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Print the first fenced code block only; none is exit 6.
    #[arg(long, conflicts_with = "schema")]
    pub code: bool,
    /// Write the answer into this file once it is whole, and print nothing. What came of an
    /// answer that broke off goes to FILE.partial.
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Standing instructions, in place of the template's.
    #[arg(long, value_name = "TEXT", value_hint = clap::ValueHint::Other)]
    pub system: Option<String>,
    /// A saved prompt, as `cv template list` names it.
    #[arg(short, long, value_name = "NAME", value_hint = clap::ValueHint::Other)]
    pub template: Option<String>,
    /// A variable of the template; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = input::variable, requires = "template")]
    pub var: Vec<(String, String)>,
    /// Print JSON that fits this JSON Schema, and nothing else.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub schema: Option<PathBuf>,
    /// Ask and leave; `cv attach RUN` reads the answer.
    #[arg(long, conflicts_with_all = ["code", "schema", "output", "dry_run"])]
    pub detach: bool,
    /// Do not read stdin, whatever stands there.
    #[arg(long)]
    pub no_stdin: bool,
    /// Print Markdown as it is, also on a terminal.
    #[arg(long)]
    pub no_markdown: bool,
}

/// Asks.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let asked = Asked {
        format: args.format,
        code: args.code,
        plain: args.no_markdown,
        ephemeral: args.ephemeral,
        ..Asked::default()
    };
    let mut printer = Printer::new(asked, context);
    let outcome = ask(args, context, &mut printer);
    if let Err(failure) = &outcome {
        printer.failed(failure, context)?;
    }
    outcome
}

fn ask(args: Args, context: &mut Context, printer: &mut Printer) -> Result<Exit, Failure> {
    let (prompt, dash) = input::prompt(&args.prompt);
    if dash && args.no_stdin {
        return Err(Failure::new(
            Kind::Usage,
            "`-` and --no-stdin contradict each other",
            "`-` waits for all of stdin",
            Hint::ASK_HELP,
        ));
    }
    if args.output.is_some() && args.format == Format::Ndjson {
        return Err(Failure::new(
            Kind::Usage,
            "--output and --format ndjson contradict each other",
            "events are read as they arrive, a file is written at the end",
            Hint::ASK_HELP,
        ));
    }
    let folder = context.folder()?;
    let (_, root) = latest::root(context)?;
    // Everything that can be wrong here is said before anything is asked, let alone paid for.
    printer.asked.schema = args.schema.as_deref().map(Schema::read).transpose()?;
    let target = args.output.as_deref().filter(|path| *path != "-");
    printer.asked.target = target.map(|path| Target::new(&folder, path)).transpose()?;
    let variables = input::variables(&args.var)?;
    let options = options(&args);
    let reach = daemon::options(context, Start::IfNeeded)?;
    let deadline_ms = context.global.timeout;
    waiting::block_on(async {
        let began = Instant::now();
        let deadline = Deadline::from_now(deadline_ms);
        let mut late = None;
        let gathering = async {
            let piped = piped(&args, &prompt, dash, context, printer, &mut late).await?;
            let paths = args.attach.clone();
            let files = if paths.is_empty() {
                Vec::new()
            } else {
                let reading = waiting::on_thread(move || input::files(&folder, &paths));
                awaiting(reading, "Reading the files until they end", context).await?
            };
            input::assemble(prompt.clone(), piped, files, args.template.is_some())
        };
        let input = deadline.guard("gathering the question", gathering).await?;
        let mut params = RunStartParams {
            run_id: Uuid::now_v7(),
            input,
            root,
            session: session(&args),
            system: args.system.clone(),
            template: args.template.clone(),
            variables,
            output_schema: printer
                .asked
                .schema
                .as_ref()
                .map(|schema| schema.value.clone()),
            options,
        };
        let connect = daemon::connect(reach);
        let connect = spinner::during(&mut context.notes, "Reaching the daemon", connect);
        let client = deadline.guard("reaching the daemon", connect).await?;
        if let Some(told) = client.notice() {
            context.notes.note(daemon::notice(told));
        }
        if args.dry_run {
            let asking = preview::ask(&client, params, args.format, context);
            return deadline.guard("asking what would be sent", asking).await;
        }
        let run_id = params.run_id;
        let asking = Box::pin(async {
            let (accepted, events) = start(&client, &mut params, args.detach, context).await?;
            match events {
                Some(mut events) => {
                    answer::listen(&mut events, &mut late, context, printer).await?;
                    Ok(None)
                }
                None => Ok(Some(accepted)),
            }
        });
        let outcome = deadline.guard("waiting for the answer", asking).await;
        if let Err(failure) = &outcome
            && !args.detach
            && printer.reply.end.is_none()
        {
            answer::abandon(&client, run_id, printer).await;
            printer.failed(failure, context)?;
            if failure.kind != Kind::ReaderGone {
                answer::tell_abandoned(context, printer, elapsed_ms(began));
            }
        }
        if let Some(accepted) = outcome? {
            return detached(&accepted, args.format, context);
        }
        missed::hear(&client, context).await;
        let took_ms = elapsed_ms(began);
        let finishing = answer::finish(&client, &params.root, took_ms, context, printer);
        deadline.guard("finishing the answer", finishing).await
    })
}

/// The choices of the command line that every run takes.
fn options(args: &Args) -> RunOptions {
    let for_programs = matches!(args.format, Format::Json | Format::Ndjson);
    RunOptions {
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
        cache: args.cache,
        can_ask: !for_programs && terminal::can_ask(),
        keys: keys::exported(),
    }
}

fn session(args: &Args) -> SessionUse {
    match args.session {
        Some(session_id) => SessionUse::Id { session_id },
        None if args.go_on => SessionUse::Latest,
        None => SessionUse::New,
    }
}

/// What stands on stdin, by the contract's rules. `late` is left to those who must know when
/// bytes come after all.
async fn piped(
    args: &Args,
    prompt: &str,
    dash: bool,
    context: &mut Context,
    printer: &mut Printer,
    late: &mut Option<oneshot::Receiver<bool>>,
) -> Result<Option<String>, Failure> {
    if args.no_stdin || (!dash && stdin::source() == stdin::Source::Nothing) {
        return Ok(None);
    }
    let mut pipe = stdin::watch(INPUT_MAX_BYTES)?;
    let asked = !prompt.is_empty() || args.template.is_some();
    if asked && !dash {
        let silent = Duration::from_millis(SILENT_STDIN_MS);
        let first = tokio::time::timeout(silent, &mut pipe.first);
        let message = "Waiting for stdin (--no-stdin asks at once)";
        match spinner::during(&mut context.notes, message, first).await {
            Ok(Ok(false)) => return Ok(None),
            // What went wrong with stdin comes with its end.
            Ok(_) => {}
            Err(_) => {
                printer.stdin_ignored(context)?;
                *late = Some(pipe.first);
                return Ok(None);
            }
        }
    }
    match awaiting(pipe.all, "Reading stdin until it ends", context).await {
        Ok(Ok(Some(bytes))) => input::text(bytes, "What stands on stdin").map(Some),
        Ok(Ok(None)) => Err(Failure::new(
            Kind::TooLarge,
            "What stands on stdin is too large",
            format!("{} MiB at most", INPUT_MAX_BYTES / 1024 / 1024),
            Hint::LESS_INPUT,
        )),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::new(
            Kind::Io,
            "stdin could not be read",
            "its thread ended",
            Hint::ASK_HELP,
        )),
    }
}

/// Waits for what is read, and says so where it takes long: it may never end.
async fn awaiting<T>(reading: impl Future<Output = T>, message: &str, context: &mut Context) -> T {
    if context.notes.animated {
        return spinner::during(&mut context.notes, message, reading).await;
    }
    let mut reading = std::pin::pin!(reading);
    let silent = Duration::from_millis(SILENT_STDIN_MS);
    match tokio::time::timeout(silent, &mut reading).await {
        Ok(read) => read,
        Err(_) => {
            context.notes.note(message);
            reading.await
        }
    }
}

/// Starts the run and opens its events in one write; again where the daemon needs a key or a
/// choice that can be had here.
async fn start(
    client: &Client,
    params: &mut RunStartParams,
    detach: bool,
    context: &mut Context,
) -> Result<(RunAccepted, Option<RunEvents>), Failure> {
    let mut mending = Mending::default();
    loop {
        let starting = async {
            let started = client.queue::<RunStart>(params)?;
            let events = (!detach).then(|| client.subscribe(params.run_id, 0));
            let events = events.transpose()?;
            client.flush().await?;
            Ok((started.response().await?, events))
        };
        let started: Result<_, ClientError> =
            spinner::during(&mut context.notes, "Asking", starting).await;
        match started {
            Ok(started) => return Ok(started),
            Err(error) => {
                mending
                    .mend(error, &mut params.options, client, context)
                    .await?;
            }
        }
    }
}

/// Since then, in milliseconds.
pub fn elapsed_ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn detached(
    accepted: &RunAccepted,
    format: Format,
    context: &mut Context,
) -> Result<Exit, Failure> {
    let run_id = accepted.run_id;
    match format {
        Format::Text | Format::Md => context.answer.line(&run_id.to_string())?,
        Format::Json | Format::Ndjson => context.answer.json(&json!({
            "v": 1, "type": "detached", "run_id": run_id,
            "session_id": accepted.session_id, "complete": false,
        }))?,
    }
    context.answer.flush()?;
    context.notes.note(&format!("Read it: cv attach {run_id}"));
    Ok(Exit::Ok)
}
