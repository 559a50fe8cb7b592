//! A model's part of a review: makes the calls that the machine wants, a few at a time, and hands
//! on what stands.

use std::{borrow::Cow, collections::VecDeque, sync::Arc};

use convergio_contract::{ErrorCode, RpcError, finding as wire};
use convergio_engine::Route;
use convergio_ledger::Denied;
use convergio_models_api::{Message, ModelRequest, OutputSchema, Role, StopReason};
use convergio_review::{
    Finding,
    model::{Call, DropReason, Effect, Input, ModelReview, ModelSummary, Part, Pass, Plan, Prompt},
};
use tokio::task::JoinSet;

use super::{
    accounts::Totals,
    calls::{Answer, CallFailed, Calls, Wanted},
    outgoing::refuses_secrets,
    record::WriteError,
};
use crate::failure::internal;

/// Calls at one time: of a provider in the cloud, of this machine.
const CLOUD_WIDTH: usize = 4;
const LOCAL_WIDTH: usize = 1;
/// Failures in a row after which nothing new is begun.
const STRIKES_MAX: u32 = 2;
/// How a hidden secret stands in a prompt.
const HIDDEN: &str = "[redacted]";

/// The model's part, between its first call and its last.
pub(super) struct ModelLook {
    calls: Arc<Calls>,
    machine: ModelReview,
    waiting: VecDeque<Call>,
    open: JoinSet<(Call, Result<Answer, CallFailed>)>,
    width: usize,
    chunks: usize,
    redactions: u32,
    /// Who answers, as planned; who answered, once somebody did.
    name: String,
    local: bool,
    error: Option<RpcError>,
    strikes: u32,
    /// Nothing new is begun any more, and why.
    doomed: Option<String>,
    done: Option<Box<ModelSummary>>,
    /// The instructions of each pass at a provider that keeps them, first look and second.
    kept: [Kept; 2],
}

/// What a provider has of the instructions that all calls of a pass begin with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kept {
    /// Nothing.
    #[default]
    No,
    /// A call that it keeps them from is under way.
    Soon,
    /// They can be read.
    Yes,
}

impl ModelLook {
    /// Nothing is asked before [`Self::next`] is.
    pub(super) fn new(calls: Arc<Calls>, first: &Route, plan: Plan) -> Self {
        let redactions = plan.redactions().iter().map(|redacted| redacted.count);
        let mut look = Self {
            calls,
            waiting: VecDeque::new(),
            open: JoinSet::new(),
            width: if first.local {
                LOCAL_WIDTH
            } else {
                CLOUD_WIDTH
            },
            chunks: plan.chunks().len(),
            redactions: redactions.fold(0, u32::saturating_add),
            name: first.target.to_string(),
            local: first.local,
            error: None,
            strikes: 0,
            doomed: None,
            done: None,
            kept: [Kept::No; 2],
            machine: ModelReview::new(plan),
        };
        if look.chunks == 0 {
            // Nothing fits: that is said, and nothing is asked.
            look.step(Input::Stop {
                why: "nothing of it fits".to_owned(),
            });
        } else {
            look.step(Input::Start);
        }
        look
    }

    /// Everything was asked and answered.
    pub(super) fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// What stands after the next answers. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Vec<Finding> {
        loop {
            if self.is_done() {
                return Vec::new();
            }
            self.begin_calls();
            let found = match self.open.join_next().await {
                Some(Ok((call, answered))) => self.take(call, answered),
                Some(Err(error)) => {
                    let told = internal("a look failed inside the daemon", error.to_string());
                    self.fail(told.clone());
                    self.step(Input::Stop { why: told.message })
                }
                None => {
                    let why = self.doomed.take();
                    self.step(Input::Stop {
                        why: why.unwrap_or_else(|| "it was not asked".to_owned()),
                    })
                }
            };
            if !found.is_empty() || self.is_done() {
                return found;
            }
        }
    }

    /// Ends every open call; what they owe is settled with the run's next commit.
    pub(super) async fn stop(&mut self) {
        self.open.shutdown().await;
    }

    /// Second looks first: what they leave can be shown.
    fn begin_calls(&mut self) {
        while self.open.len() < self.width {
            let second = |call: &Call| call.pass == Pass::Argue;
            let place = match self.waiting.iter().position(second) {
                Some(place) => place,
                None if self.doomed.is_none() && !self.waiting.is_empty() => 0,
                None => return,
            };
            let Some(call) = self.waiting.remove(place) else {
                return;
            };
            let Some(mut prompt) = self.machine.prompt(call) else {
                continue;
            };
            // Keys of this machine have no form that a rule would know.
            let redactor = self.calls.daemon.models.secrets.redactor();
            let mut redactions = self.hidden(&prompt);
            if let Cow::Owned(without) = redactor.redact(&prompt.user) {
                prompt.user = without;
                redactions = redactions.saturating_add(1);
            }
            let recurs = self.marked(call.pass);
            let wanted = Wanted {
                recurs,
                purpose: purpose(call, self.chunks),
                redactions,
                masks: false,
                request: request(prompt),
                show: false,
                sink: None,
                cache: false,
                kept: None,
                acceptance: None,
            };
            let calls = Arc::clone(&self.calls);
            self.open
                .spawn(async move { (call, calls.ask(wanted).await) });
        }
    }

    /// Whether the next call of a pass is marked for its provider to keep what it begins with. Writing
    /// it costs more than sending it, and calls at one time cannot read what each other writes: the
    /// first one writes, those behind its answer read, those beside it are sent as ever.
    fn marked(&mut self, pass: Pass) -> bool {
        let many = self.chunks > 1;
        let kept = &mut self.kept[usize::from(pass == Pass::Argue)];
        if many && *kept == Kept::No {
            *kept = Kept::Soon;
            return true;
        }
        many && *kept == Kept::Yes
    }

    /// Secrets that are hidden in a prompt; the mark itself may stand in the diff.
    fn hidden(&self, prompt: &Prompt) -> u32 {
        let marks = prompt.user.matches(HIDDEN).count();
        u32::try_from(marks)
            .unwrap_or(u32::MAX)
            .min(self.redactions)
    }

    fn take(&mut self, call: Call, answered: Result<Answer, CallFailed>) -> Vec<Finding> {
        self.kept[usize::from(call.pass == Pass::Argue)] = match answered {
            Ok(_) => Kept::Yes,
            // The next one writes.
            Err(_) => Kept::No,
        };
        match answered {
            Ok(answer) => {
                self.strikes = 0;
                self.name = answer.route.target.to_string();
                self.local = answer.route.local;
                let refused = match answer.stop {
                    StopReason::Refusal | StopReason::ContentFilter => true,
                    StopReason::End
                    | StopReason::MaxOutput
                    | StopReason::ContextFull
                    | StopReason::StopSequence
                    | StopReason::ToolUse
                    | StopReason::Other(_) => false,
                };
                if refused {
                    let why = "it refused to answer".to_owned();
                    let told = format!("{} refused to look at a part", self.name);
                    self.fail(
                        RpcError::new(ErrorCode::ProviderError, told).hint("cv review --no-model"),
                    );
                    return self.step(Input::Failed { call, why });
                }
                let cut = !answer.stop.is_whole();
                let text = answer.text();
                self.step(Input::Reply { call, text, cut })
            }
            // The run ends by it, and says so.
            Err(failed) if failed.cancelled => Vec::new(),
            Err(failed) => self.failed(call, failed.error),
        }
    }

    fn failed(&mut self, call: Call, error: WriteError) -> Vec<Finding> {
        let money = matches!(&error, WriteError::Denied(Denied::Budget(_)));
        if money && !self.open.is_empty() {
            // What the others hold and do not use comes back: it is tried again after them.
            self.width = self.open.len();
            self.waiting.push_front(call);
            return Vec::new();
        }
        let mut told = error.told();
        if let Some(data) = &mut told.data
            && let Some(hint) = &mut data.hint
            && let Some(options) = hint.strip_prefix("cv ask --")
        {
            *hint = format!("cv review --{options}");
        }
        let why = told.message.clone();
        let of_this_call = match told.kind() {
            Some(ErrorCode::TooLarge | ErrorCode::InvalidParams) => true,
            // What holds a secret stays here, and the rest of the change is looked at.
            Some(ErrorCode::EgressDenied) => refuses_secrets(&self.calls.context.settings),
            _ => false,
        };
        let passing = told.data.as_ref().is_some_and(|data| data.retryable);
        if !of_this_call {
            self.strikes += 1;
            if !passing || self.strikes >= STRIKES_MAX {
                self.doomed = Some(why.clone());
            }
        }
        self.fail(told);
        self.step(Input::Failed { call, why })
    }

    /// Keeps the error that the run's end tells: the first one, but money goes before.
    fn fail(&mut self, error: RpcError) {
        let money = |error: &RpcError| {
            matches!(
                error.kind(),
                Some(ErrorCode::BudgetExceeded | ErrorCode::PriceUnknown)
            )
        };
        let before = self.error.as_ref();
        if before.is_none_or(|before| money(&error) && !money(before)) {
            self.error = Some(error);
        }
    }

    fn step(&mut self, input: Input) -> Vec<Finding> {
        let mut found = Vec::new();
        for effect in self.machine.step(input) {
            match effect {
                Effect::Ask(call) => self.waiting.push_back(call),
                Effect::Emit(findings) => found.extend(findings),
                Effect::Done(summary) => self.done = Some(summary),
            }
        }
        found
    }

    /// What it came to, once it is done: what it did, what it did not read, what it may not list.
    pub(super) fn outcome(&mut self) -> Outcome {
        let summary = self.done.take().unwrap_or_default();
        let dropped = |reasons: &[DropReason]| -> u32 {
            let of = summary.dropped.iter();
            of.filter(|(reason, _)| reasons.contains(reason))
                .fold(0, |sum: u32, (_, count)| sum.saturating_add(*count))
        };
        let all = summary.dropped.iter().map(|(_, count)| *count);
        let shown = summary.counts.iter().copied();
        let unlisted = [summary.silenced, summary.below_severity];
        let proposed = all.chain(shown).chain(unlisted);
        let layer = wire::ModelLayer {
            name: self.name.clone(),
            local: self.local,
            complete: summary.complete,
            error: self.error.take().filter(|_| !summary.complete),
            chunks: summary.chunks,
            chunks_done: summary.chunks_reviewed,
            proposed: proposed.fold(0, u32::saturating_add),
            unanchored: dropped(&[
                DropReason::UnknownPath,
                DropReason::QuoteTooShort,
                DropReason::QuoteNotThere,
                DropReason::NotInChange,
            ]),
            rejected: dropped(&[DropReason::Refuted, DropReason::NoVerdict]),
            duplicates: dropped(&[DropReason::SaidByRule, DropReason::SaidBefore]),
            redactions: self.redactions,
            ..wire::ModelLayer::default()
        };
        Outcome {
            layer,
            unreviewed: summary.unreviewed.clone(),
            silenced: summary.silenced,
        }
    }
}

/// What a model's part came to.
pub(super) struct Outcome {
    pub(super) layer: wire::ModelLayer,
    /// What it did not read, a sentence each.
    pub(super) unreviewed: Vec<String>,
    /// Its findings that somebody silenced.
    pub(super) silenced: u32,
}

/// What the calls came to, in the layer's numbers.
pub(super) fn with_totals(mut layer: wire::ModelLayer, totals: &Totals) -> wire::ModelLayer {
    layer.input_tokens = totals.input_tokens;
    layer.output_tokens = totals.output_tokens;
    layer.amount_nano_usd = totals.amount_nano_usd;
    layer.estimated = totals.estimated;
    layer
}

/// What a call is for, for a person.
fn purpose(call: Call, chunks: usize) -> String {
    match (call.part, call.pass) {
        (Part::Chunk(index), Pass::Find) => format!("chunk {} of {chunks}", index + 1),
        (Part::Chunk(index), Pass::Argue) => format!("second look at chunk {}", index + 1),
        (Part::Synthesis, Pass::Find) => "look across files".to_owned(),
        (Part::Synthesis, Pass::Argue) => "second look across files".to_owned(),
    }
}

/// A prompt as a request; who is asked is filled in where it is admitted.
pub(crate) fn request(prompt: Prompt) -> ModelRequest {
    ModelRequest {
        provider: String::new(),
        model: String::new(),
        system: Some(prompt.system),
        messages: vec![Message::text(Role::User, prompt.user)],
        max_output: prompt.max_output_tokens,
        temperature: None,
        output_schema: prompt.schema.map(|schema| OutputSchema {
            name: prompt.schema_name.to_owned(),
            schema,
        }),
        ..ModelRequest::default()
    }
}
