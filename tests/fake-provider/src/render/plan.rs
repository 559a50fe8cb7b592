//! The bytes of a whole response and what happens at which of them.

use std::time::Duration;

use super::{Answer, Facts, Span, writer};
use crate::{
    gate::Gate,
    reply::{Act, At, Content, Framing, Reply},
    request::Dialect,
};

/// What happens after so many bytes on the wire.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A TCP segment ends.
    Flush,
    /// A delta is out.
    Delta,
    Wait(Duration),
    Hold(Gate),
    Stall,
    Close,
    Reset,
}

/// A line that does not end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    pub(crate) bytes: u64,
    pub(crate) chunked: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head_len: usize,
    /// In the order of their offsets.
    pub(crate) steps: Vec<(usize, Step)>,
    pub(crate) deltas: usize,
    /// Output tokens of the whole answer, by the provider's own count.
    pub(crate) tokens: u64,
    pub(crate) tail: Option<Tail>,
    pub(crate) keep_alive: bool,
    /// Whether TLS is closed properly at the end.
    pub(crate) close_notify: bool,
}

struct Body {
    spans: Vec<Span>,
    kind: String,
    framing: Framing,
    tail: Option<Tail>,
    tokens: u64,
}

/// Lays out a response.
pub(crate) fn plan(reply: &Reply, facts: &Facts) -> Plan {
    if let Content::Raw(bytes) = &reply.content {
        let mut plan = Plan {
            bytes: bytes.clone(),
            head_len: 0,
            steps: Vec::new(),
            deltas: 0,
            tokens: 0,
            tail: reply.endless.map(|bytes| Tail {
                bytes,
                chunked: false,
            }),
            keep_alive: false,
            close_notify: reply.endless.is_none(),
        };
        plan.steps = steps(reply, &plan.bytes, &Marks::default());
        return plan;
    }
    let body = body(reply, facts);
    let mut bytes = head(reply, facts, &body);
    let head_len = bytes.len();
    let marks = frame(reply, &body, &mut bytes);
    Plan {
        steps: steps(reply, &bytes, &marks),
        bytes,
        head_len,
        // A stream that fails lacks some of what was meant to come.
        deltas: if facts.stream {
            usize::try_from(body.tokens).unwrap_or(usize::MAX)
        } else {
            marks.deltas.len()
        },
        tokens: body.tokens,
        tail: body.tail,
        keep_alive: !reply.close_connection
            && body.framing != Framing::UntilClose
            && body.tail.is_none(),
        close_notify: body.tail.is_none(),
    }
}

fn body(reply: &Reply, facts: &Facts) -> Body {
    let dialect = facts.dialect.unwrap_or(Dialect::OpenAi);
    let write = writer(dialect);
    let whole = |bytes: Vec<u8>, kind: &str, delta| Body {
        spans: vec![Span { bytes, delta }],
        kind: kind.to_owned(),
        framing: reply.framing.unwrap_or(Framing::Length),
        tail: None,
        tokens: 0,
    };
    match &reply.content {
        Content::Answer(parts) => {
            let answer = Answer::new(reply, parts, facts);
            if !facts.stream {
                let value = (write.whole)(&answer, facts);
                return Body {
                    tokens: answer.tokens(),
                    ..whole(value.to_string().into_bytes(), "application/json", true)
                };
            }
            let framing = reply.framing.unwrap_or(Framing::Chunked);
            let mut spans = (write.stream)(&answer, facts);
            let mut tail = None;
            if let Some(bytes) = reply.endless {
                let end = spans
                    .iter()
                    .rposition(|span| span.delta)
                    .map_or(0, |at| at + 1);
                spans.truncate(end);
                spans.push(Span::plain(&(write.endless)(facts)));
                tail = Some(Tail {
                    bytes,
                    chunked: framing == Framing::Chunked,
                });
            }
            Body {
                spans,
                kind: write.stream_type.to_owned(),
                framing,
                tail,
                tokens: answer.tokens(),
            }
        }
        Content::Failure(failure) => {
            let value = (write.failure)(failure, facts);
            whole(value.to_string().into_bytes(), "application/json", false)
        }
        Content::Body { kind, bytes } => {
            let kind = kind.clone();
            let framing = match kind {
                Some(_) => Framing::Length,
                None => Framing::Chunked,
            };
            Body {
                spans: vec![Span {
                    bytes: bytes.clone(),
                    delta: false,
                }],
                kind: kind.unwrap_or_else(|| write.stream_type.to_owned()),
                framing: reply.framing.unwrap_or(framing),
                tail: None,
                tokens: 0,
            }
        }
        Content::Raw(_) => whole(Vec::new(), "text/plain", false),
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        529 => "Overloaded",
        _ => "Other",
    }
}

fn head(reply: &Reply, facts: &Facts, body: &Body) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    let mut add = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    add("content-type", &body.kind);
    add("cache-control", "no-cache");
    if let Some(name) = facts.dialect.and_then(|dialect| writer(dialect).request_id) {
        let id = reply.request_id.clone();
        add(name, &id.unwrap_or_else(|| facts.id("req_")));
    }
    for (name, value) in &reply.headers {
        add(name, value);
    }
    match body.framing {
        Framing::Chunked => add("transfer-encoding", "chunked"),
        Framing::UntilClose => add("connection", "close"),
        Framing::Length => {
            let tail = body.tail.map_or(0, |tail| tail.bytes);
            let spans: usize = body.spans.iter().map(|span| span.bytes.len()).sum();
            add("content-length", &(spans as u64 + tail).to_string());
        }
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Where on the wire something of the body lies.
#[derive(Debug, Default)]
struct Marks {
    head_len: usize,
    /// Offset in the body and on the wire of each chunk's first byte.
    chunks: Vec<(usize, usize)>,
    /// The same with the wire's offset of the chunk's own head.
    heads: Vec<(usize, usize)>,
    /// Offset on the wire where each span with a delta begins and where it is out.
    deltas: Vec<(usize, usize)>,
}

impl Marks {
    fn wire(&self, at: At, end: usize) -> usize {
        let offset = match at {
            At::Wire(offset) => offset,
            At::Delta(0) => self.deltas.first().map_or(end, |(begin, _)| *begin),
            At::Delta(count) => self.deltas.get(count - 1).map_or(end, |(_, out)| *out),
            At::Body(offset) => {
                let chunk = self.chunks.iter().rfind(|(body, _)| *body <= offset);
                chunk.map_or(self.head_len + offset, |(body, wire)| wire + offset - body)
            }
        };
        offset.min(end)
    }
}

/// Writes the body in its framing behind the head.
fn frame(reply: &Reply, body: &Body, bytes: &mut Vec<u8>) -> Marks {
    let mut marks = Marks {
        head_len: bytes.len(),
        ..Marks::default()
    };
    let all: Vec<u8> = body
        .spans
        .iter()
        .flat_map(|span| span.bytes.clone())
        .collect();
    // Where in the body chunks end.
    let mut cuts: Vec<usize> = match (body.framing, reply.chunk_bytes) {
        (Framing::Chunked, Some(size)) => (size..all.len()).step_by(size).collect(),
        (Framing::Chunked, None) => body
            .spans
            .iter()
            .scan(0, |end, span| {
                *end += span.bytes.len();
                Some(*end)
            })
            .collect(),
        _ => Vec::new(),
    };
    cuts.push(all.len());
    cuts.dedup();
    // The offset on the wire after which the body is out up to each cut.
    let mut outs = Vec::new();
    let mut from = 0;
    for cut in cuts {
        let chunk = all.get(from..cut).unwrap_or_default();
        if body.framing == Framing::Chunked {
            if chunk.is_empty() {
                continue;
            }
            marks.heads.push((from, bytes.len()));
            bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
            marks.chunks.push((from, bytes.len()));
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        } else {
            marks.chunks.push((from, bytes.len()));
            bytes.extend(chunk);
        }
        outs.push((cut, bytes.len()));
        from = cut;
    }
    let mut offset = 0;
    let end = bytes.len();
    // Spans and chunks are both in order, so one walk over each is enough.
    let mut heads = marks.heads.iter().peekable();
    let mut outs = outs.into_iter().peekable();
    let mut deltas = Vec::new();
    for span in &body.spans {
        while heads.next_if(|(body, _)| *body < offset).is_some() {}
        let head = heads.peek().filter(|(body, _)| *body == offset);
        let begin = head.map_or_else(|| marks.wire(At::Body(offset), end), |(_, wire)| *wire);
        offset += span.bytes.len();
        while outs.next_if(|(cut, _)| *cut < offset).is_some() {}
        if span.delta {
            deltas.push((begin, outs.peek().map_or(end, |(_, wire)| *wire)));
        }
    }
    marks.deltas = deltas;
    if body.framing == Framing::Chunked && body.tail.is_none() {
        bytes.extend(b"0\r\n\r\n");
    }
    marks
}

fn steps(reply: &Reply, bytes: &[u8], marks: &Marks) -> Vec<(usize, Step)> {
    let end = bytes.len();
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (number, (begin, out)) in marks.deltas.iter().enumerate() {
        if let Some(pace) = reply.pace.filter(|_| number > 0) {
            steps.push((*begin, Step::Wait(pace)));
        }
        steps.push((*out, Step::Delta));
    }
    let regular = reply
        .split_every
        .into_iter()
        .flat_map(|every| (every..end).step_by(every));
    for offset in reply.splits.iter().copied().chain(regular) {
        steps.push((offset.min(end), Step::Flush));
    }
    for (at, act) in &reply.acts {
        let step = match act {
            Act::Hold(gate) => Step::Hold(gate.clone()),
            Act::Stall => Step::Stall,
            Act::Close => Step::Close,
            Act::Reset => Step::Reset,
        };
        steps.push((marks.wire(*at, end), step));
    }
    // A stable sort: what is counted at an offset comes before what ends the reply there.
    steps.sort_by_key(|(offset, _)| *offset);
    steps
}
