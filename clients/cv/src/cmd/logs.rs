//! `cv logs`

use convergio_contract::logs::{LogsRead, LogsReadParams, LogsReadResponse};
use serde_json::json;

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    hint::Hint,
    output::{Answer, escape},
    table::Format,
    waiting::{self, Deadline},
};

/// How long one request waits for a new line.
const WAIT_MS: u64 = 25_000;
/// Lines of one request while following.
const PAGE: u32 = 500;

/// The daemon's log, keys and secrets taken out.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Go on with new lines until Ctrl-C.
    #[arg(short, long)]
    pub follow: bool,
    /// The last N lines.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub lines: u32,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// Prints it; without a daemon from the file.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    args.format.announce(context);
    if args.follow && args.format == Format::Json {
        return Err(Failure::new(
            Kind::Usage,
            "A log that goes on is no document",
            "--follow and --format json contradict each other",
            Hint::FOLLOW_LOGS,
        ));
    }
    let outcome = read(&args, context);
    match outcome {
        Err(failure) if failure.kind == Kind::Unreachable => {
            if args.follow {
                context
                    .notes
                    .note("The daemon does not run: these are its last lines.");
            }
            let lines = args.lines.to_string();
            let format = args.format.offline();
            Err(daemon::offline(&[
                "logs",
                "--offline",
                "-n",
                &lines,
                "--format",
                format,
            ]))
        }
        // Ctrl-C is how following ends.
        Err(failure) if failure.kind == Kind::Interrupted && args.follow => Ok(Exit::Interrupted),
        other => other,
    }
}

fn read(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let options = daemon::options(context, Start::Never)?;
    let deadline_ms = context.global.timeout;
    let answer = &mut context.answer;
    waiting::block_on(async {
        let work = async {
            let client = daemon::connect(options).await?;
            let mut params = LogsReadParams {
                cursor: None,
                limit: Some(args.lines),
                wait_ms: 0,
            };
            loop {
                let page = client
                    .call::<LogsRead>(&params)
                    .await
                    .map_err(daemon::failure)?;
                print(&page, args, answer)?;
                if !args.follow {
                    return Ok(Exit::Ok);
                }
                params = LogsReadParams {
                    cursor: Some(page.cursor),
                    limit: Some(PAGE),
                    wait_ms: WAIT_MS,
                };
            }
        };
        Deadline::from_now(deadline_ms)
            .guard("reading the log", work)
            .await
    })
}

fn print(page: &LogsReadResponse, args: &Args, answer: &mut Answer) -> Result<(), Failure> {
    match args.format {
        Format::Text | Format::Md => {
            if page.gap {
                answer.line("… lines are missing here: the log was rotated meanwhile …")?;
            }
            for line in &page.lines {
                answer.line(&escape::line(line))?;
            }
        }
        Format::Json => {
            answer.json(&json!({"v": 1, "lines": page.lines, "gap": page.gap}))?;
        }
        Format::Ndjson => {
            if page.gap {
                answer.json(&json!({"v": 1, "type": "gap"}))?;
            }
            for line in &page.lines {
                answer.json(&json!({"v": 1, "type": "line", "line": line}))?;
            }
            if !args.follow {
                answer.json(&json!({"v": 1, "type": "completed"}))?;
            }
        }
    }
    answer.flush()
}
