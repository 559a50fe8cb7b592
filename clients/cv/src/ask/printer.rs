//! An answer on its way to stdout, and how it ends.

use convergio_contract::{ErrorCode, RunEvent, chat::Stop};
use serde_json::{Value, json};

use super::{
    Reply, code,
    file::Target,
    reply::{ANSWER_MAX_BYTES, Added},
    schema::Schema,
};
use crate::{
    context::{Context, ErrorForm},
    error::{Failure, Kind},
    hint::Hint,
    markdown::Screen,
    money,
    output::{Answer, escape, escape::Piped},
    render::report::End,
    table::Format,
};

/// What is wanted of the answer.
#[derive(Default)]
pub struct Asked {
    /// How to print it.
    pub format: Format,
    /// Only the first fenced block.
    pub code: bool,
    /// JSON of this shape.
    pub schema: Option<Schema>,
    /// Into this file.
    pub target: Option<Target>,
    /// Never render Markdown.
    pub plain: bool,
    /// stdin was silent and is not part of the question.
    pub stdin_ignored: bool,
    /// Nothing of it is kept, so nothing can be read later.
    pub ephemeral: bool,
}

impl Asked {
    /// Whether text goes out as it arrives.
    pub const fn streams(&self) -> bool {
        matches!(self.format, Format::Text | Format::Md)
            && !self.code
            && self.schema.is_none()
            && self.target.is_none()
    }
}

enum Sink {
    /// Rendered on a terminal.
    Screen(Box<Screen>),
    /// As it came, on a terminal.
    Bare,
    /// As it came, into a pipe or a file.
    Piped(Piped),
}

/// The answer's way out.
pub struct Printer {
    /// What is wanted.
    pub asked: Asked,
    /// What is known so far.
    pub reply: Reply,
    sink: Sink,
    /// The terminal's line holds text.
    mid_line: bool,
    /// The terminal event was printed.
    ended: bool,
    /// The whole document was printed.
    told: bool,
    /// The failure was told.
    failed: bool,
}

impl Printer {
    /// A printer; errors on stdout are its own business from here on.
    pub fn new(asked: Asked, context: &mut Context) -> Self {
        context.error_form = ErrorForm::Notes;
        let rendered = context.answer.is_terminal
            && asked.format == Format::Text
            && !asked.plain
            && !context.surroundings.color.dumb;
        let sink = if rendered {
            Sink::Screen(Box::new(Screen::new(context.answer.layout)))
        } else if context.answer.is_terminal {
            Sink::Bare
        } else {
            Sink::Piped(Piped::default())
        };
        Self {
            asked,
            reply: Reply::default(),
            sink,
            mid_line: false,
            ended: false,
            told: false,
            failed: false,
        }
    }

    /// Whether the answer already stands on the terminal, so that nothing may be drawn there.
    pub fn occupies(&self, answer: &Answer) -> bool {
        answer.is_terminal && self.asked.streams() && !self.reply.is_empty()
    }

    /// Takes an event in and prints what is printed on arrival.
    pub fn event(&mut self, event: &RunEvent, context: &mut Context) -> Result<(), Failure> {
        let added = self.reply.take(event);
        if self.asked.format == Format::Ndjson && !self.ended {
            self.ended = event.body.is_terminal();
            context.answer.json(&Line { v: 1, event })?;
            context.answer.flush()?;
        }
        match added {
            Added::Nothing => Ok(()),
            Added::TooMuch => Err(Failure::new(
                Kind::TooLarge,
                "The answer is too long",
                format!("more than {} MiB came", ANSWER_MAX_BYTES / 1024 / 1024),
                Hint::MORE_OUTPUT,
            )),
            Added::Text(text) => self.text(&text, &mut context.answer),
            Added::Restated(text) => {
                if self.asked.streams() {
                    self.rest(&mut context.answer)?;
                    context
                        .notes
                        .note("What follows replaces the text above: not all of that was right.");
                }
                self.text(&text, &mut context.answer)
            }
        }
    }

    fn text(&mut self, text: &str, answer: &mut Answer) -> Result<(), Failure> {
        if !self.asked.streams() || text.is_empty() {
            return Ok(());
        }
        match &mut self.sink {
            Sink::Screen(screen) => answer.write(&screen.push(text))?,
            Sink::Bare => answer.write(&escape::shown(text))?,
            Sink::Piped(piped) => answer.write(&piped.push(text))?,
        }
        self.mid_line = !text.ends_with('\n');
        answer.flush()
    }

    /// Writes what was held back, and leaves a terminal at the beginning of a line.
    fn rest(&mut self, answer: &mut Answer) -> Result<(), Failure> {
        match &mut self.sink {
            Sink::Screen(screen) => answer.write(&screen.end())?,
            Sink::Bare if self.mid_line => answer.write("\n")?,
            Sink::Bare => {}
            Sink::Piped(piped) => answer.write(&piped.end())?,
        }
        self.mid_line = false;
        answer.flush()
    }

    /// Says that nothing has arrived for a while.
    pub fn heartbeat(&self, at_ms: i64, answer: &mut Answer) -> Result<(), Failure> {
        if self.asked.format != Format::Ndjson {
            return Ok(());
        }
        answer.json(&json!({"v": 1, "type": "heartbeat", "at_ms": at_ms}))?;
        answer.flush()
    }

    /// Says, where a program reads it, that stdin is not part of the question.
    pub fn stdin_ignored(&mut self, context: &mut Context) -> Result<(), Failure> {
        self.asked.stdin_ignored = true;
        context.notes.note("stdin ignored (use -)");
        if self.asked.format == Format::Ndjson {
            context
                .answer
                .json(&json!({"v": 1, "type": "stdin", "stdin": "ignored"}))?;
            context.answer.flush()?;
        }
        Ok(())
    }

    /// How the run ended: well, or why not.
    pub fn verdict(&self) -> Result<(), Failure> {
        match &self.reply.end {
            Some(End::Completed) => {}
            Some(End::Failed(error)) => return Err(error.clone().into()),
            Some(End::Cancelled(reason)) => {
                return Err(Failure::new(
                    Kind::Rpc(ErrorCode::Cancelled),
                    "The question was cancelled",
                    reason,
                    Hint::AGAIN,
                ));
            }
            None => {
                return Err(Failure::new(
                    Kind::Unreachable,
                    "The answer has no end",
                    "its events stopped before it was complete",
                    Hint::DOCTOR_AND_LOGS,
                ));
            }
        }
        let stop = self
            .reply
            .summary
            .as_ref()
            .map(|summary| &summary.stop)
            .or(self.reply.stop.as_ref());
        match stop {
            None | Some(Stop::End | Stop::Other) => Ok(()),
            Some(Stop::MaxOutput) => Err(Failure::new(
                Kind::Incomplete,
                "The answer is cut",
                match &self.reply.attempt {
                    Some(attempt) => format!(
                        "it reached its limit of {} tokens",
                        crate::render::words::grouped(attempt.max_output.into())
                    ),
                    None => "it reached its output limit".to_owned(),
                },
                Hint::MORE_OUTPUT,
            )),
            Some(Stop::ContextFull) => Err(Failure::new(
                Kind::Incomplete,
                "The answer is cut",
                "question and answer together fill what the model can hold",
                Hint::LESS_INPUT,
            )),
            Some(Stop::Refusal) => Err(Failure::new(
                Kind::Declined,
                "The model refused to answer",
                "it says so itself; nothing here filtered it",
                Hint::OTHER_MODEL,
            )),
            Some(Stop::ContentFilter) => Err(Failure::new(
                Kind::Declined,
                "The provider's filter ended the answer",
                "the provider does not say more",
                Hint::OTHER_MODEL,
            )),
            Some(Stop::Broken) => Err(Failure::new(
                Kind::Rpc(ErrorCode::ProviderError),
                "The answer broke off",
                "the provider did not finish it",
                Hint::RUNS,
            )),
        }
    }

    /// What the question was for, where that is not the text itself: the code, the JSON.
    pub fn product(&self) -> Result<Product, Failure> {
        let text = self.reply.text();
        if let Some(schema) = &self.asked.schema {
            return match schema.check(&text) {
                Ok(value) => Ok(Product::Json(value)),
                Err(why) => Err(Failure::new(
                    Kind::Unfit,
                    "The answer does not fit the schema",
                    why,
                    self.see_answer(),
                )),
            };
        }
        if self.asked.code {
            return match code::first_block(&text) {
                Some(code) => Ok(Product::Code(code)),
                None => Err(Failure::new(
                    Kind::Incomplete,
                    "There is no code in the answer",
                    "--code prints the first fenced block, and the answer has none that is whole",
                    self.see_answer(),
                )),
            };
        }
        Ok(Product::Text(text))
    }

    fn see_answer(&self) -> Hint {
        match self.reply.run_id {
            _ if self.asked.ephemeral => Hint::NOT_KEPT,
            Some(run_id) => Hint::of_this_place(format!("`cv attach {run_id}` shows the answer")),
            None => Hint::RUNS,
        }
    }

    /// Prints the end of a run that ended well. What goes into a file instead of stdout comes
    /// back.
    pub fn end(&mut self, context: &mut Context) -> Result<Option<String>, Failure> {
        let product = self.product()?;
        let answer = &mut context.answer;
        match self.asked.format {
            Format::Ndjson => return Ok(None),
            Format::Json => {
                let document = self.document(Some(&product), None);
                self.told = true;
                if self.asked.target.is_some() {
                    let text =
                        escape::json(&document).map_err(|error| Failure::output(&error.into()))?;
                    return Ok(Some(text + "\n"));
                }
                answer.json(&document)?;
                answer.flush()?;
                return Ok(None);
            }
            Format::Text | Format::Md => {}
        }
        if self.asked.streams() {
            self.rest(answer)?;
            if self.reply.is_empty() {
                context.notes.note("The model answered nothing.");
            }
            return Ok(None);
        }
        let mut text = product.into_text()?;
        if self.asked.target.is_some() {
            text = escape::piped(&text);
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            return Ok(Some(text));
        }
        if answer.is_terminal {
            answer.write(&escape::shown(&text))?;
            if !text.ends_with('\n') {
                answer.write("\n")?;
            }
        } else {
            answer.write(&escape::piped(&text))?;
        }
        answer.flush()?;
        Ok(None)
    }

    /// One object with everything.
    fn document(&self, product: Option<&Product>, failure: Option<&Failure>) -> Value {
        let reply = &self.reply;
        let summary = reply.summary.as_ref();
        let (input_tokens, output_tokens) = reply.tokens();
        let mut document = json!({
            "v": 1,
            "answer": reply.text(),
            "complete": failure.is_none(),
            "stop": summary.map(|summary| &summary.stop).or(reply.stop.as_ref()),
            "provider": reply.provider(),
            "model": reply.model(),
            "local": reply.is_local(),
            "usage": {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "attempts": summary.map(|summary| summary.attempts),
                "estimated": reply.is_estimated(),
            },
            "cost_usd": reply.amount_nano_usd().map(money::decimal),
            "redactions": reply.redactions,
            "run_id": reply.run_id,
            "session_id": summary.and_then(|summary| summary.session_id),
        });
        if let Some(summary) = summary {
            document["duration_ms"] = summary.duration_ms.into();
            document["first_token_ms"] = summary.first_token_ms.into();
            document["bytes_sent"] = summary.bytes_sent.into();
            document["saved"] = summary.saved.into();
        }
        match product {
            Some(Product::Code(code)) => document["code"] = code.as_str().into(),
            Some(Product::Json(value)) => document["json"] = value.clone(),
            Some(Product::Text(_)) | None => {}
        }
        if self.asked.stdin_ignored {
            document["stdin"] = "ignored".into();
        }
        if let Some(failure) = failure {
            document["error"] = failure.to_json();
        }
        document
    }

    /// Leaves the terminal in order after a failure, and lets the format tell it, once. What came
    /// stays.
    pub fn failed(&mut self, failure: &Failure, context: &mut Context) -> Result<(), Failure> {
        context.notes.still();
        if std::mem::replace(&mut self.failed, true)
            || matches!(failure.kind, Kind::ReaderGone | Kind::Output)
        {
            return Ok(());
        }
        match self.asked.format {
            Format::Json if !self.told => {
                let document = self.document(None, Some(failure));
                context.answer.json(&document)?;
                context.answer.flush()?;
            }
            Format::Ndjson if !self.ended => {
                self.ended = true;
                let kind = if failure.kind == Kind::Interrupted {
                    "cancelled"
                } else {
                    "failed"
                };
                context.answer.json(&json!({
                    "v": 1,
                    "type": kind,
                    "run_id": self.reply.run_id,
                    "cost_usd": self.reply.amount_nano_usd().map(money::decimal),
                    "error": failure.to_json(),
                }))?;
                context.answer.flush()?;
            }
            Format::Json | Format::Ndjson => {}
            Format::Text | Format::Md if self.asked.streams() && !self.reply.is_empty() => {
                self.rest(&mut context.answer)?;
                if self.verdict().is_err() {
                    context.notes.note("The answer above is not whole.");
                }
            }
            Format::Text | Format::Md => {}
        }
        if self.verdict().is_err()
            && !self.reply.is_empty()
            && let Some(target) = &self.asked.target
        {
            let kept = target.keep_partial(&escape::piped(&self.reply.text()))?;
            context.notes.note(&format!(
                "What came is in {}; it is not whole. {} is as it was.",
                escape::line(&kept.display().to_string()),
                escape::line(&target.shown())
            ));
        }
        Ok(())
    }
}

/// A line of NDJSON.
#[derive(serde::Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    event: &'a RunEvent,
}

/// What a question was for.
#[derive(Clone, Debug, PartialEq)]
pub enum Product {
    /// The text.
    Text(String),
    /// The first fenced block.
    Code(String),
    /// JSON that fits the schema.
    Json(Value),
}

impl Product {
    fn into_text(self) -> Result<String, Failure> {
        match self {
            Self::Text(text) | Self::Code(text) => Ok(text),
            Self::Json(value) => escape::pretty_json(&value)
                .map(|text| text + "\n")
                .map_err(|error| Failure::output(&error.into())),
        }
    }
}
