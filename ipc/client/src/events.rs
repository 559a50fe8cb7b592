//! A run's events as one stream, whatever happens to the connection.

use convergio_contract::{
    EventBody, RunEvent, Uuid,
    run::{RunSubscribe, RunSubscribeParams},
};
use tokio::sync::mpsc;

use crate::{Client, ClientError, Pending};

/// How often a lost connection is made again without a single event in between.
const RECONNECTS_MAX: u32 = 3;

/// The events of one run, gap-free and without repetition. Not safe to poll from two tasks.
#[derive(Debug)]
pub struct RunEvents {
    client: Client,
    run_id: Uuid,
    last_seq: u64,
    events: mpsc::Receiver<RunEvent>,
    opening: Option<Pending<RunSubscribe>>,
    reconnects: u32,
    ended: bool,
    /// Text that was handed out.
    text: Seen,
    /// Reasoning that was handed out.
    reasoning: Seen,
}

/// How far the text of an answer was handed out.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    part: u32,
    offset: u64,
}

impl Seen {
    /// Leaves of a text what was not handed out; none where that is nothing. A subscription begins
    /// at the answer's beginning, so after a second one much of it comes twice.
    fn news(&mut self, part: u32, offset: &mut u64, text: &mut String) -> Option<()> {
        if part == self.part + 1 && *offset == 0 {
            *self = Self { part, offset: 0 };
        }
        if part != self.part || *offset > self.offset {
            return None;
        }
        let known = usize::try_from(self.offset - *offset).ok()?;
        let news = text.get(known..)?;
        if news.is_empty() {
            return None;
        }
        *text = news.to_owned();
        *offset = self.offset;
        self.offset += text.len() as u64;
        Some(())
    }

    /// The part is whole: nothing more of it is news.
    fn whole(&mut self, part: u32) {
        if part >= self.part {
            *self = Self {
                part: part + 1,
                offset: 0,
            };
        }
    }
}

impl RunEvents {
    pub(crate) fn open(client: Client, run_id: Uuid, last_seq: u64) -> Result<Self, ClientError> {
        let events = client.connection().listen(run_id);
        let params = RunSubscribeParams {
            run_id,
            after_seq: last_seq,
        };
        let opening = Some(client.queue::<RunSubscribe>(&params)?);
        Ok(Self {
            client,
            run_id,
            last_seq,
            events,
            opening,
            reconnects: 0,
            ended: false,
            text: Seen::default(),
            reasoning: Seen::default(),
        })
    }

    /// The last durable event that was handed out.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The next event; `None` after the terminal one. Safe to cancel.
    ///
    /// Resubscribes after the last event when this reader fell behind, and makes the connection
    /// again, three times at most, when it was lost: a daemon that was killed answers with the
    /// run's true end.
    pub async fn next(&mut self) -> Result<Option<RunEvent>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        loop {
            if self.opening.is_some() {
                self.client.flush().await?;
            }
            let event = tokio::select! {
                biased;
                event = self.events.recv() => event,
                refused = opened(&mut self.opening) => {
                    match refused {
                        Ok(()) => continue,
                        Err(error) if error.is_disconnected() => None,
                        Err(error) => return Err(error),
                    }
                }
            };
            let Some(mut event) = event else {
                self.resubscribe().await?;
                continue;
            };
            if let EventBody::Gap { to_seq, .. } = event.body {
                self.last_seq = self.last_seq.max(to_seq);
            }
            if let Some(seq) = event.seq {
                // What is not the next one comes from a subscription that this one replaced, and
                // comes again in its turn.
                if seq != self.last_seq + 1 {
                    continue;
                }
                self.last_seq = seq;
            }
            if !self.is_news(&mut event.body) {
                continue;
            }
            self.reconnects = 0;
            self.ended = event.body.is_terminal();
            return Ok(Some(event));
        }
    }

    /// Cuts from a text what was handed out before; false where nothing is left.
    fn is_news(&mut self, body: &mut EventBody) -> bool {
        match body {
            EventBody::Delta {
                part, offset, text, ..
            } => self.text.news(*part, offset, text).is_some(),
            EventBody::Reasoning {
                part, offset, text, ..
            } => self.reasoning.news(*part, offset, text).is_some(),
            EventBody::Message { part, .. } => {
                self.text.whole(*part);
                true
            }
            _ => true,
        }
    }

    async fn resubscribe(&mut self) -> Result<(), ClientError> {
        self.opening = None;
        if self.reconnects >= RECONNECTS_MAX {
            return Err(self.client.connection().disconnected());
        }
        let reconnects = self.reconnects + 1;
        let fresh = match Self::open(self.client.clone(), self.run_id, self.last_seq) {
            Err(error) if error.is_disconnected() => {
                let client = Client::connect(self.client.options().clone()).await?;
                Self::open(client, self.run_id, self.last_seq)?
            }
            other => other?,
        };
        *self = Self {
            reconnects,
            text: self.text,
            reasoning: self.reasoning,
            ..fresh
        };
        Ok(())
    }
}

/// Waits for the subscription's response; afterwards never ends.
async fn opened(opening: &mut Option<Pending<RunSubscribe>>) -> Result<(), ClientError> {
    match opening {
        Some(pending) => {
            let outcome = pending.wait().await;
            *opening = None;
            outcome.map(|_| ())
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_handed_out_twice_and_none_with_a_hole_before_it() {
        let mut seen = Seen::default();
        let mut news = |part, offset: u64, text: &str| {
            let (mut offset, mut text) = (offset, text.to_owned());
            seen.news(part, &mut offset, &mut text)
                .map(|()| (offset, text))
        };
        assert_eq!(news(0, 0, "Hel"), Some((0, "Hel".into())));
        assert_eq!(news(0, 3, "lo"), Some((3, "lo".into())));
        // Another subscription begins again.
        assert_eq!(news(0, 0, "Hello"), None);
        assert_eq!(news(0, 0, "Hello, y"), Some((5, ", y".into())));
        assert_eq!(news(0, 3, "lo, you"), Some((8, "ou".into())));
        assert_eq!(news(0, 40, "far"), None);
        assert_eq!(news(1, 0, "é"), Some((0, "é".into())));
        assert_eq!(news(0, 10, "late"), None);
        assert_eq!(news(1, 2, "!"), Some((2, "!".into())));
        seen.whole(1);
        let (mut offset, mut text) = (0, "é!".to_owned());
        assert_eq!(seen.news(1, &mut offset, &mut text), None);
    }
}
