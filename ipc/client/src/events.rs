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
            let Some(event) = event else {
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
            self.reconnects = 0;
            self.ended = event.body.is_terminal();
            return Ok(Some(event));
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
