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
                gone(&client, answer.pid).await?;
            }
            Ok(answer)
        };
        let work = crate::spinner::during(notes, "Ending the daemon", work);
        deadline.guard("ending the daemon", work).await
    });
    match asked {
        Ok(answer) if when_idle => context.answer.say(&format!(
            "The daemon (process {}) ends as soon as it is idle; {} going on",
            answer.pid,
            count(answer.runs_active.into(), "run", "runs")
        ))?,
        Ok(answer) => context
            .answer
            .say(&format!("The daemon (process {}) has ended", answer.pid))?,
        Err(failure) if failure.kind == Kind::Unreachable && not_running(&failure) => {
            context.answer.say("The daemon does not run")?;
        }
        Err(failure) => return Err(failure),
    }
    Ok(Exit::Ok)
}

/// The only failure of [`daemon::connect`] that means "already done".
fn not_running(failure: &Failure) -> bool {
    failure.way_out == crate::hint::Hint::START
}

/// Longer than a daemon takes that lets its runs end.
const GONE_MS: u64 = 14_000;

async fn gone(client: &Client, pid: u32) -> Result<(), Failure> {
    let limit = std::time::Duration::from_millis(GONE_MS);
    tokio::time::timeout(limit, ended(client, pid))
        .await
        .map_err(|_| {
            Failure::new(
                Kind::Unreachable,
                "The daemon has not ended yet",
                format!("process {pid} still runs after {} s", GONE_MS / 1000),
                crate::hint::Hint::DOCTOR_AND_LOGS,
            )
        })
}

/// Waits until the process is gone, on a thread of its own: its descriptor says so to poll(2).
#[cfg(target_os = "linux")]
async fn ended(client: &Client, pid: u32) {
    use rustix::{
        event::{PollFd, PollFlags, poll},
        process::{Pid, PidfdFlags, pidfd_open},
    };
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        // Gone already.
        Err(rustix::io::Errno::SRCH) => return,
        Err(_) => return closed(client).await,
    };
    let waited = waiting::on_thread(move || {
        while let Err(rustix::io::Errno::INTR) =
            poll(&mut [PollFd::new(&process, PollFlags::IN)], None)
        {}
        Ok(())
    });
    if waited.await.is_err() {
        closed(client).await;
    }
}

/// Waits until the connection is gone, which is what can be seen of the process.
#[cfg(not(target_os = "linux"))]
async fn ended(client: &Client, _: u32) {
    closed(client).await;
}

/// Waits until the daemon has closed the connection, which it does at its very end: a call that
/// waits for a new line of the log ends with it.
async fn closed(client: &Client) {
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
