//! `cv stop`

use convergio_client::Client;
use convergio_contract::daemon::{Shutdown, ShutdownParams, ShutdownWhen};

use crate::{
    context::Context,
    daemon::{self, Start},
    error::{Failure, Kind},
    exit::Exit,
    render::words::count,
    waiting::{self, Deadline},
};

/// Ends the daemon; running work gets up to 10 s to end. It starts again when it is needed.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only as soon as nothing runs and nobody else is connected.
    #[arg(long)]
    pub when_idle: bool,
}

/// Ends it and waits until it is gone.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let params = ShutdownParams {
        when: if args.when_idle {
            ShutdownWhen::Idle
        } else {
            ShutdownWhen::Drain
        },
    };
    let options = daemon::options(context, Start::Never)?;
    let deadline_ms = context.global.timeout;
    let when_idle = args.when_idle;
    let notes = &mut context.notes;
    let asked = waiting::block_on(async {
        let deadline = Deadline::from_now(deadline_ms);
        let work = async {
            let client = daemon::connect(options).await?;
            let answer = client
                .call::<Shutdown>(&params)
                .await
                .map_err(daemon::failure)?;
            if !when_idle {
                gone(&client).await;
            }
            Ok(answer)
        };
        let work = crate::spinner::during(notes, "Ending the daemon", work);
        deadline.guard("ending the daemon", work).await
    });
    match asked {
        Ok(answer) if when_idle => context.answer.line(&format!(
            "The daemon (process {}) ends as soon as it is idle; {} going on",
            answer.pid,
            count(answer.runs_active.into(), "run", "runs")
        ))?,
        Ok(answer) => context
            .answer
            .line(&format!("The daemon (process {}) has ended", answer.pid))?,
        Err(failure) if failure.kind == Kind::Unreachable && not_running(&failure) => {
            context.answer.line("The daemon does not run")?;
        }
        Err(failure) => return Err(failure),
    }
    Ok(Exit::Ok)
}

/// The only failure of [`daemon::connect`] that means "already done".
fn not_running(failure: &Failure) -> bool {
    failure.way_out == crate::hint::Hint::START
}

/// Waits until the daemon has closed the connection, which it does at its very end: a call that
/// waits for a new line of the log ends with it.
async fn gone(client: &Client) {
    use convergio_contract::logs::{LogsRead, LogsReadParams};
    let mut cursor = None;
    loop {
        let params = LogsReadParams {
            cursor: cursor.take(),
            limit: Some(1),
            wait_ms: 20_000,
        };
        match client.call::<LogsRead>(&params).await {
            Ok(page) => cursor = Some(page.cursor),
            Err(_) => return,
        }
    }
}
