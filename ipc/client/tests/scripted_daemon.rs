//! The client against a daemon that says exactly what a test wants.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::path::Path;

use convergio_client::{Client, ClientError, ClientOptions, Endpoint, Environment};
use convergio_contract::{
    EventBody, Uuid,
    daemon::{ClientCapabilities, ClientEnv, ClientInfo, Discover},
    health::HealthGet,
    method::Empty,
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

struct Peer {
    reader: FrameReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Peer {
    async fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, writer) = stream.into_split();
        Self {
            reader: FrameReader::new(read),
            writer,
        }
    }

    async fn receive(&mut self) -> Value {
        match self.reader.next().await.unwrap() {
            Some(Line::Complete(line)) => serde_json::from_slice(&line).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, message: Value) {
        self.writer
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn handshake(&mut self) {
        let request = self.receive().await;
        assert_eq!(request["method"], "initialize");
        let result = json!({
            "protocol_version": "2026-11-20",
            "server": {"name": "convergiod", "version": "0.1.0", "build": "test"},
            "capabilities": [],
            "limits": {"line_max_bytes": 1, "nesting_max": 1, "in_flight_max": 1,
                "connections_max": 1, "diff_max_bytes": 1},
            "schema_hash": "", "epoch": "1",
        });
        self.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}))
            .await;
    }
}

fn options(home: &Path) -> ClientOptions {
    let env = Environment {
        convergio_home: Some(home.into()),
        ..Environment::default()
    };
    ClientOptions {
        endpoint: Endpoint::resolve(&env).unwrap(),
        daemon: None,
        client: ClientInfo {
            name: "test".into(),
            version: "0.1.0".into(),
        },
        capabilities: ClientCapabilities::default(),
        env: ClientEnv::default(),
    }
}

fn listen(options: &ClientOptions) -> UnixListener {
    let uid = rustix::process::getuid().as_raw();
    socket::into_tokio(socket::bind_listener(&options.endpoint.socket, uid).unwrap()).unwrap()
}

fn event(run_id: Uuid, seq: u64, body: Value) -> Value {
    let mut params = json!({"run_id": run_id, "seq": seq, "at_ms": 1});
    params
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    json!({"jsonrpc": "2.0", "method": "run.event", "params": params})
}

#[tokio::test]
async fn without_a_daemon_and_without_leave_to_start_one_it_says_so() {
    let home = tempfile::tempdir().unwrap();
    let refused = Client::connect(options(home.path())).await;
    assert!(
        matches!(refused, Err(ClientError::NotRunning { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn handshake_and_first_calls_arrive_together() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let client = Client::connect(options).await.unwrap();
    let discover = client.queue::<Discover>(&Empty {}).unwrap();
    let _health = client.queue::<HealthGet>(&Empty {}).unwrap();
    client.flush().await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    stream.readable().await.unwrap();
    let mut bytes = vec![0; 64 * 1024];
    let count = stream.try_read(&mut bytes).unwrap();
    let lines = bytes[..count].iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 3, "one read holds initialize and both calls");
    drop((stream, listener));
    let lost = discover.response().await;
    assert!(
        matches!(lost, Err(ClientError::Disconnected { .. })),
        "{lost:?}"
    );
}

#[tokio::test]
async fn a_daemon_that_ends_before_it_answers_is_no_loss() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let client = Client::connect(options).await.unwrap();
    let daemon = async {
        drop(Peer::accept(&listener).await);
        let mut peer = Peer::accept(&listener).await;
        let first = peer.receive().await;
        let ending = json!({"slug": "overloaded", "retryable": true, "retry_after_ms": 0});
        let error = json!({"code": -32027, "message": "the daemon is ending", "data": ending});
        peer.send(json!({"jsonrpc": "2.0", "id": first["id"], "error": error}))
            .await;
        let mut peer = Peer::accept(&listener).await;
        peer.handshake().await;
        let request = peer.receive().await;
        assert_eq!(request["method"], "rpc.discover");
        peer.send(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}}))
            .await;
        peer
    };
    let (answer, _peer) = tokio::join!(client.call::<Discover>(&Empty {}), daemon);
    assert_eq!(answer.unwrap(), json!({}));
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_by_its_id() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let client = Client::connect(options).await.unwrap();
    let call = client.queue::<Discover>(&Empty {}).unwrap();
    client.flush().await.unwrap();
    let mut peer = Peer::accept(&listener).await;
    peer.handshake().await;
    let request = peer.receive().await;
    drop(call);
    let cancel = peer.receive().await;
    assert_eq!(cancel["method"], "$/cancel");
    assert_eq!(cancel["params"]["id"], request["id"]);
    assert!(cancel.get("id").is_none());
}

#[tokio::test]
async fn a_refused_handshake_is_the_reason_that_is_told() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let client = Client::connect(options).await.unwrap();
    let daemon = async {
        let mut peer = Peer::accept(&listener).await;
        let first = peer.receive().await;
        let second = peer.receive().await;
        let error = |code: i32, message: &str| json!({"code": code, "message": message});
        let unsupported = error(-32021, "no version in common");
        peer.send(json!({"jsonrpc": "2.0", "id": first["id"], "error": unsupported}))
            .await;
        let early = error(-32020, "initialize first");
        peer.send(json!({"jsonrpc": "2.0", "id": second["id"], "error": early}))
            .await;
        peer
    };
    let (answer, _peer) = tokio::join!(client.call::<HealthGet>(&Empty {}), daemon);
    match answer {
        Err(ClientError::Rpc(error)) => assert_eq!(error.message, "no version in common"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_go_on_after_a_lost_connection_without_gap_or_repetition() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let run_id = Uuid::now_v7();
    let started = json!({"type": "started", "kind": "review", "selection": "stdin"});
    let client = Client::connect(options).await.unwrap();
    let mut events = client.subscribe(run_id, 0).unwrap();
    let daemon = async {
        let mut peer = Peer::accept(&listener).await;
        peer.handshake().await;
        let request = peer.receive().await;
        assert_eq!(request["params"]["after_seq"], 0);
        let opened = json!({"jsonrpc": "2.0", "id": request["id"], "result": {"last_seq": 1}});
        peer.send(opened).await;
        peer.send(event(run_id, 1, started.clone())).await;
        drop(peer);
        let mut peer = Peer::accept(&listener).await;
        peer.handshake().await;
        let request = peer.receive().await;
        assert_eq!(request["params"]["after_seq"], 1);
        let opened = json!({"jsonrpc": "2.0", "id": request["id"], "result": {"last_seq": 2}});
        peer.send(opened).await;
        peer.send(event(run_id, 1, started.clone())).await;
        peer.send(event(
            run_id,
            2,
            json!({"type": "cancelled", "reason": "test"}),
        ))
        .await;
        peer
    };
    let read = async {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            seen.push((event.seq, event.body));
        }
        seen
    };
    let (seen, _peer) = tokio::join!(read, daemon);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(matches!(&seen[1], (Some(2), EventBody::Cancelled { .. })));
}

#[tokio::test]
async fn a_subscription_that_the_daemon_closed_is_opened_again() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    let listener = listen(&options);
    let run_id = Uuid::now_v7();
    let client = Client::connect(options).await.unwrap();
    let mut events = client.subscribe(run_id, 0).unwrap();
    let daemon = async {
        let mut peer = Peer::accept(&listener).await;
        peer.handshake().await;
        let started = json!({"type": "started", "kind": "review", "selection": "stdin"});
        let ended = json!({"type": "cancelled", "reason": "test"});
        for (after_seq, body) in [(0, started), (1, ended)] {
            let request = peer.receive().await;
            assert_eq!(request["params"]["after_seq"], after_seq);
            // Of the subscription before, on its way when the new one was asked for.
            let late = json!({"type": "cancelled", "reason": "late"});
            peer.send(event(run_id, after_seq + 7, late)).await;
            let opened = json!({"jsonrpc": "2.0", "id": request["id"], "result": {"last_seq": 2}});
            peer.send(opened).await;
            peer.send(event(run_id, after_seq + 1, body)).await;
            let closed = json!({"run_id": run_id, "after_seq": after_seq + 1});
            peer.send(json!({"jsonrpc": "2.0", "method": "run.closed", "params": closed}))
                .await;
        }
        peer
    };
    let read = async {
        let mut seen = 0;
        while events.next().await.unwrap().is_some() {
            seen += 1;
        }
        seen
    };
    let (seen, _peer) = tokio::join!(read, daemon);
    assert_eq!(seen, 2);
}

#[tokio::test]
async fn a_symlink_in_the_sockets_place_is_never_followed() {
    let home = tempfile::tempdir().unwrap();
    let options = options(home.path());
    std::fs::create_dir_all(options.endpoint.socket.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/nowhere", &options.endpoint.socket).unwrap();
    let refused = Client::connect(options).await;
    assert!(
        matches!(refused, Err(ClientError::Folder(_))),
        "{refused:?}"
    );
}
