//! Replies, neutral of dialect, and what shall go wrong with them.

use std::time::Duration;

use serde_json::Value;

use crate::{gate::Gate, render, request::Dialect};

/// Why generation stopped. Each dialect has its own word for it, and not every dialect has all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `end_turn`, `stop`, `STOP`.
    End,
    /// At the output's limit: `max_tokens`, `length`, `MAX_TOKENS`.
    Length,
    /// `stop_sequence`; the others say the same as for [`Stop::End`].
    StopSequence,
    /// `tool_use`, `tool_calls`.
    ToolUse,
    /// `refusal`, `content_filter`, `SAFETY`.
    ContentFilter,
    /// `refusal`; the others say the same as for [`Stop::End`].
    Refusal,
    /// Anthropic's `pause_turn`.
    Pause,
    /// Anthropic's `model_context_window_exceeded`; `length` elsewhere.
    ContextWindow,
    /// This word, whatever the dialect.
    Other(String),
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Chunked transfer encoding; streams by default.
    Chunked,
    /// `content-length`; everything else by default.
    Length,
    /// By closing the connection.
    UntilClose,
}

/// A point in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After so many bytes on the wire, head and framing counted. Beyond the end is the end.
    Wire(usize),
    /// After so many bytes of the body, framing not counted.
    Body(usize),
    /// After so many deltas; after 0 is just before the first.
    Delta(usize),
}

impl From<usize> for At {
    fn from(offset: usize) -> Self {
        Self::Wire(offset)
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Reasoning(Vec<String>),
    Text(Vec<String>),
    Refusal(Vec<String>),
    ToolCall { name: String, arguments: Value },
}

#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Answer(Vec<Part>),
    Failure(Failure),
    Body {
        kind: Option<String>,
        bytes: Vec<u8>,
    },
    Raw(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) enum Usage {
    Own,
    Absent,
    Given { input: u64, output: u64 },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Cache {
    pub(crate) read: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Hold(Gate),
    Stall,
    Close,
    Reset,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(crate) content: Content,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) request_id: Option<String>,
    pub(crate) usage: Usage,
    pub(crate) cache: Cache,
    pub(crate) reasoning_tokens: Option<u64>,
    pub(crate) stop: Option<Stop>,
    pub(crate) end_marker: bool,
    pub(crate) pings: bool,
    pub(crate) fail_after: Option<(usize, Failure)>,
    pub(crate) endless: Option<u64>,
    pub(crate) framing: Option<Framing>,
    pub(crate) chunk_bytes: Option<usize>,
    pub(crate) close_connection: bool,
    pub(crate) splits: Vec<usize>,
    pub(crate) split_every: Option<usize>,
    pub(crate) acts: Vec<(At, Act)>,
    pub(crate) pace: Option<Duration>,
    pub(crate) heeds_max_output: bool,
}

impl Reply {
    fn new(content: Content) -> Self {
        Self {
            content,
            status: 200,
            headers: Vec::new(),
            request_id: None,
            usage: Usage::Own,
            cache: Cache::default(),
            reasoning_tokens: None,
            stop: None,
            end_marker: true,
            pings: false,
            fail_after: None,
            endless: None,
            framing: None,
            chunk_bytes: None,
            close_connection: false,
            splits: Vec::new(),
            split_every: None,
            acts: Vec::new(),
            pace: None,
            heeds_max_output: true,
        }
    }

    /// An answer, a delta per word. Like a real provider it stops at the request's output limit,
    /// a token per delta.
    pub fn text(text: &str) -> Self {
        Self::deltas(text.split_inclusive(' '))
    }

    /// An answer in exactly these deltas.
    pub fn deltas(deltas: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let deltas = deltas.into_iter().map(Into::into).collect();
        Self::new(Content::Answer(vec![Part::Text(deltas)]))
    }

    /// Structured output: this value as text, in pieces that heed no border of its syntax.
    pub fn json(value: &Value) -> Self {
        Self::deltas(pieces(&value.to_string(), 7))
    }

    /// A tool call and nothing else.
    pub fn tool_call(name: &str, arguments: &Value) -> Self {
        Self::new(Content::Answer(Vec::new())).and_tool_call(name, arguments)
    }

    /// A refusal: OpenAI's `refusal` field, Anthropic's stop reason, plain text elsewhere.
    pub fn refusal(text: &str) -> Self {
        let deltas = text.split_inclusive(' ').map(str::to_owned).collect();
        Self::new(Content::Answer(vec![Part::Refusal(deltas)])).stop(Stop::Refusal)
    }

    /// A refused request, in the dialect's form. `kind` is its `type` (OpenAI, Anthropic) or
    /// `status` (Gemini).
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let failure = Failure {
            status,
            kind: kind.to_owned(),
            code: None,
            message: message.to_owned(),
        };
        Self::new(Content::Failure(failure)).status(status)
    }

    /// A redirect: 307 and a `location`.
    pub fn redirect(to: &str) -> Self {
        Self::body(307, "text/plain", "moved\n").header("location", to)
    }

    /// A whole response, byte for byte, and then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::Raw(bytes.into()))
    }

    /// Any body.
    pub fn body(status: u16, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let content = Content::Body {
            kind: Some(content_type.to_owned()),
            bytes: bytes.into(),
        };
        Self::new(content).status(status)
    }

    /// 200 with a recorded stream as its body; the content type is the dialect's.
    pub fn fixture(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(Content::Body {
            kind: None,
            bytes: bytes.into(),
        })
    }

    /// A stream whose first delta is a line of so many bytes without an end; then the connection
    /// is closed.
    pub fn endless_line(bytes: u64) -> Self {
        Self::deltas(Vec::<String>::new()).then_endless_line(bytes)
    }

    /// The request is read and never answered.
    pub fn silence() -> Self {
        Self::text("").stall_after(0)
    }

    /// After the deltas, a line of so many bytes without an end; then the connection is closed.
    #[must_use]
    pub fn then_endless_line(mut self, bytes: u64) -> Self {
        self.endless = Some(bytes);
        self
    }

    /// Adds a tool call.
    #[must_use]
    pub fn and_tool_call(mut self, name: &str, arguments: &Value) -> Self {
        if let Content::Answer(parts) = &mut self.content {
            parts.push(Part::ToolCall {
                name: name.to_owned(),
                arguments: arguments.clone(),
            });
        }
        self
    }

    /// Puts reasoning before the answer, a delta per word.
    #[must_use]
    pub fn reasoning(mut self, text: &str) -> Self {
        if let Content::Answer(parts) = &mut self.content {
            let deltas = text.split_inclusive(' ').map(str::to_owned).collect();
            parts.insert(0, Part::Reasoning(deltas));
        }
        self
    }

    /// Cuts the text into `count` deltas of about the same length.
    #[must_use]
    pub fn in_deltas(mut self, count: usize) -> Self {
        if let Content::Answer(parts) = &mut self.content {
            for part in parts {
                if let Part::Text(deltas) = part {
                    let text = deltas.concat();
                    let chars = text.chars().count();
                    *deltas = pieces(&text, chars.div_ceil(count.max(1)).max(1));
                }
            }
        }
        self
    }

    /// The usage to report: uncached input tokens, and all output tokens, reasoning included.
    /// By default the provider's own count: a token per four bytes of text, and one per delta.
    #[must_use]
    pub fn usage(mut self, input: u64, output: u64) -> Self {
        self.usage = Usage::Given { input, output };
        self
    }

    /// Input tokens that were read from and written to the cache, beside [`Reply::usage`].
    #[must_use]
    pub fn cache(mut self, read: u64, write_5m: u64, write_1h: u64) -> Self {
        self.cache = Cache {
            read,
            write_5m,
            write_1h,
        };
        self
    }

    /// How many of the output tokens were reasoning.
    #[must_use]
    pub fn reasoning_tokens(mut self, tokens: u64) -> Self {
        self.reasoning_tokens = Some(tokens);
        self
    }

    /// Reports no usage at all. It is billed all the same.
    #[must_use]
    pub fn no_usage(mut self) -> Self {
        self.usage = Usage::Absent;
        self
    }

    /// Why generation stopped.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Goes on beyond the request's output limit.
    #[must_use]
    pub fn ignoring_max_output(mut self) -> Self {
        self.heeds_max_output = false;
        self
    }

    /// Leaves out what ends a stream: `[DONE]`, `message_stop`, the line with `done`, a finish
    /// reason; HTTP's own end is there.
    #[must_use]
    pub fn no_end_marker(mut self) -> Self {
        self.end_marker = false;
        self
    }

    /// Fails inside the stream after so many deltas, in the dialect's form.
    #[must_use]
    pub fn fail_after(mut self, deltas: usize, kind: &str, message: &str) -> Self {
        let failure = Failure {
            status: 500,
            kind: kind.to_owned(),
            code: None,
            message: message.to_owned(),
        };
        self.fail_after = Some((deltas, failure));
        self
    }

    /// Sends keep-alives between deltas: Anthropic's `ping`, comments in other event streams,
    /// empty lines in Ollama's.
    #[must_use]
    pub fn pings(mut self) -> Self {
        self.pings = true;
        self
    }

    /// The status; an error's body says it too where the dialect repeats it.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        if let Content::Failure(failure) = &mut self.content {
            failure.status = status;
        }
        self
    }

    /// An error's `code`, which OpenAI has beside its `type`.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        if let Content::Failure(failure) = &mut self.content {
            failure.code = Some(code.to_owned());
        }
        self
    }

    /// A further header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `retry-after` in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header("retry-after", &seconds.to_string())
    }

    /// The provider's name for the request, instead of one of its own making.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// How the body's end is told.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = Some(framing);
        self
    }

    /// Cuts the body into HTTP chunks of so many bytes, wherever events and characters end.
    /// Unlike TCP segments a client sees these borders for certain.
    #[must_use]
    pub fn chunk_every(mut self, bytes: usize) -> Self {
        self.chunk_bytes = Some(bytes.max(1));
        self
    }

    /// Closes the connection after a complete reply without having announced it.
    #[must_use]
    pub fn close_connection(mut self) -> Self {
        self.close_connection = true;
        self
    }

    /// Writes to TCP in pieces that end at these bytes on the wire.
    #[must_use]
    pub fn split_at(mut self, offsets: &[usize]) -> Self {
        self.splits.extend(offsets);
        self
    }

    /// Writes to TCP so many bytes at a time.
    #[must_use]
    pub fn split_every(mut self, bytes: usize) -> Self {
        self.split_every = Some(bytes.max(1));
        self
    }

    fn act(mut self, at: impl Into<At>, act: Act) -> Self {
        self.acts.push((at.into(), act));
        self
    }

    /// Resets the connection (RST).
    #[must_use]
    pub fn reset_after(self, at: impl Into<At>) -> Self {
        self.act(at, Act::Reset)
    }

    /// Closes the connection (FIN, with no end of the body; TLS is not closed either).
    #[must_use]
    pub fn close_after(self, at: impl Into<At>) -> Self {
        self.act(at, Act::Close)
    }

    /// Falls silent with the connection open, until `FakeProvider::release`.
    #[must_use]
    pub fn stall_after(self, at: impl Into<At>) -> Self {
        self.act(at, Act::Stall)
    }

    /// Waits at a gate.
    #[must_use]
    pub fn hold_at(self, at: impl Into<At>, gate: &Gate) -> Self {
        self.act(at, Act::Hold(gate.clone()))
    }

    /// Waits at a gate before the first byte.
    #[must_use]
    pub fn delay_until(self, gate: &Gate) -> Self {
        self.hold_at(0, gate)
    }

    /// Waits before each delta but the first. For measuring; tests use gates.
    #[must_use]
    pub fn pace(mut self, between_deltas: Duration) -> Self {
        self.pace = Some(between_deltas);
        self
    }

    /// The bytes on the wire of this reply when it is streamed for `model`. Ids and times have
    /// a fixed width, so the real one is as long.
    pub fn wire_len(&self, dialect: Dialect, model: &str) -> usize {
        render::plan(self, &render::Facts::assumed(dialect, model))
            .bytes
            .len()
    }

    /// The bytes on the wire of its head, under the same conditions.
    pub fn head_len(&self, dialect: Dialect, model: &str) -> usize {
        render::plan(self, &render::Facts::assumed(dialect, model)).head_len
    }
}

/// Pieces of so many characters.
fn pieces(text: &str, chars: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(chars.max(1))
        .map(|piece| piece.iter().collect())
        .collect()
}
