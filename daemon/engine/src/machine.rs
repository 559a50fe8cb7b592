//! The course of one call of a model, as data: inputs in, effects out. No clock, no I/O.

mod content;
mod steps;

use convergio_models_api::{
    ErrorClass, ModelError, ModelEvent, Phase, StopReason, ToolCall, Usage,
};

use crate::{
    causes::Cause,
    ports::{Ask, Channel, Ending, Instead, Shown, Verdict},
};

pub use steps::{Effect, Input, Limits, Outcome, Step};

/// Bytes of one part of an answer; even where each byte needs six in JSON, a part fits an event.
pub const PART_BYTES_MAX: usize = 128 * 1024;

/// Tools that one answer may call.
pub const TOOL_CALLS_MAX: usize = 128;

fn shown(event: ModelEvent) -> Vec<Effect> {
    vec![Effect::Show(Shown::Event(event))]
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    New,
    Admitting,
    Streaming,
    Waiting,
    Done,
}

/// What came of the open attempt.
#[derive(Clone, Debug, Default)]
struct Open {
    max_output: u32,
    started: bool,
    request_id: Option<String>,
    model: Option<String>,
    usage: Usage,
    stop: Option<StopReason>,
}

/// The course of one call.
#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    steps: Vec<Step>,
    /// Routes that were tried; none is tried twice.
    tried: Vec<bool>,
    state: State,
    route: usize,
    attempt: u32,
    retries: u32,
    waited_ms: u64,
    open: Open,
    text: Vec<String>,
    reasoning_part: u32,
    reasoning_part_bytes: usize,
    reasoning_bytes: usize,
    tool_calls: Vec<ToolCall>,
    tool_bytes: usize,
    failure: Option<ModelError>,
    /// For the next attempt's event.
    why_again: Option<String>,
    /// Told with the next attempt.
    instead_of: Vec<Instead>,
}

impl Machine {
    /// For a plan of these routes, in order.
    pub fn new(steps: Vec<Step>, limits: Limits) -> Self {
        Self {
            limits,
            tried: vec![false; steps.len()],
            steps,
            state: State::New,
            route: 0,
            attempt: 0,
            retries: 0,
            waited_ms: 0,
            open: Open::default(),
            text: Vec::new(),
            reasoning_part: 0,
            reasoning_part_bytes: 0,
            reasoning_bytes: 0,
            tool_calls: Vec::new(),
            tool_bytes: 0,
            failure: None,
            why_again: None,
            instead_of: Vec::new(),
        }
    }

    /// The answer so far, in parts.
    pub fn parts(&self) -> &[String] {
        &self.text
    }

    /// Gives the answer away: its text in parts, and the tools that it wants.
    pub fn into_parts(self) -> (Vec<String>, Vec<ToolCall>) {
        (self.text, self.tool_calls)
    }

    /// The answer has begun: nothing is tried again.
    pub fn has_begun(&self) -> bool {
        !self.text.is_empty() || self.reasoning_bytes > 0 || !self.tool_calls.is_empty()
    }

    /// One step. An input that does not fit the state changes nothing. `jitter` is from 0 to 1.
    pub fn step(&mut self, input: Input, jitter: f64) -> Vec<Effect> {
        match (&self.state, input) {
            (State::New, Input::Start) => self.admit(),
            (State::Admitting, Input::Admitted { max_output }) => {
                self.state = State::Streaming;
                self.instead_of.clear();
                self.open = Open {
                    max_output,
                    ..Open::default()
                };
                vec![Effect::Open]
            }
            (State::Admitting, Input::AdmittedTooLate) => {
                let stop = Err(ErrorClass::ConnectionLost);
                let mut effects = vec![self.settle(Ending::NothingSent, stop, true)];
                effects.extend(self.finish(Outcome::Cancelled));
                effects
            }
            (State::Admitting, Input::Refused { verdict, reason }) => self.refused(verdict, reason),
            (State::Streaming, Input::Event(event)) => self.event(event),
            (State::Streaming, Input::Failed(error)) => self.failed(error, jitter),
            (State::Streaming, Input::StreamEnded) => self.stream_ended(jitter),
            (State::Streaming, Input::Cancelled) => {
                let ending = self.partial();
                let mut effects = vec![self.settle(ending, Err(ErrorClass::ConnectionLost), true)];
                effects.extend(self.finish(Outcome::Cancelled));
                effects
            }
            (State::New | State::Admitting | State::Waiting, Input::Cancelled) => {
                self.finish(Outcome::Cancelled)
            }
            (State::Waiting, Input::TimerFired) => self.admit(),
            _ => Vec::new(),
        }
    }

    fn admit(&mut self) -> Vec<Effect> {
        let Some(step) = self.steps.get(self.route) else {
            let outcome = self
                .failure
                .take()
                .map_or(Outcome::Refused, Outcome::Failed);
            return self.finish(outcome);
        };
        let reason = self.why_again.take().unwrap_or_else(|| step.reason.clone());
        self.attempt += 1;
        self.state = State::Admitting;
        vec![Effect::Admit(Ask {
            route: self.route,
            attempt: self.attempt,
            reason,
            instead_of: self.instead_of.clone(),
        })]
    }

    /// The first route that is there for this cause and was not tried; behind the last where there
    /// is none.
    fn after(&self, cause: Cause) -> usize {
        let read = self.steps.get(self.route).and_then(|step| step.context);
        let fits = |step: &Step| {
            // What was too long for one is too long for another that reads no more.
            let reads_more = match (cause, read, step.context) {
                (Cause::Context, Some(read), Some(reads)) => reads > read,
                _ => true,
            };
            step.on.contains(cause) && reads_more
        };
        let mut others = self.steps.iter().zip(&self.tried).enumerate();
        let next =
            others.find(|(place, (step, tried))| *place != self.route && !**tried && fits(step));
        next.map_or(self.steps.len(), |(place, _)| place)
    }

    fn next_route(&mut self, cause: Cause, why: String) -> Vec<Effect> {
        let left = self.route;
        if let Some(tried) = self.tried.get_mut(left) {
            *tried = true;
        }
        self.route = self.after(cause);
        self.retries = 0;
        self.why_again = self
            .steps
            .get(self.route)
            .map(|step| format!("{}: {why}", step.reason));
        self.instead_of.push(Instead {
            route: left,
            cause,
            why,
        });
        self.admit()
    }

    fn refused(&mut self, verdict: Verdict, reason: String) -> Vec<Effect> {
        match verdict {
            Verdict::Next(cause) => {
                // What went wrong here before is why it is not asked again now.
                let failed = self.failure.as_ref().filter(|_| self.retries > 0);
                let why = failed.map_or(reason, |error| words(error.class).to_owned());
                self.next_route(cause, why)
            }
            Verdict::Stop => {
                // What a provider said before it is what the person needs to know.
                let outcome = self
                    .failure
                    .take()
                    .map_or(Outcome::Refused, Outcome::Failed);
                self.finish(outcome)
            }
        }
    }

    fn event(&mut self, event: ModelEvent) -> Vec<Effect> {
        match event {
            ModelEvent::Started { request_id, model } => {
                self.open.started = true;
                self.open.request_id = request_id.or(self.open.request_id.take());
                self.open.model = model.or(self.open.model.take());
                let (request_id, model) = (self.open.request_id.clone(), self.open.model.clone());
                shown(ModelEvent::Started { request_id, model })
            }
            ModelEvent::Usage(usage) => {
                self.open.started = true;
                self.open.usage = self.open.usage.replaced_by(usage);
                shown(ModelEvent::Usage(self.open.usage))
            }
            ModelEvent::ReasoningSignature(text) => {
                self.opaque(text, ModelEvent::ReasoningSignature)
            }
            ModelEvent::RedactedReasoning(text) => self.opaque(text, ModelEvent::RedactedReasoning),
            ModelEvent::ToolCall {
                index,
                id,
                name,
                signature,
            } => self.tool_call(index, id, name, signature),
            ModelEvent::ToolArguments { index, json } => self.tool_arguments(index, json),
            ModelEvent::Stop(stop) => {
                self.open.started = true;
                self.open.stop = Some(stop);
                Vec::new()
            }
            ModelEvent::Text(text) => self.more(Channel::Text, text),
            ModelEvent::Reasoning(text) => self.more(Channel::Reasoning, text),
        }
    }

    fn stream_ended(&mut self, jitter: f64) -> Vec<Effect> {
        let Some(stop) = self.open.stop.clone() else {
            let error = self.own_error(
                ErrorClass::BrokenStream,
                "the answer ended without saying that it had".to_owned(),
            );
            return self.failed(error, jitter);
        };
        let usage = self.open.usage;
        let told = usage.input_tokens().is_some() && usage.output_tokens().is_some();
        let ending = if told {
            Ending::Reported(usage)
        } else {
            self.partial()
        };
        let mut effects = vec![self.settle(ending, Ok(stop.clone()), false)];
        effects.extend(self.finish(Outcome::Answered(stop)));
        effects
    }

    fn own_error(&self, class: ErrorClass, message: String) -> ModelError {
        ModelError {
            provider: String::new(),
            class,
            message,
            status: None,
            code: None,
            retry_after_ms: None,
            request_id: self.open.request_id.clone(),
        }
    }

    fn failed(&mut self, error: ModelError, jitter: f64) -> Vec<Effect> {
        let ending = if self.open.started {
            self.broken(error.class)
        } else if error.class.nothing_sent() {
            Ending::NothingSent
        } else if error.class.refused_whole() {
            Ending::RefusedWhole
        } else {
            self.broken(error.class)
        };
        if self.open.request_id.is_none() {
            self.open.request_id.clone_from(&error.request_id);
        }
        let mut settled = self.settle(ending, Err(error.class), false);
        if let Effect::Settle { retry_after_ms, .. } = &mut settled {
            *retry_after_ms = error.retry_after_ms;
        }
        let mut effects = vec![settled];
        let cause = match Cause::of(error.class) {
            Some(cause) if !self.has_begun() => cause,
            _ => {
                effects.extend(self.finish(Outcome::Failed(error)));
                return effects;
            }
        };
        match self.wait(&error, cause, jitter) {
            Some(wait_ms) => {
                self.retries += 1;
                self.waited_ms += wait_ms;
                self.state = State::Waiting;
                self.why_again = Some(format!(
                    "{}: waited {}.{} s",
                    words(error.class),
                    wait_ms / 1000,
                    wait_ms % 1000 / 100
                ));
                self.failure = Some(error);
                effects.push(Effect::Wait { wait_ms });
            }
            None => {
                let why = words(error.class).to_owned();
                self.failure = Some(error);
                effects.extend(self.next_route(cause, why));
            }
        }
        effects
    }

    /// How long to wait before the same route is tried again; none where it is not.
    fn wait(&self, error: &ModelError, cause: Cause, jitter: f64) -> Option<u64> {
        if !error.class.is_passing() || self.retries >= self.limits.retries {
            return None;
        }
        let ours = self
            .limits
            .backoff_ms
            .saturating_mul(1 << self.retries.min(16))
            .min(self.limits.backoff_max_ms);
        // From half of it to all of it, so that many who were refused at once come back apart.
        let ours = ours / 2 + (ours as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as u64;
        let wait_ms = match error.retry_after_ms {
            Some(asked) if asked > self.limits.retry_after_max_ms => return None,
            Some(asked) => asked.max(ours),
            None => ours,
        };
        let beside = self.after(cause) < self.steps.len();
        // Who is not there does not come because somebody waits.
        let is_gone = error.class.nothing_sent();
        if beside && (is_gone || wait_ms > self.limits.wait_beside_max_ms) {
            return None;
        }
        (self.waited_ms + wait_ms <= self.limits.wait_total_max_ms).then_some(wait_ms)
    }

    /// What is owed for what came: every byte may be a token, and no answer has more than allowed.
    fn partial(&self) -> Ending {
        Ending::Partial {
            usage: self.open.usage,
            counted_output: (self.shown_bytes() as u64).min(self.open.max_output.into()),
        }
    }

    /// As [`Self::partial`], for an answer that broke. Of one beyond a bound nobody knows how much
    /// came.
    fn broken(&self, class: ErrorClass) -> Ending {
        match self.partial() {
            Ending::Partial { usage, .. } if class == ErrorClass::TooLarge => Ending::Partial {
                usage,
                counted_output: self.open.max_output.into(),
            },
            other => other,
        }
    }

    fn settle(
        &mut self,
        ending: Ending,
        stop: Result<StopReason, ErrorClass>,
        cancelled: bool,
    ) -> Effect {
        Effect::Settle {
            ending,
            stop,
            retry_after_ms: None,
            request_id: self.open.request_id.take(),
            model: self.open.model.take(),
            cancelled,
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Vec<Effect> {
        self.state = State::Done;
        vec![Effect::Finish(outcome)]
    }
}

/// For a person: what went wrong, in a few words.
pub fn words(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Auth => "the key was not accepted",
        ErrorClass::Billing => "the provider's account has no money left",
        ErrorClass::RateLimited => "rate limited",
        ErrorClass::Overloaded => "overloaded",
        ErrorClass::ContextOverflow => "longer than the model's context",
        ErrorClass::BadRequest => "the request was not accepted",
        ErrorClass::ModelNotFound => "no such model",
        ErrorClass::ContentFilter => "refused by the provider's filter",
        ErrorClass::Server => "the provider failed",
        ErrorClass::Connect => "no connection",
        ErrorClass::Tls => "no TLS that can be trusted",
        ErrorClass::Timeout(Phase::Connect) => "no connection in time",
        ErrorClass::Timeout(Phase::FirstByte) => "no answer in time",
        ErrorClass::Timeout(Phase::Idle | Phase::Total) => "the answer took too long",
        ErrorClass::ConnectionLost => "the connection broke",
        ErrorClass::BrokenStream => "the answer broke off",
        ErrorClass::TooLarge => "the answer is too large",
        ErrorClass::Redirect => "the provider wants us elsewhere",
        ErrorClass::Denied => "the permit does not cover it",
    }
}

#[cfg(test)]
mod tests;
