//! Streams into events, without I/O: bytes in any pieces go in, events come out.

use std::fmt;

use convergio_models_api::{ModelEvent, Resource, StopReason, Usage};
use serde_json::Value;
use thiserror::Error;

use crate::{
    kind::{self, Kind},
    lines::{Ending, Lines},
    sse::EventStream,
    text::name_of_others,
};

/// Why a stream is not an answer. The events before it stand.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DecodeError {
    /// The stream is over and its end marker never came.
    #[error("the answer ended without its end marker")]
    NoEndMarker,
    /// What came is not what the dialect says.
    #[error("the answer is not what this kind of provider sends: {what}")]
    Malformed {
        /// What was wrong; holds nothing of the answer.
        what: &'static str,
    },
    /// A line, or an event, beyond its bound.
    #[error("a line of the answer is longer than {limit_bytes} bytes")]
    LineTooLong {
        /// The bound.
        limit_bytes: u64,
    },
    /// An answer beyond its bound.
    #[error("the answer is longer than {limit_bytes} bytes")]
    AnswerTooLong {
        /// The bound.
        limit_bytes: u64,
    },
    /// The provider sent an error instead of more answer; in its own form.
    #[error("the provider sent an error")]
    Provider(Value),
    /// A model that had to be on this machine answers from elsewhere.
    #[error("the server hands the request on to another machine, and this model had to be local")]
    NotLocal,
}

/// What a dialect makes of one event or line.
pub(crate) trait Dialect: fmt::Debug + Send {
    /// Reads one message. `Ok(false)`: it was the end marker.
    fn message(&mut self, data: &[u8], out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError>;

    /// The body is over, in order, and no end marker came. `Ok(true)`: the answer was whole all
    /// the same, as the dialect has it.
    fn end(&mut self, _out: &mut Vec<ModelEvent>) -> Result<bool, DecodeError> {
        Ok(false)
    }
}

#[derive(Debug)]
enum Framing {
    Events(EventStream),
    Lines(Lines),
}

/// What the request asked for that changes how its answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The JSON answer comes as the arguments of a tool that the model had to call.
    pub json_by_tool: bool,
    /// The model must run on the machine that answers.
    pub local: bool,
    /// The server leaves out its dialect's end marker: an answer that said why it stopped is whole
    /// when its stream ends.
    pub no_end_marker: bool,
}

/// Reads the stream of one answer. Bounds: a line 1 MiB, an answer 32 MiB.
#[derive(Debug)]
pub struct StreamDecoder {
    framing: Framing,
    messages: Box<dyn Dialect>,
    done: bool,
}

impl StreamDecoder {
    /// For the streams of this kind of provider; `None` where the kind is not supported yet.
    pub fn new(kind: Kind, expectation: Expectation) -> Option<Self> {
        let wire = kind.wire()?;
        Some(Self {
            framing: match wire.framing {
                kind::Framing::Events => Framing::Events(EventStream::new()),
                kind::Framing::Lines => Framing::Lines(Lines::new(Ending::Lf)),
            },
            messages: (wire.decoder)(expectation),
            done: false,
        })
    }

    /// Reads the next piece. What it completed is appended to `out`, also where an error follows.
    /// Behind the end marker nothing is read any more.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        if self.done {
            return Ok(());
        }
        let Self {
            framing,
            messages,
            done,
        } = self;
        let take = |data: &[u8]| {
            *done = !messages.message(data, out)?;
            Ok(!*done)
        };
        match framing {
            Framing::Events(events) => events.feed(bytes, take),
            Framing::Lines(lines) => lines.feed(bytes, take),
        }
    }

    /// The stream is over.
    pub fn finish(&mut self, out: &mut Vec<ModelEvent>) -> Result<(), DecodeError> {
        if self.done {
            return Ok(());
        }
        let Self {
            framing,
            messages,
            done,
        } = self;
        let mut take = |data: &[u8]| {
            // A message that the end of the stream cut is no message, and no fault of its own.
            *done = !messages.message(data, out).map_err(|error| match error {
                DecodeError::Malformed { .. } => DecodeError::NoEndMarker,
                other => other,
            })?;
            Ok(!*done)
        };
        match framing {
            Framing::Events(events) => events.finish(take)?,
            Framing::Lines(lines) => {
                let rest = lines.rest();
                if !rest.is_empty() {
                    take(&rest)?;
                }
            }
        }
        if !self.done {
            self.done = self.messages.end(out)?;
        }
        if self.done {
            Ok(())
        } else {
            Err(DecodeError::NoEndMarker)
        }
    }

    /// The end marker was seen.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// JSON of one message.
pub(crate) fn json(data: &[u8]) -> Result<Value, DecodeError> {
    serde_json::from_slice(data).map_err(|_| DecodeError::Malformed {
        what: "a message is not JSON",
    })
}

/// A text to show, when it holds anything.
pub(crate) fn push_text(
    out: &mut Vec<ModelEvent>,
    text: Option<&Value>,
    event: fn(String) -> ModelEvent,
) {
    if let Some(text) = text.and_then(Value::as_str)
        && !text.is_empty()
    {
        out.push(event(text.to_owned()));
    }
}

/// A provider's own word for why it stopped; none is said to be none.
pub(crate) fn other_stop(word: Option<&str>) -> StopReason {
    StopReason::Other(name_of_others(word.unwrap_or("not given")))
}

/// Something other than the model's own will ended the answer.
pub(crate) fn is_cut(stop: &StopReason) -> bool {
    !stop.is_whole()
}

/// A count as a provider reports it. `Null` and absence are not reported; what is no count is not
/// reported either, and marks the usage.
pub(crate) fn count(value: Option<&Value>, usage: &mut Usage) -> Option<u64> {
    let value = value.filter(|value| !value.is_null())?;
    let count = value.as_u64().or_else(|| {
        // Some servers write 12.0.
        let number = value.as_f64()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 9_007_199_254_740_992.0)
            .then_some(number as u64)
    });
    usage.inconsistent |= count.is_none();
    count
}

/// A class that is the rest of a sum: `whole − part`. Where the part is more than the whole the
/// numbers contradict each other, and the rest is the whole: the higher reading.
pub(crate) fn rest(usage: &mut Usage, whole: Option<u64>, part: Option<u64>) -> Option<u64> {
    let whole = whole?;
    let rest = whole.checked_sub(part.unwrap_or(0));
    usage.inconsistent |= rest.is_none();
    Some(rest.unwrap_or(whole))
}

/// Sets a class only where it was reported.
pub(crate) fn report(usage: &mut Usage, resource: Resource, quantity: Option<u64>) {
    if quantity.is_some() {
        usage.set(resource, quantity);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_leniently_and_never_invented() {
        let mut usage = Usage::default();
        assert_eq!(count(Some(&json!(0)), &mut usage), Some(0));
        assert_eq!(count(Some(&json!(12.0)), &mut usage), Some(12));
        assert_eq!(count(Some(&json!(null)), &mut usage), None);
        assert_eq!(count(None, &mut usage), None);
        assert!(!usage.inconsistent);
        for bad in [json!(-1), json!(1.5), json!("7"), json!(1e300)] {
            let mut usage = Usage::default();
            assert_eq!(count(Some(&bad), &mut usage), None, "{bad}");
            assert!(usage.inconsistent, "{bad}");
        }
    }

    #[test]
    fn a_part_beyond_its_whole_bills_the_higher_reading() {
        let mut usage = Usage::default();
        assert_eq!(rest(&mut usage, Some(10), Some(4)), Some(6));
        assert_eq!(rest(&mut usage, Some(10), None), Some(10));
        assert_eq!(rest(&mut usage, None, Some(4)), None);
        assert!(!usage.inconsistent);
        assert_eq!(rest(&mut usage, Some(4), Some(10)), Some(4));
        assert!(usage.inconsistent);
    }
}
