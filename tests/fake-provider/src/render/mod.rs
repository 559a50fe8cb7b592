//! From a reply and the facts of its request to bytes, with the points where something happens.

mod anthropic;
mod gemini;
mod lists;
mod ollama;
mod openai;
pub(crate) mod plan;
mod responses;
pub(crate) mod validity;

use serde_json::Value;

pub(crate) use self::{
    lists::list,
    plan::{Plan, Tail, plan},
};
use crate::{
    record::Billed,
    reply::{Cache, Content, Failure, Part, Reply, Stop, Usage},
    request::{Dialect, Request},
};

/// What a renderer needs to know of the request.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) dialect: Option<Dialect>,
    pub(crate) index: usize,
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) prompt_tokens: u64,
    pub(crate) max_output: Option<u64>,
}

impl Facts {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            dialect: request.dialect,
            index: request.index,
            model: request.model().unwrap_or_default(),
            stream: request.is_stream(),
            include_usage: request.json()["stream_options"]["include_usage"] == Value::Bool(true),
            prompt_tokens: (request.prompt().len() as u64).div_ceil(4).max(1),
            max_output: request.max_output(),
        }
    }

    /// A streamed call that asks for its usage.
    pub(crate) fn assumed(dialect: Dialect, model: &str) -> Self {
        Self {
            dialect: Some(dialect),
            index: 0,
            model: model.to_owned(),
            stream: true,
            include_usage: true,
            prompt_tokens: 1,
            max_output: None,
        }
    }

    /// The reply's id in the body: of a fixed width, so that offsets don't depend on it.
    fn id(&self, prefix: &str) -> String {
        format!("{prefix}fake{:08}", self.index)
    }
}

/// A piece of a body.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) bytes: Vec<u8>,
    /// Whether it carries a token.
    pub(crate) delta: bool,
}

impl Span {
    fn event(name: Option<&str>, data: &Value, delta: bool) -> Self {
        let name = name
            .map(|name| format!("event: {name}\n"))
            .unwrap_or_default();
        Self {
            bytes: format!("{name}data: {data}\n\n").into_bytes(),
            delta,
        }
    }

    fn line(data: &Value, delta: bool) -> Self {
        Self {
            bytes: format!("{data}\n").into_bytes(),
            delta,
        }
    }

    fn plain(text: &str) -> Self {
        Self {
            bytes: text.into(),
            delta: false,
        }
    }
}

/// An answer with everything decided that does not depend on the dialect.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) parts: Vec<Part>,
    pub(crate) stop: Stop,
    /// What to report; `None` to report nothing.
    pub(crate) usage: Option<Counts>,
    pub(crate) end_marker: bool,
    pub(crate) pings: bool,
    pub(crate) fail_after: Option<(usize, Failure)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) input: u64,
    pub(crate) cache: Cache,
    /// All of the output, reasoning included.
    pub(crate) output: u64,
    pub(crate) reasoning: Option<u64>,
}

impl Answer {
    fn new(reply: &Reply, parts: &[Part], facts: &Facts) -> Self {
        let (parts, cut) = match facts.max_output {
            Some(limit) if reply.heeds_max_output => within(parts, limit),
            _ => (parts.to_vec(), false),
        };
        let calls = parts
            .iter()
            .any(|part| matches!(part, Part::ToolCall { .. }));
        let stop = match &reply.stop {
            _ if cut => Stop::Length,
            Some(stop) => stop.clone(),
            None if calls => Stop::ToolUse,
            None => Stop::End,
        };
        let tokens = tokens_in(&parts);
        let counts = |input, output| Counts {
            input,
            cache: reply.cache.clone(),
            output,
            reasoning: reply.reasoning_tokens,
        };
        let usage = match reply.usage {
            Usage::Own => Some(counts(facts.prompt_tokens, tokens)),
            Usage::Given { input, output } => Some(counts(input, output)),
            Usage::Absent => None,
        };
        Self {
            parts,
            stop,
            usage,
            end_marker: reply.end_marker,
            pings: reply.pings,
            fail_after: reply.fail_after.clone(),
        }
    }

    fn tokens(&self) -> u64 {
        tokens_in(&self.parts)
    }

    /// Whether the stream fails before its delta number `delta` (from 0).
    fn fails_before(&self, delta: usize) -> Option<&Failure> {
        let (after, failure) = self.fail_after.as_ref()?;
        (*after <= delta).then_some(failure)
    }
}

/// How a dialect is written.
struct Writer {
    stream: fn(&Answer, &Facts) -> Vec<Span>,
    whole: fn(&Answer, &Facts) -> Value,
    failure: fn(&Failure, &Facts) -> Value,
    /// What stands before the text of a delta that never ends.
    endless: fn(&Facts) -> String,
    stream_type: &'static str,
    request_id: Option<&'static str>,
}

fn writer(dialect: Dialect) -> &'static Writer {
    match dialect {
        Dialect::Anthropic => &anthropic::WRITER,
        Dialect::OpenAi => &openai::WRITER,
        Dialect::Responses => &responses::WRITER,
        Dialect::Gemini => &gemini::WRITER,
        Dialect::Ollama => &ollama::WRITER,
    }
}

fn tokens_in(parts: &[Part]) -> u64 {
    parts.iter().map(tokens_of).sum()
}

fn tokens_of(part: &Part) -> u64 {
    match part {
        Part::Text(deltas) | Part::Reasoning(deltas) | Part::Refusal(deltas) => deltas.len() as u64,
        Part::ToolCall { .. } => 1,
    }
}

/// The parts up to so many tokens, and whether something was cut.
fn within(parts: &[Part], limit: u64) -> (Vec<Part>, bool) {
    let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut kept = Vec::new();
    let mut cut = false;
    for part in parts {
        let take = |deltas: &[String]| deltas.iter().take(left).cloned().collect::<Vec<_>>();
        let tokens = usize::try_from(tokens_of(part)).unwrap_or(usize::MAX);
        cut |= tokens > left;
        match part {
            _ if left == 0 => {}
            Part::Text(deltas) => kept.push(Part::Text(take(deltas))),
            Part::Reasoning(deltas) => kept.push(Part::Reasoning(take(deltas))),
            Part::Refusal(deltas) => kept.push(Part::Refusal(take(deltas))),
            Part::ToolCall { .. } => kept.push(part.clone()),
        }
        left = left.saturating_sub(tokens);
    }
    (kept, cut)
}

/// What is billed for a reply of which `sent` deltas left.
pub(crate) fn billed(reply: &Reply, facts: &Facts, plan: &Plan, sent: usize) -> Billed {
    if !matches!(reply.content, Content::Answer(_)) || facts.dialect.is_none() {
        return Billed::default();
    }
    let share = |output: u64| match sent >= plan.deltas {
        true => output,
        false => output * sent as u64 / plan.deltas as u64,
    };
    let (input, output) = match reply.usage {
        Usage::Given { input, output } => {
            let cached = reply.cache.read + reply.cache.write_5m + reply.cache.write_1h;
            (input + cached, share(output))
        }
        Usage::Own | Usage::Absent => (facts.prompt_tokens, share(plan.tokens)),
    };
    Billed {
        calls: 1,
        input_tokens: input,
        output_tokens: output,
    }
}
