//! What the daemon tells by itself, as one stream that outlives connections and daemons.

use std::time::Duration;

use convergio_contract::topic::{EventsSubscribe, EventsSubscribeParams, TopicEvent};
use tokio::{sync::mpsc, time::sleep};

use crate::{Client, ClientError, ClientOptions, Pending, arrival::Arrival};

/// Pauses between tries after somebody was seen to come: a socket is there a moment before it is
/// listened at.
const SOON: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];
/// Between tries where nobody comes.
const LATER: Duration = Duration::from_secs(30);

/// Something that a reader of topics hears.
#[derive(Debug)]
pub enum TopicNews {
    /// A daemon answers; calls may be made by this client until the next [`TopicNews::Lost`].
    Connected(Client),
    /// The daemon said something.
    Event(TopicEvent),
    /// No daemon answers. It is waited for.
    Lost {
        /// Why.
        why: String,
    },
}

/// The daemon's topics. It never ends: where the daemon goes it is waited for, and each new
/// connection begins with the present values.
///
/// A daemon is only started where [`ClientOptions::daemon`] names one. A menu bar names none: it
/// keeps no daemon alive and starts none, and hears of one that somebody else has started.
#[derive(Debug)]
pub struct Topics {
    options: ClientOptions,
    wanted: EventsSubscribeParams,
    arrival: Arrival,
    open: Option<Open>,
    /// Tries that failed since the last sign of somebody.
    tries: usize,
    /// It was told that nobody answers.
    told: bool,
}

#[derive(Debug)]
struct Open {
    client: Client,
    events: mpsc::Receiver<TopicEvent>,
    opening: Option<Pending<EventsSubscribe>>,
}

impl Open {
    fn subscribe(client: Client, wanted: &EventsSubscribeParams) -> Result<Self, ClientError> {
        let events = client.connection().listen_to_topics();
        let opening = Some(client.queue::<EventsSubscribe>(wanted)?);
        Ok(Self {
            client,
            events,
            opening,
        })
    }

    /// What comes next; none where this subscription has ended.
    async fn next(&mut self) -> Result<Option<TopicEvent>, ClientError> {
        loop {
            if self.opening.is_some() {
                self.client.flush().await?;
            }
            tokio::select! {
                biased;
                event = self.events.recv() => return Ok(event),
                answered = answered(&mut self.opening) => answered?,
            }
        }
    }
}

/// Waits for the subscription's response; afterwards never ends.
async fn answered(opening: &mut Option<Pending<EventsSubscribe>>) -> Result<(), ClientError> {
    match opening {
        Some(pending) => {
            let outcome = pending.wait().await;
            *opening = None;
            outcome.map(|_| ())
        }
        None => std::future::pending().await,
    }
}

impl Topics {
    /// Of the daemon that `options` name. Nothing is connected before the first
    /// [`Topics::next`].
    pub fn new(options: ClientOptions, wanted: EventsSubscribeParams) -> Self {
        Self {
            arrival: Arrival::at(&options.endpoint.socket),
            options,
            wanted,
            open: None,
            tries: 0,
            told: false,
        }
    }

    /// What comes next. Safe to cancel.
    pub async fn next(&mut self) -> TopicNews {
        loop {
            let Some(open) = &mut self.open else {
                if let Some(news) = self.connect().await {
                    return news;
                }
                continue;
            };
            let why = match open.next().await {
                Ok(Some(event)) => return TopicNews::Event(event),
                // This reader was behind: it begins anew on the same connection.
                Ok(None) if !open.client.connection().has_ended() => {
                    let client = open.client.clone();
                    match Open::subscribe(client, &self.wanted) {
                        Ok(fresh) => {
                            *open = fresh;
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Ok(None) => open.client.connection().disconnected(),
                Err(error) => error,
            };
            self.open = None;
            self.told = true;
            return TopicNews::Lost {
                why: why.to_string(),
            };
        }
    }

    async fn connect(&mut self) -> Option<TopicNews> {
        // Watched from before the try, so that nobody comes unseen in between.
        self.arrival.watch();
        let connected = Client::connect(self.options.clone()).await;
        let opened = connected.and_then(|client| Open::subscribe(client, &self.wanted));
        let error = match opened {
            Ok(mut open) => match answered_first(&mut open).await {
                Ok(()) => {
                    let client = open.client.clone();
                    self.open = Some(open);
                    self.arrival.rest();
                    self.tries = 0;
                    self.told = false;
                    return Some(TopicNews::Connected(client));
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        if !self.told {
            self.told = true;
            return Some(TopicNews::Lost {
                why: error.to_string(),
            });
        }
        let pause = SOON.get(self.tries).copied().unwrap_or(LATER);
        self.tries += 1;
        tokio::select! {
            () = self.arrival.came() => self.tries = 0,
            () = sleep(pause) => {}
        }
        None
    }
}

/// Waits until the daemon has taken the subscription.
async fn answered_first(open: &mut Open) -> Result<(), ClientError> {
    open.client.flush().await?;
    match open.opening.take() {
        Some(pending) => pending.response().await.map(|_| ()),
        None => Ok(()),
    }
}
