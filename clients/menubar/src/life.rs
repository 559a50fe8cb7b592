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
/// What came of a choice is said for this long at least; the next menu behind it says it no more.
const SAID_FOR: Duration = Duration::from_secs(60);
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
    /// When its notice was given.
    told: Instant,
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
            told: Instant::now(),
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
                if self.told.elapsed() > SAID_FOR {
                    self.state.notice = None;
                }
                self.state.link = Link::Connected(Some(menu));
            }
            TopicNews::Event(other) => return Some(other),
        }
        None
    }

    fn has_room(&mut self) -> bool {
        let room = self.works.len() < WORKS_MAX;
        if !room {
            self.tell(self.words.busy.to_owned());
        }
        room
    }

    fn tell(&mut self, notice: String) {
        self.state.notice = Some(notice);
        self.told = Instant::now();
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
                self.tell(words.gone.to_owned());
            }
            Outcome::Acted(Err(error)) => {
                self.tell(format!("{}: {error}", words.failed));
            }
            Outcome::Started(started) => {
                self.state.starting = false;
                if let Err(error) = started {
                    self.tell(format!("{}: {error}", words.not_started));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use convergio_client::{Endpoint, Environment};
    use convergio_contract::{
        RpcError,
        daemon::{ClientCapabilities, ClientEnv, ClientInfo},
        menu::Menu,
    };

    use super::*;

    fn life() -> Life {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment {
            convergio_home: Some(folder.path().to_owned()),
            ..Environment::default()
        };
        let options = ClientOptions {
            endpoint: Endpoint::resolve(&environment).unwrap(),
            daemon: None,
            client: ClientInfo {
                name: "test".to_owned(),
                version: "0".to_owned(),
            },
            capabilities: ClientCapabilities::default(),
            env: ClientEnv::default(),
        };
        Life::new(options, None, Words::of("en"))
    }

    fn menu(life: &mut Life) {
        let menu = Box::new(Menu::default());
        life.hear(TopicNews::Event(TopicEvent::MenuChanged { menu }));
    }

    #[test]
    fn what_did_not_work_is_said_until_it_is_old() {
        let mut life = life();
        menu(&mut life);
        let gone = RpcError::new(
            ErrorCode::Conflict,
            "this entry is not in the menu any more",
        );
        life.done(Outcome::Acted(Err(ClientError::Rpc(gone))));
        menu(&mut life);
        assert_eq!(life.state.notice.as_deref(), Some(life.words.gone));
        life.told = Instant::now().checked_sub(SAID_FOR * 2).unwrap();
        menu(&mut life);
        assert_eq!(life.state.notice, None);
    }

    #[tokio::test]
    async fn a_daemon_that_cannot_be_started_is_said_and_can_be_tried_again() {
        let mut life = life();
        life.hear(TopicNews::Lost {
            why: "none runs".to_owned(),
        });
        life.start();
        assert!(life.state.starting);
        life.start();
        assert_eq!(life.works.len(), 1, "nobody starts it twice");
        let outcome = life.works.join_next().await.unwrap().unwrap();
        life.done(outcome);
        assert!(!life.state.starting);
        let notice = life.state.notice.unwrap();
        assert!(notice.starts_with(life.words.not_started), "{notice}");
    }

    #[tokio::test]
    async fn many_clicks_at_once_are_bounded() {
        let mut life = life();
        for _ in 0..WORKS_MAX {
            life.works.spawn(std::future::pending());
        }
        life.start();
        assert!(!life.state.starting);
        assert_eq!(life.state.notice.as_deref(), Some(life.words.busy));
        assert_eq!(life.works.len(), WORKS_MAX);
    }
}
