//! Does what the [`machine`](crate::machine) decides: admits, opens, shows, waits, settles.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    task::Poll,
    time::{Duration, Instant},
};

use convergio_models_api::{ModelError, ModelEvent, ModelStream, StopReason, ToolCall};
use uuid::Uuid;

use crate::{
    machine::{Effect, Input, Limits, Machine, Outcome},
    ports::{Admission, Admitted, Ask, RunLog, Settlement, Shown, Verdict},
    router::Plan,
};

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The text, in parts.
    pub parts: Vec<String>,
    /// The tools that the model wants, in the order in which it began to call them.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub stop: StopReason,
    /// Which route of the plan answered.
    pub route: usize,
    /// When its first text came.
    pub first_token: Option<Instant>,
}

/// Why there is no whole answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure<E> {
    /// Admission let no route pass: the first reason, or the one that ended the search.
    Refused(E),
    /// The last attempt failed.
    Model {
        /// How.
        error: ModelError,
        /// Which route of the plan it was.
        route: usize,
    },
    /// Somebody ended it.
    Cancelled,
}

/// No whole answer, and what there is of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken<E> {
    /// Why.
    pub failure: Failure<E>,
    /// What came of the answer.
    pub parts: Vec<String>,
    /// Which route of the plan it came from.
    pub route: usize,
    /// When its first text came.
    pub first_token: Option<Instant>,
}

/// One call between admission and its end. Where it is dropped, the open attempt is settled.
struct Course<'a, L: RunLog> {
    machine: Machine,
    log: &'a L,
    /// The attempt whose request may have been sent.
    open: Option<Uuid>,
}

impl<L: RunLog> Course<'_, L> {
    fn settle(&mut self, effect: Effect) {
        let (
            Some(attempt_id),
            Effect::Settle {
                ending,
                stop,
                retry_after_ms,
                request_id,
                model,
                cancelled,
            },
        ) = (self.open.take(), effect)
        else {
            return;
        };
        self.log.ended(Settlement {
            attempt_id,
            ending,
            request_id,
            model,
            stop,
            retry_after_ms,
            cancelled,
        });
    }
}

impl<L: RunLog> Drop for Course<'_, L> {
    fn drop(&mut self) {
        if self.open.is_none() {
            return;
        }
        for effect in self.machine.step(Input::Cancelled, 0.0) {
            self.settle(effect);
        }
    }
}

/// Gets one answer along `plan`. Ends early where `cancelled` does; dropping the future ends it
/// as well. However it ends, every admitted attempt was handed to `log` exactly once.
///
/// `jitter` gives a number from 0 to 1 for each wait.
///
/// # Errors
/// [`Broken`], with what came of the answer.
pub async fn ask<A: Admission, L: RunLog>(
    plan: &Plan,
    limits: Limits,
    admission: &A,
    log: &L,
    mut jitter: impl FnMut() -> f64 + Send,
    cancelled: impl Future<Output = ()> + Send,
) -> Result<Answer, Broken<A::Error>> {
    let mut course = Course {
        machine: Machine::new(plan.steps(), limits),
        log,
        open: None,
    };
    let mut cancelled = std::pin::pin!(cancelled);
    let mut refusal: Option<A::Error> = None;
    let mut admitted: Option<Admitted> = None;
    let mut stream: Option<ModelStream> = None;
    // Which route is asked for, and which one was asked last.
    let (mut wanted, mut route) = (0, 0);
    let mut first_token = None;
    let mut effects: VecDeque<Effect> = course.machine.step(Input::Start, 0.0).into();
    let outcome = loop {
        let Some(effect) = effects.pop_front() else {
            let Some(open) = &mut stream else {
                // Every step but those of a stream ends in an effect that is waited for.
                break Outcome::Cancelled;
            };
            let event = tokio::select! {
                biased;
                () = &mut cancelled => {
                    effects.extend(course.machine.step(Input::Cancelled, 0.0));
                    continue;
                }
                event = poll_fn(|context| open.as_mut().poll_next(context)) => event,
            };
            let input = match event {
                Some(Ok(event)) => Input::Event(event),
                Some(Err(error)) => Input::Failed(error),
                None => Input::StreamEnded,
            };
            effects.extend(course.machine.step(input, jitter()));
            continue;
        };
        match effect {
            Effect::Admit(ask) => {
                wanted = ask.route;
                // Not ended in the middle: its rows may be written by then.
                let mut input = admit(admission, ask, &mut admitted, &mut refusal).await;
                if let Some(admitted) = &admitted {
                    course.open = Some(admitted.request.permit().attempt_id);
                    let gone = poll_fn(|context| Poll::Ready(cancelled.as_mut().poll(context)));
                    if gone.await.is_ready() {
                        input = Input::AdmittedTooLate;
                    }
                }
                effects.extend(course.machine.step(input, 0.0));
            }
            Effect::Open => {
                route = wanted;
                stream = admitted
                    .take()
                    .map(|admitted| admitted.provider.stream(admitted.request));
            }
            Effect::Show(shown) => {
                if matches!(
                    shown,
                    Shown::Piece { .. } | Shown::Event(ModelEvent::ToolCall { .. })
                ) {
                    first_token.get_or_insert_with(Instant::now);
                }
                log.show(shown);
            }
            settled @ Effect::Settle { .. } => {
                // The connection is closed before its end is written down.
                stream = None;
                course.settle(settled);
            }
            Effect::Wait { wait_ms } => {
                let wait = async {
                    log.settle().await;
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                };
                let input = tokio::select! {
                    biased;
                    () = &mut cancelled => Input::Cancelled,
                    () = wait => Input::TimerFired,
                };
                effects.extend(course.machine.step(input, 0.0));
            }
            Effect::Finish(outcome) => break outcome,
        }
    };
    let (parts, tool_calls) =
        std::mem::replace(&mut course.machine, Machine::new(Vec::new(), limits)).into_parts();
    let failure = match (outcome, refusal) {
        (Outcome::Answered(stop), _) => {
            return Ok(Answer {
                parts,
                tool_calls,
                stop,
                route,
                first_token,
            });
        }
        (Outcome::Failed(mut error), _) => {
            if error.provider.is_empty()
                && let Some(route) = plan.routes.get(route)
            {
                error.provider.clone_from(&route.target.provider);
            }
            Failure::Model { error, route }
        }
        (Outcome::Refused, Some(error)) => Failure::Refused(error),
        (Outcome::Refused | Outcome::Cancelled, _) => Failure::Cancelled,
    };
    Err(Broken {
        failure,
        parts,
        route,
        first_token,
    })
}

async fn admit<A: Admission>(
    admission: &A,
    ask: Ask,
    admitted: &mut Option<Admitted>,
    refusal: &mut Option<A::Error>,
) -> Input {
    match admission.admit(ask).await {
        Ok(leave) => {
            let max_output = leave.request.value().max_output;
            *admitted = Some(leave);
            Input::Admitted { max_output }
        }
        Err(refused) => {
            match refused.verdict {
                Verdict::Stop => *refusal = Some(refused.error),
                Verdict::Next(_) => {
                    refusal.get_or_insert(refused.error);
                }
            }
            Input::Refused {
                verdict: refused.verdict,
                reason: refused.reason,
            }
        }
    }
}

#[cfg(test)]
mod tests;
