//! Waiting with an end: the runtime, Ctrl-C and `--timeout`.

use std::{future::Future, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    hint::Hint,
    spinner,
};

/// Runs a future on a current-thread runtime, made only here, so that verbs that need none pay
/// nothing for it.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Kind::Io,
                "The program cannot wait for input and output",
                describe(&error),
                Hint::DOCTOR,
            )
        })?;
    let outcome = runtime.block_on(future);
    // A thread that still reads a silent pipe must not keep the program alive.
    runtime.shutdown_background();
    outcome
}

/// `--timeout`, counted from when the verb began.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Option<Instant>,
    limit_ms: u64,
}

impl Deadline {
    /// From now on.
    pub fn from_now(limit_ms: Option<u64>) -> Self {
        Self {
            // A limit beyond what the clock can hold never passes.
            at: limit_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms))),
            limit_ms: limit_ms.unwrap_or(u64::MAX),
        }
    }

    /// Waits for a future until Ctrl-C or the deadline; both drop it.
    pub async fn guard<T>(
        &self,
        activity: &str,
        future: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let passed = async {
            match self.at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = future => outcome,
            () = interrupt() => Err(Failure::interrupted()),
            () = passed => Err(Failure::timeout(self.limit_ms, activity)),
        }
    }
}

/// Waits for Ctrl-C.
pub async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // No handler could be set, so the signal itself ends the program.
        std::future::pending::<()>().await;
    }
}

/// Runs blocking work on a thread of its own. Where nobody waits any more, the thread ends with
/// its work or with the process.
pub async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (done, finished) = oneshot::channel();
    let lost =
        |why: String| Failure::new(Kind::Io, "The work could not be done", why, Hint::DOCTOR);
    std::thread::Builder::new()
        .name("cv-work".to_owned())
        .spawn(move || {
            // The waiter may have given up.
            let _ = done.send(work());
        })
        .map_err(|error| lost(describe(&error)))?;
    finished
        .await
        .unwrap_or_else(|_| Err(lost("its thread ended".to_owned())))
}

/// One wait of a verb: on a runtime of its own, with a spinner, Ctrl-C and `--timeout`.
pub fn wait<T>(
    context: &mut Context,
    activity: &str,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let deadline_ms = context.global.timeout;
    let notes = &mut context.notes;
    block_on(async {
        let mut message = activity.to_owned();
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let deadline = Deadline::from_now(deadline_ms);
        deadline
            .guard(activity, spinner::during(notes, &message, future))
            .await
    })
}
