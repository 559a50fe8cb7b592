//! The one loop: what the daemon says, what a person chooses, and the panel that shows it.

use std::{path::PathBuf, time::Duration};

use convergio_client::{Client, ClientError, ClientOptions, TopicNews, Topics};
use convergio_contract::{
    ErrorCode,
    menu::{MenuAct, MenuActParams, MenuActResponse},
    topic::{EventsSubscribeParams, Topic, TopicEvent},
};
use tokio::{
    select,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    model::{Choice, Link, State, View, difference, view},
    platform::{Tray, TrayEnd},
    words::Words,
};

/// A panel is drawn on at most this often.
const PACE: Duration = Duration::from_secs(1);
/// The first menu is waited for this long before it is said that there is none yet.
const FIRST_WITHIN: Duration = Duration::from_millis(500);
/// Choices that are being done at a time at most.
const WORKS_MAX: usize = 8;

/// What a piece of work came to.
enum Outcome {
    Acted(Result<MenuActResponse, ClientError>),
    Started(Result<(), ClientError>),
}

/// A menu bar's life.
pub(crate) struct Life {
    options: ClientOptions,
    /// The daemon's program, for those who ask to start it.
    daemon: Option<PathBuf>,
    words: &'static Words,
    state: State,
    client: Option<Client>,
    works: JoinSet<Outcome>,
}

impl Life {
    /// `options` name no daemon: a menu bar starts none by itself. `daemon` is for a person who
    /// asks for it.
    pub(crate) fn new(
        options: ClientOptions,
        daemon: Option<PathBuf>,
        words: &'static Words,
    ) -> Self {
        Self {
            options,
            daemon,
            words,
            state: State::default(),
            client: None,
            works: JoinSet::new(),
        }
    }

    /// What is seen before anything is known.
    pub(crate) fn first_view(words: &Words) -> View {
        view(&State::default(), words)
    }

    /// Lives until somebody quits, or the panel cannot be had.
    pub(crate) async fn run<T: Tray>(
        mut self,
        tray: &mut T,
        mut choices: mpsc::Receiver<Choice>,
    ) -> Result<(), TrayEnd> {
        let mut topics = Topics::new(self.options.clone(), self.wanted::<T>());
        let mut drawn = Self::first_view(self.words);
        let mut not_before = Instant::now() + FIRST_WITHIN;
        loop {
            let next = view(&self.state, self.words);
            let change = difference(&drawn, &next);
            select! {
                news = topics.next() => {
                    if matches!(self.state.link, Link::Looking) {
                        not_before = Instant::now();
                    }
                    if let Some(TopicEvent::TaskDue { occurrence, show: true }) = self.hear(news) {
                        tray.remind(&occurrence);
                    }
                }
                choice = choices.recv() => match choice {
                    Some(Choice::Quit) | None => return Ok(()),
                    Some(Choice::Start) => self.start(),
                    Some(Choice::Entry(id)) => self.act(id),
                },
                Some(Ok(outcome)) = self.works.join_next() => self.done(outcome),
                tended = tray.tend() => tended?,
                () = sleep_until(not_before), if !change.is_none() => {
                    tray.draw(next.clone(), change).await;
                    drawn = next;
                    not_before = Instant::now() + PACE;
                }
            }
        }
    }

    fn wanted<T: Tray>(&self) -> EventsSubscribeParams {
        let mut topics = vec![Topic::MenuChanged];
        if T::SHOWS_REMINDERS {
            topics.push(Topic::TaskDue);
        }
        EventsSubscribeParams {
            topics,
            language: Some(self.words.language.to_owned()),
            shows_reminders: T::SHOWS_REMINDERS,
        }
    }

    /// Takes in what the daemon says; what is left for the panel comes back.
    fn hear(&mut self, news: TopicNews) -> Option<TopicEvent> {
        match news {
            TopicNews::Connected(client) => {
                self.client = Some(client);
                // What stands there stays until the menu comes with the next breath.
                if !matches!(self.state.link, Link::Connected(_)) {
                    self.state.link = Link::Connected(None);
                }
                self.state.notice = None;
            }
            TopicNews::Lost { .. } => {
                self.client = None;
                self.state.link = Link::Lost;
            }
            TopicNews::Event(TopicEvent::MenuChanged { menu }) => {
                self.state.link = Link::Connected(Some(menu));
            }
            TopicNews::Event(other) => return Some(other),
        }
        None
    }

    fn has_room(&mut self) -> bool {
        let room = self.works.len() < WORKS_MAX;
        if !room {
            self.state.notice = Some(self.words.busy.to_owned());
        }
        room
    }

    fn act(&mut self, id: String) {
        let Some(client) = self.client.clone() else {
            // It went between the click and now; the menu says so already.
            return;
        };
        if !self.has_room() {
            return;
        }
        self.state.notice = None;
        let language = Some(self.words.language.to_owned());
        self.works.spawn(async move {
            let params = MenuActParams { id, language };
            Outcome::Acted(client.call::<MenuAct>(&params).await)
        });
    }

    fn start(&mut self) {
        if self.state.starting || !self.has_room() {
            return;
        }
        self.state.notice = None;
        self.state.starting = true;
        let options = ClientOptions {
            daemon: self.daemon.clone(),
            ..self.options.clone()
        };
        self.works.spawn(async move {
            let started = async { Client::connect(options).await?.server().await.map(|_| ()) };
            Outcome::Started(started.await)
        });
    }

    fn done(&mut self, outcome: Outcome) {
        let words = self.words;
        match outcome {
            // What it did is seen in the menu.
            Outcome::Acted(Ok(_)) => {}
            Outcome::Acted(Err(ClientError::Rpc(error)))
                if error.code == ErrorCode::Conflict.code() =>
            {
                self.state.notice = Some(words.gone.to_owned());
            }
            Outcome::Acted(Err(error)) => {
                self.state.notice = Some(format!("{}: {error}", words.failed));
            }
            Outcome::Started(started) => {
                self.state.starting = false;
                if let Err(error) = started {
                    self.state.notice = Some(format!("{}: {error}", words.not_started));
                }
            }
        }
    }
}
