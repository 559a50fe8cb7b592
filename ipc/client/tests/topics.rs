//! Topics against a daemon that says exactly what a test wants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use convergio_client::{ClientOptions, Endpoint, Environment, TopicNews, Topics};
use convergio_contract::{
    daemon::{ClientCapabilities, ClientEnv, ClientInfo},
    topic::{EventsSubscribeParams, Topic, TopicEvent},
};
use convergio_transport::{
    frame::{FrameReader, Line},
    socket,
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixListener,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// More than may wait for a reader.
const FLOOD: usize = 400;

struct Peer {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Peer {
    async fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, writer) = stream.into_split();
        let mut peer = Self {
            reader: FrameReader::new(read),
            writer,
        };
        let result = json!({
            "protocol_version": convergio_contract::PROTOCOL_VERSIONS[0],
            "server": {"name": "convergiod", "version": "0.1.0", "build": "test"},
            "capabilities": [],
            "limits": {"line_max_bytes": 1, "nesting_max": 1, "in_flight_max": 1,
                "connections_max": 1, "diff_max_bytes": 1},
            "schema_hash": "", "epoch": "1",
        });
        peer.answer("initialize", result).await;
        peer
    }

    /// Answers the next request, which is this one.
    async fn answer(&mut self, method: &str, result: Value) {
        let line = match self.reader.next().await.unwrap() {
            Some(Line::Complete(line)) => line,
            other => panic!("{other:?}"),
        };
        let request: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(request["method"], method);
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            .await;
    }

    async fn subscribed(&mut self) {
        let topics = json!({"topics": ["menu.changed"]});
        self.answer("events.subscribe", topics).await;
    }

    async fn send(&mut self, message: Value) {
        let line = format!("{message}\n");
        self.writer.write_all(line.as_bytes()).await.unwrap();
    }

    async fn menu(&mut self, tooltip: &str) {
        let menu = json!({"icon": "idle", "tooltip": tooltip, "entries": []});
        let params = json!({"topic": "menu.changed", "menu": menu});
        self.tell(params).await;
    }

    async fn tell(&mut self, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "method": "events.notification", "params": params}))
            .await;
    }
}

fn here(home: &std::path::Path) -> (UnixListener, Topics) {
    let environment = Environment {
        convergio_home: Some(home.into()),
        ..Environment::default()
    };
    let options = ClientOptions {
        endpoint: Endpoint::resolve(&environment).unwrap(),
        daemon: None,
        client: ClientInfo {
            name: "test".into(),
            version: "0.1.0".into(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    };
    let uid = rustix::process::getuid().as_raw();
    let listener = socket::bind_listener(&options.endpoint.socket, uid).unwrap();
    let listener = socket::into_tokio(listener).unwrap();
    let wanted = EventsSubscribeParams {
        topics: vec![Topic::MenuChanged],
        ..EventsSubscribeParams::default()
    };
    (listener, Topics::new(options, wanted))
}

async fn tooltip(topics: &mut Topics) -> String {
    match topics.next().await {
        TopicNews::Event(TopicEvent::MenuChanged { menu }) => menu.tooltip,
        other => panic!("{other:?}"),
    }
}

async fn connected(listener: &UnixListener, topics: &mut Topics) -> Peer {
    let daemon = async {
        let mut peer = Peer::accept(listener).await;
        peer.subscribed().await;
        peer
    };
    let (peer, news) = tokio::join!(daemon, topics.next());
    assert!(matches!(news, TopicNews::Connected(_)), "{news:?}");
    peer
}

#[tokio::test]
async fn a_reader_that_is_far_behind_begins_anew_on_the_same_connection() {
    let home = tempfile::tempdir().unwrap();
    let (listener, mut topics) = here(home.path());
    let mut peer = connected(&listener, &mut topics).await;
    for number in 0..FLOOD {
        peer.menu(&number.to_string()).await;
    }
    let daemon = async {
        peer.subscribed().await;
        peer.menu("present").await;
    };
    let reader = async {
        let mut last = None;
        loop {
            let tooltip = tooltip(&mut topics).await;
            if tooltip == "present" {
                return last;
            }
            let number: usize = tooltip.parse().unwrap();
            assert!(last.is_none_or(|last| number == last + 1));
            last = Some(number);
        }
    };
    let ((), last) = tokio::join!(daemon, reader);
    assert!(last.is_some_and(|last| last < FLOOD - 1), "{last:?}");
}

#[tokio::test]
async fn topics_of_a_newer_daemon_are_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let (listener, mut topics) = here(home.path());
    let mut peer = connected(&listener, &mut topics).await;
    peer.tell(json!({"topic": "weather.changed", "sky": "blue"}))
        .await;
    peer.tell(json!({"topic": "menu.changed", "menu": 3})).await;
    peer.menu("known").await;
    assert_eq!(tooltip(&mut topics).await, "known");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_it_is_tried_again() {
    let home = tempfile::tempdir().unwrap();
    let (listener, mut topics) = here(home.path());
    let daemon = async {
        let mut peer = Peer::accept(&listener).await;
        let Some(Line::Complete(line)) = peer.reader.next().await.unwrap() else {
            panic!("no request");
        };
        let request: Value = serde_json::from_slice(&line).unwrap();
        let error = json!({"code": -32601, "message": "there is no method"});
        peer.send(json!({"jsonrpc": "2.0", "id": request["id"], "error": error}))
            .await;
    };
    let ((), news) = tokio::join!(daemon, topics.next());
    let TopicNews::Lost { why } = news else {
        panic!("{news:?}");
    };
    assert!(why.contains("there is no method"), "{why}");
    let mut peer = connected(&listener, &mut topics).await;
    peer.menu("at last").await;
    assert_eq!(tooltip(&mut topics).await, "at last");
}
